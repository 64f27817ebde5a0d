/* Prices under load: up at once, down slowly, the same for everybody. */
#include "server/front/price.h"
#include "support/test.h"

enum { WAIT_US = 1000 };

static void a_rung_is_a_level(void **state)
{
    (void)state;
    assert_int_equal(price_wanted(FRONT_CALM, 0, WAIT_US), 0);
    assert_int_equal(price_wanted(FRONT_CAREFUL, 0, WAIT_US), 1);
    assert_int_equal(price_wanted(FRONT_GUARDED, 0, WAIT_US), 2);
    assert_int_equal(price_wanted(FRONT_NARROW, 0, WAIT_US), 3);
    assert_int_equal(price_wanted(FRONT_CLOSED, UINT64_MAX, WAIT_US), 3);
}

static void so_are_slow_calls(void **state)
{
    (void)state;
    assert_int_equal(price_wanted(FRONT_CALM, WAIT_US - 1, WAIT_US), 0);
    assert_int_equal(price_wanted(FRONT_CALM, WAIT_US, WAIT_US), 1);
    assert_int_equal(price_wanted(FRONT_CALM, 2 * WAIT_US, WAIT_US), 2);
    assert_int_equal(price_wanted(FRONT_CALM, 100 * WAIT_US, WAIT_US), 3);
    assert_int_equal(price_wanted(FRONT_GUARDED, WAIT_US, WAIT_US), 2); /* the higher of the two */
}

static void up_at_once_and_down_slowly(void **state)
{
    (void)state;
    struct price p = {0};
    p = price_next(p, 3, 1000);
    assert_int_equal(p.level, 3);
    p = price_next(p, 0, 1000 + PRICE_HOLD_MS - 1);
    assert_int_equal(p.level, 3);
    p = price_next(p, 0, 1000 + PRICE_HOLD_MS);
    assert_int_equal(p.level, 2);
    p = price_next(p, 2, 1000 + PRICE_HOLD_MS + 20000); /* asked for again: it holds again */
    p = price_next(p, 0, 1000 + 2 * PRICE_HOLD_MS + 10000);
    assert_int_equal(p.level, 2);
    p = price_next(p, 0, 1000 + 2 * PRICE_HOLD_MS + 20000);
    assert_int_equal(p.level, 1);
    p = price_next(p, 0, 100 * PRICE_HOLD_MS); /* nobody asked for long */
    assert_int_equal(p.level, 0);
    p = price_next(p, 1, 5); /* a clock that goes back breaks nothing */
    assert_int_equal(p.level, 1);
    p = price_next((struct price){1, 100}, 0, 5);
    assert_int_equal(p.level, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rung_is_a_level),
        cmocka_unit_test(so_are_slow_calls),
        cmocka_unit_test(up_at_once_and_down_slowly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
