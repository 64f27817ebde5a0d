/* bytes, err, clock, rng */
#include "base/clock.h"
#include "base/rng.h"
#include "support/test.h"

static void buf_grows_to_its_limit_and_fails_stickily(void **state)
{
    (void)state;
    struct buf b = {.limit = 100};
    for (int i = 0; i < 100; i++)
        buf_append_byte(&b, (uint8_t)i);
    assert_ok(buf_check(&b));
    buf_append_byte(&b, 1);
    assert_err(buf_check(&b), TOO_LARGE);
    buf_append(&b, NULL, 0);
    assert_int_equal(b.len, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(b.data[i], i);
    buf_drop_front(&b, 98);
    assert_int_equal(b.data[0], 98);
    buf_clear(&b);
    assert_null(b.data);
    assert_int_equal(b.limit, 100);
}

static void compares(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_of(NULL, 0), bytes_str("")));
    assert_true(bytes_equal_ct(bytes_str("abc"), bytes_str("abc")));
    assert_false(bytes_equal_ct(bytes_str("abc"), bytes_str("abd")));
    assert_false(bytes_equal_ct(bytes_str("abc"), bytes_str("ab")));
    assert_true(bytes_compare(bytes_str("ab"), bytes_str("abc")) < 0);
    assert_true(bytes_compare(bytes_str("b"), bytes_str("abc")) > 0);
    assert_int_equal(bytes_compare(bytes_str("x"), bytes_str("x")), 0);
}

static void every_error_has_its_row(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_CODE_COUNT; code++) {
        struct err e = {(enum err_code)code};
        assert_non_null(err_name(e));
        assert_true(strlen(err_text(e)) > 3);
        assert_in_range(err_grpc_status(e), 0, 16);
        assert_int_equal(err_grpc_status(e) == 0, code == ERR_NONE);
        assert_int_equal(err_class_of(e) == ERR_CLASS_NONE, code == ERR_NONE);
    }
    assert_true(err_retry(ERR(TIMEOUT)));
}

static void seeded_rng_repeats_and_fills_odd_lengths(void **state)
{
    (void)state;
    struct rng_seeded a, b;
    uint8_t x[13] = {0}, y[13] = {0};
    rng_seeded_init(&a, 7);
    rng_seeded_init(&b, 7);
    struct rng ra = rng_of_seeded(&a), rb = rng_of_seeded(&b);
    assert_ok(rng_fill(&ra, x, sizeof x));
    assert_ok(rng_fill(&rb, y, sizeof y));
    assert_memory_equal(x, y, sizeof x);
    assert_ok(rng_fill(&rng_system, y, sizeof y));
    assert_memory_not_equal(x, y, sizeof x);
}

static void fake_clock_moves_when_told(void **state)
{
    (void)state;
    struct clock_fake fake = {.unix_base_ms = 1000};
    struct clock c = clock_of_fake(&fake);
    fake.now_us = 5000;
    assert_int_equal(clock_monotonic_us(&c), 5000);
    assert_int_equal(clock_unix_ms(&c), 1005);
    uint64_t before = clock_monotonic_us(&clock_system);
    assert_true(clock_monotonic_us(&clock_system) >= before);
    assert_true(clock_unix_ms(&clock_system) > 1700000000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_grows_to_its_limit_and_fails_stickily),
        cmocka_unit_test(compares),
        cmocka_unit_test(every_error_has_its_row),
        cmocka_unit_test(seeded_rng_repeats_and_fills_odd_lengths),
        cmocka_unit_test(fake_clock_moves_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
