/* People who become friends: asked, accepted, refused, removed. */
#include <stdio.h>

#include "client/core/chat.h"
#include "client/core/contact.h"
#include "client/core/content.h"
#include "unit/client/core/friends.h"

/* ---- tests */

static void test_accepted(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 1);
    befriend(&p);
    person_expect(p.alice, HEARTH_EVENT_CONTACT_ACCEPTED);
    talk(&p, "hello");
    assert_null(hearth_send(&p.alice->account, &p.alice_chat, "caf\xe9")); /* no UTF-8 */
    people_close(&p.all);
}

static void test_removed(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 4);
    befriend(&p);
    talk(&p, "hello");
    uint8_t key[32];
    memcpy(key, p.alice->core->account.user.friendship_key, sizeof key);
    done(p.alice, hearth_contact_remove(&p.alice->account, &p.bob_id));
    person_settle(p.alice);
    assert_int_equal(contact_of(p.alice, &p.bob_id).state, HEARTH_CONTACT_REMOVED);
    assert_memory_not_equal(p.alice->core->account.user.friendship_key, key, sizeof key);
    meet(&p);
    /* the chat is over on both sides, and his token opens nothing: he can't add her to a group */
    struct hearth_op *op = hearth_send(&p.bob->account, &p.bob_chat, "are you there?");
    assert_true(op == NULL || person_op(p.bob, op) != HEARTH_DONE);
    struct hearth_op *group = hearth_group_create(&p.bob->account, "trap");
    struct hearth_id chat = hearth_op_id(group);
    done(p.bob, group);
    op = hearth_group_add(&p.bob->account, &chat, &p.alice_id, 1);
    assert_true(op == NULL || person_op(p.bob, op) != HEARTH_DONE);
    /* asked again, they are friends as before */
    befriend(&p);
    talk(&p, "again");
    people_close(&p.all);
}

static void test_profile(void **state)
{
    static struct pair p;
    uint8_t picture[3000];
    (void)state;
    pair_init(&p, 5);
    befriend(&p);
    memset(picture, 0xAB, sizeof picture);
    done(p.alice,
         hearth_profile_set(&p.alice->account, "Alice in Wonderland", picture, sizeof picture));
    meet(&p);
    assert_string_equal(contact_of(p.bob, &p.alice_id).name, "Alice in Wonderland");
    done(p.alice, hearth_profile_set(&p.alice->account, "Alice", NULL, 0));
    meet(&p);
    assert_string_equal(contact_of(p.bob, &p.alice_id).name, "Alice");
    people_close(&p.all);
}

static void test_safety(void **state)
{
    static struct pair p;
    struct hearth_safety a, b;
    (void)state;
    pair_init(&p, 6);
    befriend(&p);
    assert_true(hearth_safety_number(&p.alice->account, &p.bob_id, &a));
    assert_true(hearth_safety_number(&p.bob->account, &p.alice_id, &b));
    assert_string_equal(a.digits, b.digits);
    assert_int_equal(strlen(a.digits), 12 * 6 - 1);
    assert_int_equal(hearth_safety_compare(&p.alice->account, &p.bob_id, b.qr, b.qr_bytes),
                     HEARTH_DONE);
    b.qr[1] ^= 1; /* he shows other keys of his */
    assert_int_equal(hearth_safety_compare(&p.alice->account, &p.bob_id, b.qr, b.qr_bytes),
                     HEARTH_UNVERIFIED);
    assert_true(hearth_contact_set_compared(&p.alice->account, &p.bob_id, true));
    assert_true(contact_of(p.alice, &p.bob_id).compared);
    people_close(&p.all);
}

static void test_refused(void **state)
{
    static struct pair p;
    struct hearth_contact gone;
    (void)state;
    pair_init(&p, 2);
    ask(&p);
    done(p.bob, hearth_contact_refuse(&p.bob->account, &p.alice_id));
    assert_false(hearth_contact_get(&p.bob->account, &p.alice_id, &gone));
    person_sync(p.alice);
    person_settle(p.alice);
    person_expect(p.alice, HEARTH_EVENT_CONTACT_REFUSED);
    assert_int_equal(contact_of(p.alice, &p.bob_id).state, HEARTH_CONTACT_REFUSED);
    /* nothing hinders asking again */
    befriend(&p);
    people_close(&p.all);
}

static void test_nobody(void **state)
{
    static struct pair p;
    struct hearth_contact gone;
    (void)state;
    pair_init(&p, 3);
    struct hearth_op *op = hearth_contact_add(&p.alice->account, "nobody@a.test");
    assert_non_null(op);
    struct hearth_id id = hearth_op_id(op);
    assert_int_not_equal(person_op(p.alice, op), HEARTH_DONE);
    person_settle(p.alice);
    assert_false(hearth_contact_get(&p.alice->account, &id, &gone));
    assert_null(hearth_contact_add(&p.alice->account, "not a handle"));
    assert_null(hearth_contact_add(&p.alice->account, "alice@a.test"));
    people_close(&p.all);
}

/* ---- what a server, or a friend, may bring instead */

struct rubbish {
    struct pair *p;
    unsigned tasks;
};

static struct err bring_to_bob(struct core *c, struct db_txn *t, void *arg)
{
    static const uint8_t hash[32] = {1}, sealed[4096] = {2};
    (void)arg;
    TRY(contact_offer(c, t, "bob@a.test", bytes_of(hash, sizeof hash), bytes_of(sealed, 4096)));
    TRY(contact_offer(c, t, "bob@a.test", bytes_of(hash, 5), bytes_of(sealed, 100)));
    return contact_offer(c, t, "bob@a.test", bytes_of(hash, sizeof hash), bytes_of(NULL, 0));
}

static struct err bring_refusal(struct core *c, struct db_txn *t, void *arg)
{
    static const uint8_t sealed[1024] = {3};
    const struct rubbish *r = arg;
    struct contact contact = {0};
    struct open_chat *chat;
    TRY(contact_get(c, t, &r->p->bob_id, &contact));
    struct err err = chat_open(c, t, &contact.chat, &chat);
    contact_clear(&contact);
    TRY(err);
    return contact_refused(c, t, &chat->chat, bytes_of(sealed, sizeof sealed));
}

static struct err bring_content(struct core *c, struct db_txn *t, void *arg)
{
    static const uint8_t junk[200] = {0x40, 0xFF, 9};
    static const uint16_t kinds[] = {CONTENT_FRIENDSHIP, CONTENT_KEY_SET, CONTENT_PROFILE, 77};
    const struct rubbish *r = arg;
    for (size_t i = 0; i < 4; i++)
        for (size_t len = 0; len <= sizeof junk; len += 40)
            TRY(contact_content(c, t, &r->p->alice_id, kinds[i], bytes_of(junk, len)));
    return ERR_OK;
}

static void test_rubbish(void **state)
{
    static struct pair p;
    struct rubbish r = {.p = &p};
    (void)state;
    pair_init(&p, 7);
    person_step(p.bob, bring_to_bob, &r);
    person_settle(p.bob);
    assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_CONTACT_ASKS), 0);
    ask(&p);
    /* a refusal that nobody made who has the offer */
    person_step(p.alice, bring_refusal, &r);
    person_expect(p.alice, HEARTH_EVENT_UNVERIFIED);
    assert_int_equal(contact_of(p.alice, &p.bob_id).state, HEARTH_CONTACT_ASKED);
    done(p.bob, hearth_contact_accept(&p.bob->account, &p.alice_id));
    /* a second answer comes too late */
    assert_null(hearth_contact_refuse(&p.bob->account, &p.alice_id));
    assert_null(hearth_contact_accept(&p.bob->account, &p.alice_id));
    meet(&p);
    p.alice_chat = contact_of(p.alice, &p.bob_id).chat;
    p.bob_chat = contact_of(p.bob, &p.alice_id).chat;
    /* keys of hers that can't be read, or do not follow: told, and nothing changes */
    (void)person_count_events(p.bob, HEARTH_EVENT_UNVERIFIED);
    person_step(p.bob, bring_content, &r);
    assert_true(person_count_events(p.bob, HEARTH_EVENT_UNVERIFIED) > 0);
    assert_false(contact_of(p.bob, &p.alice_id).changed);
    talk(&p, "still friends");
    people_close(&p.all);
}

/* Both ask before either has heard of the other. */
struct rows {
    unsigned all, friends;
    struct hearth_id chat, id;
};

static bool count_row(const struct hearth_contact *contact, void *arg)
{
    struct rows *rows = arg;
    rows->all++;
    rows->friends += contact->state == HEARTH_CONTACT_FRIEND;
    rows->chat = contact->chat;
    rows->id = contact->id;
    return true;
}

static struct rows rows_of(struct person *p)
{
    struct rows rows = {0};
    assert_true(hearth_contact_each(&p->account, count_row, &rows));
    return rows;
}

static void accept_who_asks(struct person *p)
{
    struct hearth_event event;
    while (hearth_event_next(&p->account, &event)) {
        struct hearth_op *op = event.kind == HEARTH_EVENT_CONTACT_ASKS
                                   ? hearth_contact_accept(&p->account, &event.contact)
                                   : NULL;
        if (op != NULL)
            hearth_op_detach(op);
        (void)hearth_event_taken(&p->account, event.number);
    }
}

static void ask_each_other(struct pair *p, uint64_t seed, bool alice_accepts, bool bob_accepts)
{
    pair_init(p, seed);
    done(p->alice, hearth_contact_add(&p->alice->account, "bob@a.test"));
    done(p->bob, hearth_contact_add(&p->bob->account, "alice@a.test"));
    for (int round = 0; round < 3; round++) {
        person_sync(p->alice);
        person_sync(p->bob);
        if (alice_accepts)
            accept_who_asks(p->alice);
        if (bob_accepts)
            accept_who_asks(p->bob);
        meet(p);
    }
    struct rows alice = rows_of(p->alice), bob = rows_of(p->bob);
    assert_int_equal(alice.all, 1);
    assert_int_equal(bob.all, 1);
    assert_int_equal(alice.friends, 1);
    assert_int_equal(bob.friends, 1);
    assert_string_equal(contact_of(p->alice, &alice.id).handle, "bob@a.test");
    p->alice_chat = alice.chat;
    p->bob_chat = bob.chat;
    p->bob_id = alice.id;
    p->alice_id = bob.id;
}

static void test_ask_each_other(void **state)
{
    static struct pair p;
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        ask_each_other(&p, 400 + i, i % 3 != 1, i % 3 != 2);
        talk(&p, "you too?"); /* in the same chat, whichever it was */
        people_close(&p.all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nobody),   cmocka_unit_test(test_rubbish),
        cmocka_unit_test(test_removed),  cmocka_unit_test(test_profile),
        cmocka_unit_test(test_safety),   cmocka_unit_test(test_ask_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
