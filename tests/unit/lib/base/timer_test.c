#include "base/rng.h"
#include "base/timer.h"
#include "support/test.h"

enum { MANY = 500 };

struct probe {
    struct timer timer;
    uint64_t *clock;
    int fired;
};

static uint64_t last_due_us;

static void on_fire(struct timer *timer)
{
    struct probe *p = (struct probe *)timer;
    assert_false(timer_armed(timer));
    assert_true(timer->due_us >= last_due_us);
    last_due_us = timer->due_us;
    p->fired++;
}

static void fires_in_order_after_arming_moving_and_disarming(void **state)
{
    (void)state;
    static struct probe probes[MANY];
    struct timers t = {0};
    struct rng_seeded r;
    rng_seeded_init(&r, 1);
    memset(probes, 0, sizeof probes);
    int disarmed = 0;
    for (int i = 0; i < MANY; i++) {
        probes[i].timer.fire = on_fire;
        assert_ok(timers_arm(&t, &probes[i].timer, rng_seeded_next(&r) % 1000));
    }
    for (int i = 0; i < MANY; i += 3)
        assert_ok(timers_arm(&t, &probes[i].timer, rng_seeded_next(&r) % 1000));
    for (int i = 0; i < MANY; i += 7) {
        timers_disarm(&t, &probes[i].timer);
        timers_disarm(&t, &probes[i].timer);
        disarmed++;
    }
    last_due_us = 0;
    timers_run(&t, 500, 0);
    assert_true(timers_next_due_us(&t) > 500);
    timers_run(&t, 1000, 0);
    assert_int_equal(timers_next_due_us(&t), UINT64_MAX);
    int fired = 0;
    for (int i = 0; i < MANY; i++)
        fired += probes[i].fired;
    assert_int_equal(fired, MANY - disarmed);
    timers_clear(&t);
}

static void bounded_run_and_clear_leave_no_trace(void **state)
{
    (void)state;
    struct probe a = {.timer.fire = on_fire}, b = {.timer.fire = on_fire};
    struct timers t = {0};
    last_due_us = 0;
    assert_ok(timers_arm(&t, &a.timer, 1));
    assert_ok(timers_arm(&t, &b.timer, 2));
    timers_run(&t, 10, 1);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    timers_clear(&t);
    assert_false(timer_armed(&b.timer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_in_order_after_arming_moving_and_disarming),
        cmocka_unit_test(bounded_run_and_clear_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
