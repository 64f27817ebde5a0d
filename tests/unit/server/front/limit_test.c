/* Buckets by principal: what they give, when they give again, that rows and principals don't mix,
 * that a full table refuses rather than forgets, and that a new day's key forgets nothing. */
#include <pthread.h>

#include "server/front/bucket_table.h"
#include "server/front/limit.h"
#include "support/test.h"

static struct clock_fake fake;
static struct clock fake_clock;
static struct rng_seeded seeded;
static struct rng rng;
static struct limits *limits;

static int setup(void **state)
{
    (void)state;
    fake = (struct clock_fake){.now_us = 1000000};
    fake_clock = clock_of_fake(&fake);
    rng_seeded_init(&seeded, 7);
    rng = rng_of_seeded(&seeded);
    return err_is_ok(limits_new(&fake_clock, &rng, &limits)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    limits_free(limits);
    return 0;
}

static void advance_s(uint64_t s)
{
    fake.now_us += s * 1000000;
}

/* How many times one credit is there, at most `most`. */
static unsigned drain(enum limit limit, const char *who, unsigned most)
{
    unsigned n = 0;
    while (n < most && err_is_ok(limit_take(limits, limit, bytes_str(who), 1, NULL)))
        n++;
    return n;
}

static void burst_then_rate(void **state)
{
    (void)state;
    /* REGISTER_PREFIX: 6, then 6 an hour */
    uint32_t retry_s = 0;
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 6);
    assert_err(limit_take(limits, LIMIT_REGISTER_PREFIX, bytes_str("a"), 1, &retry_s), LIMIT);
    assert_int_equal(retry_s, 600);
    advance_s(599);
    assert_err(limit_take(limits, LIMIT_REGISTER_PREFIX, bytes_str("a"), 1, &retry_s), LIMIT);
    assert_int_equal(retry_s, 1);
    advance_s(1);
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 1);
    advance_s(3600 * 30);
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 6); /* never more than the burst */
}

static void rows_and_principals_are_apart(void **state)
{
    (void)state;
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 6);
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "b", 100), 6);
    assert_int_equal(drain(LIMIT_RELAY_PREFIX, "a", 100), 6);
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "", 100), 6);
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 0);
}

static void costs(void **state)
{
    (void)state;
    uint32_t retry_s = 0;
    struct bytes g = bytes_str("group");
    assert_ok(limit_take(limits, LIMIT_FAN_OUT_GROUP, g, 19000, NULL));
    /* a refusal takes nothing */
    assert_err(limit_take(limits, LIMIT_FAN_OUT_GROUP, g, 1001, &retry_s), LIMIT);
    assert_int_equal(retry_s, 1);
    assert_ok(limit_take(limits, LIMIT_FAN_OUT_GROUP, g, 0, NULL));
    assert_ok(limit_take(limits, LIMIT_FAN_OUT_GROUP, g, 1000, NULL));
    assert_err(limit_take(limits, LIMIT_FAN_OUT_GROUP, g, 0, NULL), LIMIT);
    assert_err(limit_take(limits, LIMIT_FAN_OUT_GROUP, g, 20001, &retry_s), LIMIT);
    assert_true(retry_s == LIMIT_RETRY_NEVER);
    assert_err(limit_take(limits, LIMIT_FAN_OUT_GROUP, g, UINT32_MAX, &retry_s), LIMIT);
    assert_true(retry_s == LIMIT_RETRY_NEVER);
    advance_s(20);
    assert_ok(limit_take(limits, LIMIT_FAN_OUT_GROUP, g, 20000, NULL));
}

static void operators_values(void **state)
{
    (void)state;
    uint32_t retry_s = 0;
    assert_int_equal(limit_value(limits, LIMIT_GROUP_MEMBERS), 1000);
    assert_ok(limits_set(limits, "GROUP_MEMBERS", 10000));
    assert_int_equal(limit_value(limits, LIMIT_GROUP_MEMBERS), 10000);
    assert_err(limits_set(limits, "GROUP_MEMBERS", 10001), ARGUMENT);
    assert_err(limits_set(limits, "GROUP_MEMBERS", 1), ARGUMENT);
    assert_err(limits_set(limits, "NO_SUCH", 1), ARGUMENT);
    assert_int_equal(limit_value(limits, LIMIT_GROUP_MEMBERS), 10000);
    /* a bucket: the burst, and the rate with it */
    assert_err(limits_set(limits, "REGISTER_PREFIX", 0), ARGUMENT);
    assert_err(limits_set(limits, "REGISTER_PREFIX", 6001), ARGUMENT);
    assert_ok(limits_set(limits, "REGISTER_PREFIX", 60));
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 60);
    assert_err(limit_take(limits, LIMIT_REGISTER_PREFIX, bytes_str("a"), 1, &retry_s), LIMIT);
    assert_int_equal(retry_s, 60);
    for (int i = 0; i < LIMITS; i++) {
        const struct limit_row *row = limit_row((enum limit)i);
        assert_ok(limits_set(limits, row->name, row->most));
        assert_ok(limits_set(limits, row->name, row->least));
        assert_ok(limits_set(limits, row->name, row->value));
        assert_true(row->reason[0] != '\0');
    }
}

static void control_lets_all_through(void **state)
{
    (void)state;
    limits_switch_off(limits);
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 1000), 1000);
}

/* DoS2 and the rest: an attacker with a great many names can't make the limiter forget one that is
 * in use. */
static void a_full_table_refuses(void **state)
{
    (void)state;
    unsigned taken = 0, refused = 0;
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "victim", 100), 6);
    for (uint32_t i = 0; i < LIMIT_TABLE_SLOTS + LIMIT_TABLE_SLOTS / 4; i++) {
        uint32_t retry_s = 0;
        struct err err =
            limit_take(limits, LIMIT_REGISTER_PREFIX, bytes_of(&i, sizeof i), 6, &retry_s);
        if (err_is_ok(err)) {
            taken++;
            continue;
        }
        assert_err(err, FRONT_OVERLOAD);
        assert_int_equal(retry_s, 1);
        refused++;
    }
    assert_true(taken <= LIMIT_TABLE_SLOTS);
    assert_true(taken > LIMIT_TABLE_SLOTS / 4 * 3); /* windows fill late */
    assert_true(refused > 0);
    for (uint32_t i = 0; i < 1000; i++)
        assert_false(
            err_is_ok(limit_take(limits, LIMIT_REGISTER_PREFIX, bytes_of(&i, sizeof i), 1, NULL)));
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "victim", 100), 0);
    advance_s(3600); /* all full again: there is room */
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "new", 100), 6);
}

static void a_new_key_forgets_nothing(void **state)
{
    (void)state;
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 10000);
    assert_int_equal(drain(LIMIT_CLIENT_CHANGES, "", 100), 10);
    advance_s(86400);
    /* 416 an hour for a day */
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 24 * 416);
    advance_s(86400 / 2);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 12 * 416);
    advance_s(86400 / 2);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 12 * 416);
    advance_s(3600);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 416);
}

enum { THREADS = 4 };
static _Atomic unsigned taken_by_all;

static void *take_many(void *arg)
{
    struct limits *l = arg;
    for (int i = 0; i < 20000; i++) {
        if (err_is_ok(limit_take(l, LIMIT_REGISTER_DAY, bytes_str("x"), 1, NULL)))
            taken_by_all++;
        if (i % 1000 == 0)
            assert_ok(limits_set(l, "GROUP_MEMBERS", 10 + (uint64_t)i % 100));
    }
    return NULL;
}

static void threads_take_no_more_than_there_is(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    taken_by_all = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, limits), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(taken_by_all, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(burst_then_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_and_principals_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(costs, setup, teardown),
        cmocka_unit_test_setup_teardown(operators_values, setup, teardown),
        cmocka_unit_test_setup_teardown(control_lets_all_through, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_table_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_key_forgets_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_take_no_more_than_there_is, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
