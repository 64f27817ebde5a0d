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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
