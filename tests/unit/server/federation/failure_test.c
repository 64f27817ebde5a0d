/* Allocations fail once in turn, on both sides of a first delivery: keys are fetched, a batch goes
 * out, is checked, appended, answered. In the end everything is there, once, and nothing leaks. */
#include "support/failing.h"
#include "support/land/land.h"

static struct land land;

/* True: an allocation failed. */
static bool run_failing_at(long n)
{
    long before = test_live_allocations();
    land_init(&land, 1, 2);
    land.homes[0].detour.no_stale = land.homes[1].detour.no_stale = true;
    land_open(&land);
    struct land_ref *to = land_reference(&land, 0, land_client(&land.homes[1]));
    struct land_ref *back = land_reference(&land, 1, land_client(&land.homes[0]));
    assert_true(land_put(&land, &to, 1, false, 1, 100));
    test_fail_own_allocation(n);
    land_run_ms(&land, 3000);
    bool failed = test_allocation_failed();
    for (size_t i = 0; i < 2; i++)
        if (land_home_stopped(&land.homes[i])) {
            land_home_kill(&land.homes[i], false);
            land_home_open(&land.homes[i]);
        }
    assert_true(land_put(&land, &back, 1, false, 1, 100));
    assert_true(land_put(&land, &to, 1, false, 1, 100));
    land_run_ms(&land, 200000);
    assert_int_equal(land_check(&land, false), 3);
    land_close(&land);
    if (n >= 0 && test_live_allocations() != before)
        fail_msg("%ld allocations more than before at n = %ld", test_live_allocations() - before,
                 n);
    return failed;
}

static void nothing_is_lost_when_memory_ends(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    (void)run_failing_at(-1); /* what is allocated once for all */
    long n = 0;
    while (run_failing_at(n))
        n++;
    print_message("allocations 0 to %ld\n", n);
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_when_memory_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
