/* Our own next batch: ready when its turn comes, and never before what it must follow. */
#include "support/courier/courier_world.h"

enum { MESSAGES = 20, ROWS = MESSAGES * (REFS - 1) }; /* some five batches */

static struct cworld *start(uint64_t seed)
{
    static struct cworld w;
    static struct putting p;
    world_new(&w, seed);
    world_open(&w);
    w.places[0].mood = HANGS;
    accept_steps_checks = 0;
    for (int i = 0; i < MESSAGES; i++) {
        putting_begin(&p, &w);
        for (uint32_t ref = 1; ref < REFS; ref++)
            putting_to(&p, 0, ref, false, 0);
        putting_end(&p);
    }
    return &w;
}

static void assert_all_once_in_order(struct cworld *w)
{
    assert_int_equal(place_check(&w->places[0]), ROWS);
    assert_int_equal(w->places[0].repeats, 0);
    assert_int_equal(world_left(w).rows, 0);
    world_close(w);
}

static void one_batch_is_checked_while_another_is_appended(void **state)
{
    (void)state;
    struct cworld *w = start(31);
    world_settle(w);
    unsigned batches = w->places[0].batches;
    assert_int_equal(batches, 1); /* appended: it hangs */
    assert_int_equal(accept_steps_checks, 2);
    world_run_ms(w, 60000);
    assert_int_equal(accept_steps_checks, 2); /* one ahead and no more */
    w->places[0].mood = TAKES;
    release_hanging(w, ERR_OK);
    world_settle(w);
    assert_int_equal(accept_steps_checks, w->places[0].batches); /* none twice */
    assert_all_once_in_order(w);
}

static void what_is_ahead_never_overtakes_a_later(void **state)
{
    (void)state;
    struct cworld *w = start(32);
    w->places[0].later_ref = 5;
    world_settle(w); /* the answer says later of 5, and hangs; the next batch has rows of 5 too */
    assert_int_equal(accept_steps_checks, 2);
    w->places[0].later_ref = 0;
    w->places[0].mood = TAKES;
    release_hanging(w, ERR_OK);
    world_run_ms(w, 60000);
    assert_all_once_in_order(w);
}

static void what_is_ahead_never_overtakes_a_failure(void **state)
{
    (void)state;
    struct cworld *w = start(33);
    world_settle(w);
    w->places[0].mood = FAILS;
    release_hanging(w, ERR(TIMEOUT));
    world_run_ms(w, 1000);
    w->places[0].mood = TAKES;
    world_run_ms(w, 60000);
    assert_int_equal(place_check(&w->places[0]) + w->places[0].repeats, ROWS + BATCH_ROWS);
    assert_int_equal(place_check(&w->places[0]), ROWS); /* in order; the first came before */
    assert_int_equal(world_left(w).rows, 0);
    world_close(w);
}

static void a_courier_ends_with_one_ahead(void **state)
{
    (void)state;
    struct cworld *w = start(34);
    world_settle(w);
    assert_int_equal(accept_steps_checks, 2);
    world_kill(w, false, 0);
    w->places[0].mood = TAKES;
    world_open(w);
    world_run_ms(w, 60000);
    assert_int_equal(place_check(&w->places[0]), ROWS);
    assert_int_equal(world_left(w).rows, 0);
    world_close(w);
}

/* One turn of the loop or the store. */
static bool step(struct cworld *w)
{
    return loop_step(w->loop) || store_turn(w->store);
}

static void what_is_ahead_and_can_not_be_checked(void **state)
{
    (void)state;
    struct cworld *w = start(35);
    while (accept_steps_checks < 2)
        assert_true(step(w));
    accept_faults = (struct accept_faults){.rng = &w->seeded, .fail = 100};
    world_settle(w);
    accept_faults = (struct accept_faults){.rng = NULL};
    assert_int_equal(accept_steps_checks, 2);
    assert_int_equal(accept_steps_live, 0);
    w->places[0].mood = TAKES;
    release_hanging(w, ERR_OK);
    world_settle(w); /* no backoff: the batch before it is fine */
    assert_all_once_in_order(w);
}

/* Reading, checking, appending, with one ahead in each of these: the courier goes while it is
 * there, everything under way comes to its end, and the next one does what is left. */
static void a_courier_ends_after_each_step(void **state)
{
    (void)state;
    for (int steps = 0, more = true; more; steps++) {
        struct cworld *w = start(36);
        w->places[0].mood = steps % 2 == 0 ? HANGS : TAKES;
        w->places[0].at_once = steps % 4 == 1;
        for (int i = 0; i < steps && more; i++)
            more = step(w);
        more = more || steps % 2 == 0; /* what hangs is done soon */
        world_kill(w, false, 0);
        assert_int_equal(accept_steps_live, 0);
        w->places[0].mood = TAKES;
        world_open(w);
        world_run_ms(w, 60000);
        assert_int_equal(place_check(&w->places[0]), ROWS);
        assert_int_equal(world_left(w).rows, 0);
        world_close(w);
        if (!more)
            print_message("%d steps\n", steps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_batch_is_checked_while_another_is_appended),
        cmocka_unit_test(what_is_ahead_never_overtakes_a_later),
        cmocka_unit_test(what_is_ahead_never_overtakes_a_failure),
        cmocka_unit_test(a_courier_ends_with_one_ahead),
        cmocka_unit_test(what_is_ahead_and_can_not_be_checked),
        cmocka_unit_test(a_courier_ends_after_each_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
