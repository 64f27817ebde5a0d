/* The overload ladder: up by rungs when it lasts, down by rungs when it is over, no flutter. */
#include "server/front/ladder.h"
#include "support/test.h"

static const struct ladder_marks marks = {.lag_us = 100000, .memory_bytes = 400 << 20};
static struct ladder ladder;
static uint64_t now_us;

static int setup(void **state)
{
    (void)state;
    ladder = (struct ladder){0};
    now_us = 1000000;
    return 0;
}

/* One sample, 100 ms after the one before. */
static enum front_rung lag(uint64_t lag_us)
{
    now_us += 100000;
    return ladder_sample(&ladder, &marks, lag_us, 0, now_us);
}

static enum front_rung memory(uint64_t bytes)
{
    now_us += 100000;
    return ladder_sample(&ladder, &marks, 0, bytes, now_us);
}

static void one_slow_turn_is_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(lag(10000000), FRONT_CALM);
        assert_int_equal(lag(10000000), FRONT_CALM);
        assert_int_equal(lag(99999), FRONT_CALM);
    }
}

static void it_climbs_as_far_as_it_must(void **state)
{
    (void)state;
    static const uint64_t lags_us[] = {100000, 200000, 400000, 800000};
    for (unsigned i = 0; i < 4; i++) {
        (void)setup(NULL);
        for (int n = 0; n < 100; n++)
            (void)lag(lags_us[i]);
        assert_int_equal(ladder.rung, FRONT_CAREFUL + i);
        (void)setup(NULL);
        for (int n = 0; n < 100; n++)
            (void)lag(lags_us[i] - 1);
        assert_int_equal(ladder.rung, FRONT_CALM + i);
        (void)setup(NULL);
        for (int n = 0; n < 100; n++)
            (void)memory(marks.memory_bytes / 10 * (10 + i));
        assert_int_equal(ladder.rung, FRONT_CAREFUL + i);
    }
    (void)setup(NULL);
    for (int n = 1; n <= 12; n++)
        assert_int_equal(lag(UINT64_MAX / 2), n / LADDER_UP);
}

static void it_comes_down_by_rungs(void **state)
{
    (void)state;
    for (int n = 0; n < 100; n++)
        (void)lag(800000);
    assert_int_equal(ladder.rung, FRONT_CLOSED);
    for (int rung = FRONT_CLOSED; rung > FRONT_CALM; rung--) {
        for (int n = 1; n < LADDER_DOWN_US / 100000; n++)
            assert_int_equal(lag(0), rung);
        assert_int_equal(lag(0), rung - 1);
    }
}

static void it_does_not_flutter(void **state)
{
    (void)state;
    unsigned changes = 0;
    enum front_rung before = FRONT_CALM;
    for (int n = 0; n < 1000; n++) {
        enum front_rung rung = lag(n % 2 == 0 ? 110000 : 80000); /* around the mark */
        (void)lag(101000);
        changes += rung != before;
        before = rung;
    }
    assert_true(changes <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_slow_turn_is_nothing, setup),
        cmocka_unit_test_setup(it_climbs_as_far_as_it_must, setup),
        cmocka_unit_test_setup(it_comes_down_by_rungs, setup),
        cmocka_unit_test_setup(it_does_not_flutter, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
