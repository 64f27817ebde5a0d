/* People who become friends: asked, accepted, refused, removed, across kills. */
#include <stdio.h>

#include "client/core/contact.h"
#include "client/core/safety.h"
#include "support/people/people.h"

struct pair {
    struct people all;
    struct person *alice, *bob;
    struct hearth_id bob_id, alice_id; /* as the other one knows them */
    struct hearth_id alice_chat, bob_chat;
};

static void pair_init(struct pair *p, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    people_init(&p->all, seed);
    p->alice = person_new(&p->all, "alice");
    p->bob = person_new(&p->all, "bob");
    person_register(p->alice, "alice");
    person_register(p->bob, "bob");
    person_settle(p->alice);
    person_settle(p->bob);
}

/* It must go well. */
static void done(struct person *p, struct hearth_op *op)
{
    if (person_op(p, op) != HEARTH_DONE)
        fail_msg("%s: %s: %s: %s", p->name, p->error.name, p->error.text, p->error.cause);
}

static struct hearth_contact contact_of(struct person *p, const struct hearth_id *id)
{
    struct hearth_contact contact;
    assert_true(hearth_contact_get(&p->account, id, &contact));
    return contact;
}

static void ask(struct pair *p)
{
    struct hearth_op *op = hearth_contact_add(&p->alice->account, "bob@a.test");
    assert_non_null(op);
    p->bob_id = hearth_op_id(op);
    done(p->alice, op);
    assert_int_equal(contact_of(p->alice, &p->bob_id).state, HEARTH_CONTACT_ASKED);
    person_sync(p->bob);
    person_settle(p->bob);
    struct hearth_event event = person_expect(p->bob, HEARTH_EVENT_CONTACT_ASKS);
    p->alice_id = event.contact;
    struct hearth_contact alice = contact_of(p->bob, &p->alice_id);
    assert_int_equal(alice.state, HEARTH_CONTACT_ASKS);
    assert_string_equal(alice.handle, "alice@a.test");
}

static void meet(struct pair *p)
{
    for (int i = 0; i < 4; i++) {
        person_settle(p->bob);
        person_sync(p->alice);
        person_settle(p->alice);
        person_sync(p->bob);
    }
}

static void befriend(struct pair *p)
{
    ask(p);
    done(p->bob, hearth_contact_accept(&p->bob->account, &p->alice_id));
    meet(p);
    struct hearth_contact alice = contact_of(p->bob, &p->alice_id);
    struct hearth_contact bob = contact_of(p->alice, &p->bob_id);
    assert_int_equal(alice.state, HEARTH_CONTACT_FRIEND);
    assert_int_equal(bob.state, HEARTH_CONTACT_FRIEND);
    assert_int_equal(bob.devices, 1);
    p->alice_chat = bob.chat;
    p->bob_chat = alice.chat;
}

/* ---- what is said */

static bool has_text(const struct hearth_message *message, void *arg)
{
    const char **want = arg;
    if (!message->own && strcmp(message->text, *want) == 0 && message->sender_verified)
        *want = NULL;
    return *want != NULL;
}

static void assert_hears(struct person *p, const struct hearth_id *chat, const char *text)
{
    const char *want = text;
    person_sync(p);
    person_settle(p);
    assert_true(hearth_message_each(&p->account, chat, 1, 0, has_text, &want));
    if (want != NULL)
        fail_msg("%s did not hear %s", p->name, text);
}

static void talk(struct pair *p, const char *text)
{
    done(p->alice, hearth_send(&p->alice->account, &p->alice_chat, text));
    assert_hears(p->bob, &p->bob_chat, text);
    done(p->bob, hearth_send(&p->bob->account, &p->bob_chat, text));
    assert_hears(p->alice, &p->alice_chat, text);
}

/* ---- tests */

static void test_accepted(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 1);
    befriend(&p);
    person_expect(p.alice, HEARTH_EVENT_CONTACT_ACCEPTED);
    talk(&p, "hello");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
