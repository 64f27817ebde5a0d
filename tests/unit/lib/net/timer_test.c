/* hearth_timer: on a stepped loop by fake time, on a real one by waiting. */
#include "net/loop.h"
#include "support/test.h"

struct seen {
    struct hearth_timer *timer;
    struct hearth_loop *loop;
    unsigned fired, again;
    bool ends;
};

static void on_fire(void *arg)
{
    struct seen *s = arg;
    s->fired++;
    if (s->again > 0) {
        s->again--;
        assert_true(hearth_timer_set(s->timer, 10));
    }
    if (s->ends)
        hearth_loop_stop(s->loop);
}

static void fires_when_due_and_once(void **state)
{
    (void)state;
    struct clock_fake clock = {.now_us = 1000000};
    struct seen s = {.loop = loop_new_stepped(&clock, NULL)};
    s.timer = hearth_timer_new(s.loop, on_fire, &s);
    assert_non_null(s.timer);
    assert_true(hearth_timer_set(s.timer, 50));
    loop_run_until(s.loop, clock.now_us + 49999);
    assert_int_equal(s.fired, 0);
    loop_run_until(s.loop, clock.now_us + 1);
    assert_int_equal(s.fired, 1);
    loop_run_until(s.loop, clock.now_us + 1000000);
    assert_int_equal(s.fired, 1);
    s.again = 3;
    assert_true(hearth_timer_set(s.timer, 500)); /* moved to sooner, then set anew by itself */
    assert_true(hearth_timer_set(s.timer, 10));
    loop_run_until(s.loop, clock.now_us + 39999);
    assert_int_equal(s.fired, 4);
    loop_run_until(s.loop, clock.now_us + 1);
    assert_int_equal(s.fired, 5);
    assert_true(hearth_timer_set(s.timer, 10));
    hearth_timer_stop(s.timer);
    loop_run_until(s.loop, clock.now_us + 1000000);
    assert_int_equal(s.fired, 5);
    assert_true(hearth_timer_set(s.timer, 10));
    hearth_timer_free(s.timer); /* while set */
    loop_run_until(s.loop, clock.now_us + 1000000);
    assert_int_equal(s.fired, 5);
    hearth_timer_free(NULL);
    hearth_loop_free(s.loop);
}

static void works_on_a_real_loop(void **state)
{
    (void)state;
    struct seen s = {.loop = hearth_loop_new(NULL), .again = 2, .ends = false};
    s.timer = hearth_timer_new(s.loop, on_fire, &s);
    struct seen end = {.loop = s.loop, .ends = true};
    end.timer = hearth_timer_new(s.loop, on_fire, &end);
    assert_true(hearth_timer_set(end.timer, 100));
    assert_true(hearth_timer_set(s.timer, 1)); /* sooner than what the loop waits for */
    hearth_loop_run(s.loop);
    assert_int_equal(s.fired, 3);
    hearth_timer_free(s.timer);
    hearth_timer_free(end.timer);
    hearth_loop_free(s.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_when_due_and_once),
        cmocka_unit_test(works_on_a_real_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
