/* People of two homeservers: what friends and groups do when those who take part live elsewhere. */
#include <sys/stat.h>
#include <unistd.h>

#include "client/core/chat.h"
#include "client/core/contact.h"
#include "client/core/content.h"
#include "client/core/homeserver.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "hearth/v1/info.pb-c.h"
#include "seal/friendship.h"
#include "unit/client/core/linking.h"

/* ---- two of them */

static void test_friends(void **state)
{
    static struct pair p;
    (void)state;
    pair_init_two(&p, 1);
    befriend(&p);
    person_expect(p.alice, HEARTH_EVENT_CONTACT_ACCEPTED);
    talk(&p, "hello");
    struct hearth_safety a, b;
    assert_true(hearth_safety_number(&p.alice->account, &p.bob_id, &a));
    assert_true(hearth_safety_number(&p.bob->account, &p.alice_id, &b));
    assert_string_equal(a.digits, b.digits);
    people_close(&p.all);
}

static void test_killed(void **state)
{
    static struct pair p;
    unsigned lives = 0;
    (void)state;
    for (unsigned at = 1; at < 24; at += 3) {
        pair_init_two(&p, 100 + at);
        person_kill_at(at % 2 == 0 ? p.alice : p.bob, at);
        befriend(&p);
        talk(&p, "still here");
        assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_CONTACT_ASKS), 0); /* not twice */
        lives += p.alice->lives + p.bob->lives;
        people_close(&p.all);
    }
    print_message("%u lives\n", lives);
    assert_true(lives > 8 * 2 + 4);
}

static void test_refused(void **state)
{
    static struct pair p;
    (void)state;
    pair_init_two(&p, 2);
    ask(&p);
    done(p.bob, hearth_contact_refuse(&p.bob->account, &p.alice_id));
    person_sync(p.alice);
    person_settle(p.alice);
    person_expect(p.alice, HEARTH_EVENT_CONTACT_REFUSED);
    befriend(&p);
    people_close(&p.all);
}

/* bob is asked while the asker's homeserver can't be reached: the request waits (OFFER); she is
 * accepted while his can't be: she waits to know who he is (JOINED). */
static void test_keys_later(void **state)
{
    static struct pair p;
    (void)state;
    pair_init_two(&p, 3);
    struct hearth_op *op = hearth_contact_add(&p.alice->account, "bob@b.test");
    p.bob_id = hearth_op_id(op);
    done(p.alice, op);
    town_stop_server(p.all.town, TOWN_DOMAIN);
    person_sync(p.bob);
    people_run_ms(&p.all, 5000);
    assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_CONTACT_ASKS), 0);
    person_kill(p.bob); /* and it is remembered */
    person_start(p.bob);
    town_start_server(p.all.town, TOWN_DOMAIN);
    people_run_ms(&p.all, 90000);
    p.alice_id = person_expect(p.bob, HEARTH_EVENT_CONTACT_ASKS).contact;
    done(p.bob, hearth_contact_accept(&p.bob->account, &p.alice_id));
    person_settle(p.bob);
    town_stop_server(p.all.town, TOWN_OTHER);
    person_sync(p.alice);
    people_run_ms(&p.all, 5000);
    struct hearth_contact bob = contact_of(p.alice, &p.bob_id);
    print_message("known before his homeserver answered: %d\n", bob.state == HEARTH_CONTACT_FRIEND);
    person_kill(p.alice);
    person_start(p.alice);
    town_start_server(p.all.town, TOWN_OTHER);
    people_run_ms(&p.all, 90000);
    meet(&p);
    assert_int_equal(contact_of(p.alice, &p.bob_id).state, HEARTH_CONTACT_FRIEND);
    p.alice_chat = contact_of(p.alice, &p.bob_id).chat;
    p.bob_chat = contact_of(p.bob, &p.alice_id).chat;
    talk(&p, "at last");
    people_close(&p.all);
}

/* ---- between two steps: his homeserver's keys have come, but whose contact he is is concluded
 * next */

struct between {
    const struct pair *p;
    bool asked, verified, has_package;
    uint32_t leaf;
};

static struct err look_between(struct core *c, struct db_txn *t, void *arg)
{
    struct between *b = arg;
    struct contact contact = {0};
    struct open_chat *chat;
    TRY(contact_get(c, t, &b->p->bob_id, &contact));
    b->asked = contact.state == HEARTH_CONTACT_ASKED;
    b->has_package = contact.has_package;
    struct err err = chat_open(c, t, &contact.chat, &chat);
    contact_clear(&contact);
    TRY(err);
    b->verified = false;
    for (size_t i = 0; i < chat->roster->count; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        if (!l->own_user) {
            b->verified = l->state == ROSTER_VERIFIED;
            b->leaf = l->leaf;
        }
    }
    return ERR_OK;
}

/* What he said already, so that the test can say it at the worst time. */
static struct err forget_package(struct core *c, struct db_txn *t, void *arg)
{
    const struct between *b = arg;
    struct contact contact = {0};
    TRY(contact_get(c, t, &b->p->bob_id, &contact));
    contact.has_package = false;
    struct err err = contact_put(c, t, &contact);
    contact_clear(&contact);
    return err;
}

static struct err bring_package(struct core *c, struct db_txn *t, void *arg)
{
    static const uint8_t id[16] = {7};
    static const struct friendship friendship = {.friendship_key = {1}};
    const struct between *b = arg;
    struct contact contact = {0};
    struct open_chat *chat;
    struct buf body = BUF_INIT, plain = BUF_INIT;
    friendship_write(&body, &friendship);
    content_write(&plain,
                  &(struct content){.kind = CONTENT_FRIENDSHIP, .id = id, .body = buf_view(&body)});
    TRY(contact_get(c, t, &b->p->bob_id, &contact));
    struct err err = chat_open(c, t, &contact.chat, &chat);
    if (err_is_ok(err))
        err = receive_content(c, t, chat, b->leaf, group_epoch(chat->group), buf_view(&plain), 0,
                              false);
    contact_clear(&contact);
    buf_clear(&body);
    buf_clear(&plain);
    return err;
}

/* What the coming of keys does to the roster, without the turn of the tasks that follows. */
static struct err mark_verified(struct core *c, struct db_txn *t, void *arg)
{
    const struct between *b = arg;
    struct contact contact = {0};
    struct open_chat *chat;
    TRY(contact_get(c, t, &b->p->bob_id, &contact));
    struct err err = chat_open(c, t, &contact.chat, &chat);
    contact_clear(&contact);
    TRY(err);
    for (size_t i = 0; i < chat->roster->count; i++)
        chat->roster->leaves[i].state = ROSTER_VERIFIED;
    chat->roster->changed = true;
    return chat_save(c, t, chat);
}

static void test_between(void **state)
{
    static struct pair p;
    struct between b = {.p = &p};
    (void)state;
    pair_init_two(&p, 12);
    ask(&p);
    done(p.bob, hearth_contact_accept(&p.bob->account, &p.alice_id));
    person_settle(p.bob);
    town_stop_server(p.all.town, TOWN_OTHER);
    person_sync(p.alice);
    person_step(p.alice, forget_package, &b);
    person_step(p.alice, look_between, &b);
    assert_true(b.asked && !b.verified && !b.has_package);
    person_step(p.alice, mark_verified, &b);
    person_step(p.alice, bring_package, &b);
    person_step(p.alice, look_between, &b);
    assert_true(b.asked && b.verified && b.has_package);
    town_start_server(p.all.town, TOWN_OTHER);
    people_close(&p.all);
}

/* The homeservers do not reach each other for a while, and one is killed. */
static void test_parted(void **state)
{
    static struct pair p;
    char text[32];
    (void)state;
    pair_init_two(&p, 4);
    befriend(&p);
    town_part(p.all.town, true);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "from afar %u", i);
        done(p.alice, hearth_send(&p.alice->account, &p.alice_chat, text));
        if (i == 10)
            town_kill_server(p.all.town, TOWN_DOMAIN);
    }
    person_sync(p.bob);
    struct hearing h = {.text = "from afar 0"};
    assert_true(hearth_message_each(&p.bob->account, &p.bob_chat, 1, 0, hear_one, &h));
    assert_int_equal(h.times, 0);
    town_part(p.all.town, false);
    people_run_ms(&p.all, 30000);
    uint64_t last = 0;
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "from afar %u", i);
        uint64_t number = hears(p.bob, &p.bob_chat, text);
        assert_true(number > last); /* in the order in which she wrote */
        last = number;
    }
    talk(&p, "together again");
    people_close(&p.all);
}

static void test_profile(void **state)
{
    static struct pair p;
    uint8_t picture[3000];
    (void)state;
    pair_init_two(&p, 5);
    befriend(&p);
    memset(picture, 0xAB, sizeof picture);
    done(p.alice, hearth_profile_set(&p.alice->account, "Alice of A", picture, sizeof picture));
    done(p.bob, hearth_profile_set(&p.bob->account, "Bob of B", NULL, 0));
    meet(&p);
    assert_string_equal(contact_of(p.bob, &p.alice_id).name, "Alice of A");
    assert_string_equal(contact_of(p.alice, &p.bob_id).name, "Bob of B");
    people_close(&p.all);
}

static void send_file(struct person *from, const struct hearth_id *from_chat, struct person *to,
                      const struct hearth_id *to_chat, const char *folder)
{
    static uint8_t all[2][300000];
    char path[128], copy[128];
    (void)snprintf(path, sizeof path, "%s/letter-of-%s", folder, from->name);
    (void)snprintf(copy, sizeof copy, "%s/copy", folder);
    assert_ok(rng_fill(town_rng(from->people->town), all[0], sizeof all[0]));
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(all[0], 1, sizeof all[0], f), sizeof all[0]);
    assert_int_equal(fclose(f), 0);
    done(from, hearth_file_send(&from->account, from_chat, path));
    person_settle(from);
    uint64_t number = hears(to, to_chat, strrchr(path, '/') + 1);
    done(to, hearth_file_get(&to->account, to_chat, number, copy));
    f = fopen(copy, "rb");
    assert_non_null(f);
    assert_int_equal(fread(all[1], 1, sizeof all[1], f), sizeof all[1]);
    assert_int_equal(fclose(f), 0);
    assert_memory_equal(all[0], all[1], sizeof all[0]);
    unlink(path);
    unlink(copy);
}

static void test_files(void **state)
{
    static struct pair p;
    char folder[] = "/tmp/hearth-across-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    pair_init_two(&p, 6);
    befriend(&p);
    send_file(p.alice, &p.alice_chat, p.bob, &p.bob_chat, folder);
    send_file(p.bob, &p.bob_chat, p.alice, &p.alice_chat, folder);
    people_close(&p.all);
    assert_int_equal(rmdir(folder), 0);
}

static void test_removed(void **state)
{
    static struct pair p;
    (void)state;
    pair_init_two(&p, 7);
    befriend(&p);
    done(p.alice, hearth_contact_remove(&p.alice->account, &p.bob_id));
    person_settle(p.alice);
    meet(&p);
    struct hearth_op *op = hearth_send(&p.bob->account, &p.bob_chat, "are you there?");
    assert_true(op == NULL || person_op(p.bob, op) != HEARTH_DONE);
    struct hearth_op *group = hearth_group_create(&p.bob->account, "trap");
    struct hearth_id chat = hearth_op_id(group);
    done(p.bob, group);
    op = hearth_group_add(&p.bob->account, &chat, &p.alice_id, 1);
    assert_true(op == NULL || person_op(p.bob, op) != HEARTH_DONE);
    befriend(&p);
    talk(&p, "again");
    people_close(&p.all);
}

/* ---- groups: alice@a.test founds them, bob@b.test and carol@b.test come */

struct three {
    struct pair p;
    struct person *carol;
    struct hearth_id carol_id; /* as alice knows her */
    struct hearth_id chat[3];  /* of alice, bob, carol */
};

static void befriend_carol(struct three *t, const char *domain)
{
    struct pair *p = &t->p;
    t->carol = person_new_at(&p->all, "carol", domain);
    person_register(t->carol, "carol");
    struct hearth_op *op = hearth_contact_add(&t->carol->account, "alice@a.test");
    struct hearth_id alice = hearth_op_id(op);
    done(t->carol, op);
    person_sync(p->alice);
    person_settle(p->alice);
    t->carol_id = person_expect(p->alice, HEARTH_EVENT_CONTACT_ASKS).contact;
    done(p->alice, hearth_contact_accept(&p->alice->account, &t->carol_id));
    meet(p);
    assert_int_equal(contact_of(t->carol, &alice).state, HEARTH_CONTACT_FRIEND);
}

static void group_of_three(struct three *t, uint64_t seed, const char *carols_domain)
{
    struct pair *p = &t->p;
    memset(t, 0, sizeof *t);
    pair_init_two(p, seed);
    befriend(p);
    befriend_carol(t, carols_domain);
    struct hearth_op *op = hearth_group_create(&p->alice->account, "garden");
    t->chat[0] = hearth_op_id(op);
    done(p->alice, op);
    const struct hearth_id friends[2] = {p->bob_id, t->carol_id};
    done(p->alice, hearth_group_add(&p->alice->account, &t->chat[0], friends, 2));
    meet(p);
    assert_true(hearth_chat_find(&p->bob->account, "garden", &t->chat[1]));
    assert_true(hearth_chat_find(&t->carol->account, "garden", &t->chat[2]));
}

static struct person *who(struct three *t, size_t i)
{
    return i == 0 ? t->p.alice : i == 1 ? t->p.bob : t->carol;
}

static struct hearth_chat chat_of(struct person *p, const struct hearth_id *id)
{
    struct hearth_chat chat;
    assert_true(hearth_chat_get(&p->account, id, &chat));
    return chat;
}

/* Each of these says something, the others hear it once; all are at one epoch, with nobody in
 * doubt. */
static void group_talk(struct three *t, size_t count, const char *text)
{
    char line[64];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(line, sizeof line, "%s, says %s", text, who(t, i)->name);
        done(who(t, i), hearth_send(&who(t, i)->account, &t->chat[i], line));
        for (size_t k = 0; k < count; k++)
            (void)hears(who(t, k), &t->chat[k], line);
    }
    struct hearth_chat first = chat_of(who(t, 0), &t->chat[0]);
    uint64_t epoch = first.epoch;
    for (size_t i = 0; i < count; i++) {
        struct hearth_chat chat = chat_of(who(t, i), &t->chat[i]);
        assert_int_equal(chat.state, HEARTH_CHAT_OPEN);
        assert_int_equal(chat.epoch, epoch);
        assert_int_equal(chat.members, count);
        assert_int_equal(chat.unverified, 0);
    }
}

struct member_named {
    const char *name;
    struct hearth_member found;
};

static bool find_member(const struct hearth_member *member, void *arg)
{
    struct member_named *m = arg;
    if (strcmp(member->name, m->name) != 0)
        return true;
    m->found = *member;
    return false;
}

static struct hearth_member member_of(struct person *p, const struct hearth_id *chat,
                                      const char *name)
{
    struct member_named m = {.name = name};
    assert_true(hearth_member_each(&p->account, chat, find_member, &m));
    if (m.found.name == NULL)
        fail_msg("%s sees no %s", p->name, name);
    return m.found;
}

static void test_group(void **state)
{
    static struct three t;
    (void)state;
    group_of_three(&t, 8, TOWN_OTHER);
    struct pair *p = &t.p;
    group_talk(&t, 3, "tulips");
    /* an admin who lives elsewhere renames and removes; the group is a.test's all the time */
    struct hearth_op *op = hearth_group_rename(&p->bob->account, &t.chat[1], "orchard");
    assert_true(op == NULL || person_op(p->bob, op) != HEARTH_DONE);
    struct hearth_member bob = member_of(p->alice, &t.chat[0], "bob@b.test");
    done(p->alice, hearth_group_set_admin(&p->alice->account, &t.chat[0], bob.pseudonym, true));
    meet(p);
    assert_true(chat_of(p->bob, &t.chat[1]).admin);
    done(p->bob, hearth_group_rename(&p->bob->account, &t.chat[1], "orchard"));
    meet(p);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(chat_of(who(&t, i), &t.chat[i]).name, "orchard");
    done(t.carol, hearth_group_update(&t.carol->account, &t.chat[2]));
    meet(p);
    group_talk(&t, 3, "apples");
    struct hearth_member alice = member_of(t.carol, &t.chat[2], "alice@a.test");
    done(t.carol,
         hearth_send_to(&t.carol->account, &t.chat[2], alice.pseudonym, "for alice alone"));
    (void)hears(p->alice, &t.chat[0], "for alice alone");
    done(t.carol, hearth_group_leave(&t.carol->account, &t.chat[2]));
    for (int i = 0; i < 3; i++) {
        meet(p);
        people_run_ms(&p->all, 3000);
    }
    assert_int_equal(chat_of(p->bob, &t.chat[1]).members, 2);
    group_talk(&t, 2, "without carol");
    /* he who lives elsewhere removes her who founded it */
    alice = member_of(p->bob, &t.chat[1], "alice@a.test");
    done(p->bob, hearth_group_remove(&p->bob->account, &t.chat[1], alice.pseudonym));
    meet(p);
    assert_int_equal(chat_of(p->alice, &t.chat[0]).state, HEARTH_CHAT_OVER);
    assert_int_equal(chat_of(p->bob, &t.chat[1]).members, 1);
    done(p->bob, hearth_group_delete(&p->bob->account, &t.chat[1]));
    people_close(&p->all);
}

/* A change of the group is under way to bob for a minute, and he has something to say: he waits for
 * it. To join anew would cost him what was said meanwhile. */
static void test_lagging(void **state)
{
    static struct three t;
    char text[32];
    (void)state;
    group_of_three(&t, 13, TOWN_OTHER);
    struct pair *p = &t.p;
    unsigned broken = person_count_events(p->bob, HEARTH_EVENT_CHAT_BROKEN);
    town_part(p->all.town, true);
    for (unsigned i = 0; i < 3; i++) {
        done(p->alice, hearth_group_update(&p->alice->account, &t.chat[0]));
        (void)snprintf(text, sizeof text, "meanwhile %u", i);
        done(p->alice, hearth_send(&p->alice->account, &t.chat[0], text));
    }
    struct hearth_op *op = hearth_send(&p->bob->account, &t.chat[1], "am I late?");
    assert_non_null(op);
    hearth_op_detach(op);
    people_run_ms(&p->all, 60000);
    town_part(p->all.town, false);
    people_run_ms(&p->all, 60000);
    assert_int_equal(person_count_events(p->bob, HEARTH_EVENT_CHAT_BROKEN), broken);
    assert_int_equal(person_count_events(p->bob, HEARTH_EVENT_LOSS), 0);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof text, "meanwhile %u", i);
        (void)hears(p->bob, &t.chat[1], text);
    }
    (void)hears(p->alice, &t.chat[0], "am I late?");
    group_talk(&t, 3, "no");
    people_close(&p->all);
}

/* bob founds a group at home and adds alice, and alice adds her friend carol, whom he does not
 * know. */
static void test_added_by_guest(void **state)
{
    static struct three t;
    (void)state;
    memset(&t, 0, sizeof t);
    struct pair *p = &t.p;
    pair_init_two(p, 9);
    befriend(p);
    befriend_carol(&t, TOWN_DOMAIN);
    struct hearth_op *op = hearth_group_create(&p->bob->account, "cellar");
    t.chat[1] = hearth_op_id(op);
    done(p->bob, op);
    done(p->bob, hearth_group_add(&p->bob->account, &t.chat[1], &p->alice_id, 1));
    meet(p);
    assert_true(hearth_chat_find(&p->alice->account, "cellar", &t.chat[0]));
    struct hearth_member alice = member_of(p->bob, &t.chat[1], "alice@a.test");
    done(p->bob, hearth_group_set_admin(&p->bob->account, &t.chat[1], alice.pseudonym, true));
    meet(p);
    done(p->alice, hearth_group_add(&p->alice->account, &t.chat[0], &t.carol_id, 1));
    meet(p);
    assert_true(hearth_chat_find(&t.carol->account, "cellar", &t.chat[2]));
    group_talk(&t, 3, "wine");
    people_close(&p->all);
}

/* ---- devices */

static void test_device(void **state)
{
    static struct three t;
    struct hearth_id id;
    (void)state;
    group_of_three(&t, 10, TOWN_OTHER);
    struct pair *p = &t.p;
    struct person *phone = person_new_at(&p->all, "phone", TOWN_OTHER);
    link_device(p, p->bob, phone);
    assert_int_equal(contact_of(p->alice, &p->bob_id).devices, 2);
    struct hearth_id there;
    assert_true(hearth_chat_find(&phone->account, "garden", &there));
    done(phone, hearth_send(&phone->account, &there, "from the phone"));
    for (size_t i = 0; i < 3; i++)
        (void)hears(who(&t, i), &t.chat[i], "from the phone");
    struct hearth_id direct = chat_with(phone, "alice@a.test");
    done(p->alice, hearth_send(&p->alice->account, &p->alice_chat, "to both of yours"));
    (void)hears(phone, &direct, "to both of yours");
    (void)hears(p->bob, &p->bob_chat, "to both of yours");
    /* and it is taken away: out of the chats, though they lie elsewhere, and good for nothing */
    assert_true(hearth_device_each(&p->bob->account, first_other, &id));
    p->out = phone;
    done(p->bob, hearth_device_remove(&p->bob->account, &id));
    for (int i = 0; i < 3; i++) {
        meet(p);
        people_run_ms(&p->all, 5000);
    }
    assert_int_equal(contact_of(p->alice, &p->bob_id).devices, 1);
    (void)hearth_send(&phone->account, &there, "I am bob");
    people_run_ms(&p->all, 30000);
    meet(p);
    struct hearing h = {.text = "I am bob"};
    assert_true(hearth_message_each(&p->alice->account, &t.chat[0], 1, 0, hear_one, &h));
    assert_int_equal(h.times, 0);
    group_talk(&t, 3, "three again");
    talk(p, "alone again");
    people_close(&p->all);
}

/* The keys of the other domain are looked at again within a day: who was revoked there is not
 * trusted, though no device of his said so, and those who did not know him hear of it, too. */
static void test_revoked(void **state)
{
    static struct three t;
    (void)state;
    group_of_three(&t, 11, TOWN_DOMAIN);
    struct pair *p = &t.p;
    group_talk(&t, 3, "before");
    town_rotate_signing(p->all.town, TOWN_OTHER); /* and what signs there has changed meanwhile */
    town_remove_user(p->all.town, TOWN_OTHER, p->bob->core->account.user_uuid);
    p->out = p->bob;
    people_run_ms(&p->all, 1000);
    assert_int_equal(chat_of(p->alice, &t.chat[0]).unverified, 0); /* not known yet */
    (void)person_count_events(p->alice, HEARTH_EVENT_UNVERIFIED);
    town_sleep_days(p->all.town, 2);
    people_run_ms(&p->all, 5000);
    meet(p);
    assert_true(person_count_events(p->alice, HEARTH_EVENT_UNVERIFIED) > 0);
    for (size_t i = 0; i < 3; i += 2) {
        assert_int_equal(chat_of(who(&t, i), &t.chat[i]).unverified, 1);
        struct hearth_op *op = hearth_send(&who(&t, i)->account, &t.chat[i], "psst");
        assert_true(op == NULL || person_op(who(&t, i), op) == HEARTH_UNVERIFIED);
    }
    struct hearth_member bob = member_of(p->alice, &t.chat[0], "bob@b.test");
    assert_false(bob.verified);
    done(p->alice, hearth_group_remove(&p->alice->account, &t.chat[0], bob.pseudonym));
    meet(p);
    assert_int_equal(chat_of(t.carol, &t.chat[2]).unverified, 0);
    done(t.carol, hearth_send(&t.carol->account, &t.chat[2], "just us"));
    (void)hears(p->alice, &t.chat[0], "just us");
    people_close(&p->all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_friends),        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_keys_later),
        cmocka_unit_test(test_between),        cmocka_unit_test(test_parted),
        cmocka_unit_test(test_profile),        cmocka_unit_test(test_files),
        cmocka_unit_test(test_removed),        cmocka_unit_test(test_group),
        cmocka_unit_test(test_added_by_guest), cmocka_unit_test(test_device),
        cmocka_unit_test(test_revoked),        cmocka_unit_test(test_lagging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
