/* Two people who are friends, for the tests of this folder: made by asking and accepting. Of one
 * homeserver, or of one each. */
#ifndef TESTS_UNIT_CLIENT_CORE_FRIENDS_H
#define TESTS_UNIT_CLIENT_CORE_FRIENDS_H

#include <stdio.h>

#include "support/people/people.h"

struct pair {
    struct people all;
    struct person *alice, *bob;
    struct hearth_id bob_id, alice_id; /* as the other one knows them */
    struct hearth_id alice_chat, bob_chat;
    struct person *out; /* whose calls are all refused: does not meet */
};

/* A batch that comes before its homeserver is known is told to come again after a second. */
static void let_pass(struct people *all)
{
    if (all->two)
        people_run_ms(all, 3000);
}

/* It must go well. */
__attribute__((unused)) static void done(struct person *p, struct hearth_op *op)
{
    if (person_op(p, op) != HEARTH_DONE)
        fail_msg("%s: %s: %s: %s", p->name, p->error.name, p->error.text, p->error.cause);
}

__attribute__((unused)) static struct hearth_contact contact_of(struct person *p,
                                                                const struct hearth_id *id)
{
    struct hearth_contact contact;
    bool there = hearth_contact_get(&p->account, id, &contact);
    while (!there && p->killed) {
        person_alive(p);
        there = hearth_contact_get(&p->account, id, &contact);
    }
    assert_true(there);
    return contact;
}

static void pair_register(struct pair *p, const char *bobs_domain)
{
    p->alice = person_new(&p->all, "alice");
    p->bob = person_new_at(&p->all, "bob", bobs_domain);
    person_register(p->alice, "alice");
    person_register(p->bob, "bob");
    person_settle(p->alice);
    person_settle(p->bob);
}

__attribute__((unused)) static void pair_init(struct pair *p, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    people_init(&p->all, seed);
    pair_register(p, TOWN_DOMAIN);
}

/* alice@a.test, bob@b.test. */
__attribute__((unused)) static void pair_init_two(struct pair *p, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    people_init_two(&p->all, seed);
    pair_register(p, TOWN_OTHER);
}

__attribute__((unused)) static void ask(struct pair *p)
{
    char handle[64];
    (void)snprintf(handle, sizeof handle, "bob@%s", p->bob->domain);
    struct hearth_op *op = hearth_contact_add(&p->alice->account, handle);
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

/* Everything that anybody of these still has to do and to hear. */
__attribute__((unused)) static void meet(struct pair *p)
{
    for (int round = 0; round < 4; round++) {
        let_pass(&p->all);
        for (size_t i = 0; i < p->all.count; i++)
            if (p->all.all[i].core->account.registered && &p->all.all[i] != p->out) {
                person_sync(&p->all.all[i]);
                person_settle(&p->all.all[i]);
            }
    }
}

__attribute__((unused)) static void befriend(struct pair *p)
{
    ask(p);
    person_alive(p->bob);
    done(p->bob, hearth_contact_accept(&p->bob->account, &p->alice_id));
    meet(p);
    struct hearth_contact alice = contact_of(p->bob, &p->alice_id);
    p->bob_chat = alice.chat;
    assert_int_equal(alice.state, HEARTH_CONTACT_FRIEND);
    struct hearth_contact bob = contact_of(p->alice, &p->bob_id);
    assert_int_equal(bob.state, HEARTH_CONTACT_FRIEND);
    assert_int_equal(bob.devices, 1);
    p->alice_chat = bob.chat;
}

/* ---- what is said */

struct hearing {
    const char *text;
    uint64_t number; /* 0: not heard */
    unsigned times;
};

static bool hear_one(const struct hearth_message *message, void *arg)
{
    struct hearing *h = arg;
    if (strcmp(message->text, h->text) == 0) {
        h->number = message->number;
        h->times++;
    }
    return true;
}

/* Once and not again; its number. */
__attribute__((unused)) static uint64_t hears(struct person *p, const struct hearth_id *chat,
                                              const char *text)
{
    struct hearing h = {.text = text};
    let_pass(p->people);
    person_sync(p);
    person_settle(p);
    assert_true(hearth_message_each(&p->account, chat, 1, 0, hear_one, &h));
    if (h.times != 1)
        fail_msg("%s heard %s %u times", p->name, text, h.times);
    return h.number;
}

__attribute__((unused)) static void talk(struct pair *p, const char *text)
{
    char back[100];
    (void)snprintf(back, sizeof back, "%s yourself", text);
    person_alive(p->alice);
    person_alive(p->bob);
    done(p->alice, hearth_send(&p->alice->account, &p->alice_chat, text));
    (void)hears(p->bob, &p->bob_chat, text);
    done(p->bob, hearth_send(&p->bob->account, &p->bob_chat, back));
    (void)hears(p->alice, &p->alice_chat, back);
}

#endif
