/* Becoming a user, and ceasing to be one, against the whole server. */
#include <stdio.h>

#include "client/core/handle.h"
#include "client/core/homeserver.h"
#include "client/core/queue.h"
#include "client/core/register.h"
#include "client/core/renew.h"
#include "client/core/task.h"
#include "client/core/unregister.h"
#include "support/people/people.h"

struct wish {
    struct register_wish wish;
    uint64_t task;
    struct err err;
};

static struct err begin(struct core *c, struct db_txn *t, void *arg)
{
    struct wish *w = arg;
    return register_begin(c, t, &w->wish, &w->task);
}

static void test_invited(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice");
    person_register(alice, "alice");
    assert_int_equal(town_users(all.town), 1);
    const struct account *a = &alice->core->account;
    assert_string_equal(a->domain, TOWN_DOMAIN);
    assert_true(account_credential_end(a) > clock_unix_ms(town_clock(all.town)) / 1000);
    /* the whole of it is in the file */
    person_stop(alice);
    person_start(alice);
    assert_true(alice->core->account.registered);
    assert_true(alice->core->account.credential.len > 0);
    struct wish again = {.wish = {.domain = TOWN_DOMAIN}};
    assert_err(core_step(alice->core, begin, &again), WRONG_STATE);
    people_close(&all);
}

static enum hearth_result try_to(struct person *p, const struct register_wish *wish)
{
    struct wish w = {.wish = *wish};
    person_step(p, begin, &w);
    return person_task(p, w.task);
}

/* The process goes with each of the steps in turn, before what the step led to has left. */
static void test_killed_at_every_step(void **state)
{
    (void)state;
    uint64_t steps = 100;
    for (uint64_t n = 1; n <= steps; n++) {
        struct people all;
        people_init(&all, n);
        struct person *alice = person_new(&all, "alice");
        person_kill_at(alice, n);
        person_register(alice, "alice");
        person_settle(alice);
        if (alice->lives == 1)
            steps = 0; /* it takes no more of them */
        assert_int_equal(town_users(all.town), 1);
        assert_int_equal(town_handles(all.town), 1);
        /* all of it works */
        person_sync(alice);
        people_close(&all);
        assert_true(n < 60);
        if (steps == 0)
            assert_true(n > 10);
    }
}

/* The server, likewise. */
static void test_server_killed(void **state)
{
    (void)state;
    for (long n = 1; n < 200; n += 7) {
        struct people all;
        people_init(&all, (uint64_t)n);
        struct person *alice = person_new(&all, "alice");
        town_kill_in_steps(all.town, n);
        person_register(alice, "alice");
        assert_int_equal(town_users(all.town), 1);
        assert_int_equal(town_handles(all.town), 1);
        people_close(&all);
    }
}

static void test_puzzle(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    const struct register_wish wish = {.domain = TOWN_DOMAIN};
    assert_int_equal(try_to(alice, &wish), HEARTH_REFUSED);
    assert_string_equal(alice->error.text, "this homeserver wants an invitation");
    assert_string_equal(alice->core->account.domain, "");
    town_open_registration(all.town, 12);
    assert_int_equal(try_to(alice, &wish), HEARTH_DONE);
    /* killed while it is solved */
    struct wish w = {.wish = wish};
    person_step(bob, begin, &w);
    people_run_ms(&all, 0);
    person_kill(bob);
    person_start(bob);
    person_settle(bob);
    assert_true(bob->core->account.registered);
    assert_int_equal(town_users(all.town), 2);
    people_close(&all);
}

static void test_wrong_root(void **state)
{
    (void)state;
    struct people all;
    char text[TOWN_INVITATION_BYTES], other[TOWN_INVITATION_BYTES];
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice");
    town_invite(all.town, TOWN_DOMAIN, text);
    /* the last letters are of the root's fingerprint */
    (void)snprintf(other, sizeof other, "%s", text);
    char *last = other + strlen(other) - 4;
    *last = *last == '7' ? '8' : '7';
    assert_int_equal(try_to(alice, &(struct register_wish){.invitation = other}),
                     HEARTH_UNVERIFIED);
    assert_int_equal(town_users(all.town), 0);
    /* nothing of it stays in the way */
    assert_int_equal(try_to(alice, &(struct register_wish){.invitation = text}), HEARTH_DONE);
    /* an invitation is good once */
    struct person *bob = person_new(&all, "bob");
    assert_int_equal(try_to(bob, &(struct register_wish){.invitation = text}), HEARTH_REFUSED);
    assert_int_equal(bob->error.grpc, HEARTH_PERMISSION_DENIED);
    struct wish w = {.wish = {.invitation = "nonsense"}};
    assert_err(core_step(bob->core, begin, &w), ARGUMENT);
    w.wish = (struct register_wish){.domain = TOWN_DOMAIN, .root_pin = "12"};
    assert_err(core_step(bob->core, begin, &w), ARGUMENT);
    w.wish = (struct register_wish){.domain = "not a domain"};
    assert_err(core_step(bob->core, begin, &w), DOMAIN);
    w.wish = (struct register_wish){.domain = TOWN_DOMAIN, .handle = "9"};
    assert_err(core_step(bob->core, begin, &w), ARGUMENT);
    people_close(&all);
}

static void test_handle_taken(void **state)
{
    (void)state;
    struct people all;
    char text[TOWN_INVITATION_BYTES];
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    person_register(alice, "alice");
    town_invite(all.town, TOWN_DOMAIN, text);
    const struct register_wish wish = {.invitation = text, .handle = "alice"};
    assert_int_equal(try_to(bob, &wish), HEARTH_FAILED);
    assert_string_equal(bob->error.name, "HANDLE");
    assert_true(bob->core->account.registered);
    people_close(&all);
}

/* ---- the credential */

static void test_renewed(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    person_register(alice, "alice");
    person_register(bob, NULL);
    uint64_t end = account_credential_end(&alice->core->account);
    person_stop(bob);
    town_sleep_days(all.town, 40);
    people_run_ms(&all, 5000);
    assert_true(account_credential_end(&alice->core->account) == end); /* not yet */
    town_rotate_signing(all.town, TOWN_DOMAIN);
    town_sleep_days(all.town, 25);
    people_run_ms(&all, 5000);
    person_settle(alice);
    uint64_t renewed = account_credential_end(&alice->core->account);
    assert_true(renewed > end);
    /* who was away does it when he comes back */
    person_start(bob);
    people_run_ms(&all, 5000);
    person_settle(bob);
    assert_true(account_credential_end(&bob->core->account) > end);
    /* it is the one in the file, and it works */
    person_stop(alice);
    person_start(alice);
    assert_true(account_credential_end(&alice->core->account) == renewed);
    person_sync(alice);
    assert_int_equal(person_count_events(alice, HEARTH_EVENT_UNVERIFIED), 0);
    people_close(&all);
}

/* ---- the end */

static struct err begin_end(struct core *c, struct db_txn *t, void *arg)
{
    return unregister_begin(c, t, arg);
}

static void test_unregistered(void **state)
{
    (void)state;
    uint64_t steps = 100;
    for (uint64_t n = 0; n <= steps; n++) {
        struct people all;
        uint64_t task;
        people_init(&all, n);
        struct person *alice = person_new(&all, "alice");
        person_register(alice, "alice");
        person_kill_at(alice, n);
        person_step(alice, begin_end, &task);
        assert_int_equal(person_task(alice, task), HEARTH_DONE);
        person_settle(alice);
        if (n > 0 && alice->lives == 1)
            steps = 0;
        assert_int_equal(town_users(all.town), 0);
        assert_int_equal(town_handles(all.town), 0);
        assert_false(alice->core->account.registered);
        assert_err(core_step(alice->core, begin_end, &task), WRONG_STATE);
        person_stop(alice);
        person_start(alice);
        assert_false(alice->core->account.registered);
        /* and somebody else he may become */
        if (n == 0)
            person_register(alice, NULL);
        people_close(&all);
        assert_true(n < 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invited),       cmocka_unit_test(test_killed_at_every_step),
        cmocka_unit_test(test_server_killed), cmocka_unit_test(test_puzzle),
        cmocka_unit_test(test_wrong_root),    cmocka_unit_test(test_handle_taken),
        cmocka_unit_test(test_renewed),       cmocka_unit_test(test_unregistered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
