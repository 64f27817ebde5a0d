/* Each allocation fails once in turn, also those of store and loop on the courier's behalf: nothing
 * is lost, nothing comes twice in effect, nothing leaks, and the courier goes on. */
#include "support/courier/courier_world.h"
#include "support/failing.h"

static struct cworld w;
static struct putting p;

/* True: an allocation failed. */
static bool run_failing_at(long n)
{
    long before = test_live_allocations();
    world_new(&w, 1);
    world_open(&w);
    size_t peer = world_peer(&w, "peer.test");
    w.places[peer].later_ref = 3;
    for (int i = 0; i < 3; i++) {
        putting_begin(&p, &w);
        for (uint32_t ref = 1; ref < 5; ref++)
            putting_to(&p, ref % 2 == 0 ? 0 : peer, ref, false, 0);
        putting_end(&p);
    }
    test_fail_own_allocation(n);
    world_run_ms(&w, 2000);
    courier_contact(w.courier, bytes_str("peer.test"));
    world_run_ms(&w, 2000);
    bool failed = test_allocation_failed();
    w.places[peer].later_ref = 0;
    world_run_ms(&w, 60000);
    if (getenv("HEARTH_TRACE") != NULL)
        print_message("n %ld: home %zu peer %zu later %llu failures %llu stopped %d\n", n,
                      w.places[0].taken_count, w.places[peer].taken_count,
                      (unsigned long long)courier_stats(w.courier).later,
                      (unsigned long long)courier_stats(w.courier).failures,
                      store_stats(w.store).stopped);
    assert_int_equal(place_check(&w.places[0]) + place_check(&w.places[peer]), 12);
    struct left l = world_left(&w);
    assert_int_equal(l.rows + l.payloads + l.bodies, 0);
    world_close(&w);
    if (n >= 0)
        assert_int_equal(test_live_allocations(), before);
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
    print_message("%ld allocations failed\n", n);
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_when_memory_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
