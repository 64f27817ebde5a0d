/* Offers that wait for our handles: heard by a sync and by a listener, once. */
#include <stdio.h>

#include "client/core/handle.h"
#include "client/core/queue.h"
#include "client/core/task.h"
#include "support/people/people.h"

static void ask(struct person *by, const char *handle)
{
    if (person_op(by, hearth_contact_add(&by->account, handle)) != HEARTH_DONE)
        fail_msg("%s can't ask: %s", by->name, by->error.text);
}

static void test_heard_by_a_sync(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    person_register(alice, "alice");
    person_register(bob, "bob");
    ask(bob, "alice@a.test");
    person_sync(alice);
    person_settle(alice);
    assert_int_equal(person_count_events(alice, HEARTH_EVENT_CONTACT_ASKS), 1);
    person_sync(alice);
    person_settle(alice);
    assert_int_equal(person_count_events(alice, HEARTH_EVENT_CONTACT_ASKS), 0);
    people_close(&all);
}

/* Attempts follow each other until the log has answered: the handle is hashed by the first, and by
 * nobody whose own it is. */
static void test_hashed_once(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    person_register(alice, "alice");
    person_register(bob, "bob");
    unsigned long before = people_argon2();
    ask(bob, "alice@a.test");
    assert_int_equal(people_argon2() - before, 1);
    person_sync(alice);
    person_settle(alice);
    assert_int_equal(person_count_events(alice, HEARTH_EVENT_CONTACT_ASKS), 1);
    assert_int_equal(people_argon2() - before, 1);
    people_close(&all);
}

static void test_heard_while_listening(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    person_register(alice, NULL);
    person_register(bob, "bob");
    assert_ok(queue_listen(alice->core));
    people_run_ms(&all, 1000);
    /* a handle that is taken meanwhile is listened to as well */
    assert_int_equal(person_op(alice, hearth_handle_add(&alice->account, "alice")), HEARTH_DONE);
    people_run_ms(&all, 1000);
    ask(bob, "alice@a.test");
    people_run_ms(&all, 5000);
    assert_int_equal(person_count_events(alice, HEARTH_EVENT_CONTACT_ASKS), 1);
    queue_listen_stop(alice->core);
    people_close(&all);
}

static void test_killed_while_hearing(void **state)
{
    (void)state;
    bool killed = true;
    uint64_t n = 0;
    while (killed) {
        struct people all;
        people_init(&all, ++n);
        struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
        person_register(alice, "alice");
        person_register(bob, "bob");
        ask(bob, "alice@a.test");
        person_kill_at(alice, n);
        person_sync(alice);
        person_settle(alice);
        killed = alice->lives > 1;
        assert_int_equal(person_count_events(alice, HEARTH_EVENT_CONTACT_ASKS), 1);
        people_close(&all);
        assert_true(n < 50);
    }
    assert_true(n > 3);
}

static struct err count_used(void *arg, const struct handle_row *row)
{
    *(uint32_t *)arg += row->packages_used;
    return ERR_OK;
}

static struct err look_used(struct core *c, struct db_txn *t, void *arg)
{
    return handle_each(c, t, count_used, arg);
}

/* More people than there are packages. */
static void test_packages_are_replenished(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice");
    person_register(alice, "alice");
    unsigned asked = 0;
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 7; i++) {
            struct person *p = person_new(&all, "somebody");
            char handle[16];
            (void)snprintf(handle, sizeof handle, "somebody%u", ++asked);
            person_register(p, handle);
            ask(p, "alice@a.test");
            people_leave(p);
        }
        person_sync(alice);
        person_settle(alice);
    }
    assert_int_equal(person_count_events(alice, HEARTH_EVENT_CONTACT_ASKS), asked);
    uint32_t used = 0;
    person_step(alice, look_used, &used);
    assert_true(used < asked); /* the others were of a batch before */
    people_close(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heard_by_a_sync),
        cmocka_unit_test(test_hashed_once),
        cmocka_unit_test(test_heard_while_listening),
        cmocka_unit_test(test_killed_while_hearing),
        cmocka_unit_test(test_packages_are_replenished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
