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
    fake = (struct clock_fake){.now_us = 1000000, .unix_base_ms = 1800000000000};
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

static void all_at_once_or_none(void **state)
{
    (void)state;
    const struct limit_setting good[] = {{"REGISTER_PREFIX", 3}, {"QUEUE_DAYS", 20}};
    const struct limit_setting bad[] = {{"QUEUE_DAYS", 25}, {"NO_SUCH_ROW", 1}};
    const struct limit_setting out_of_range[] = {{"QUEUE_DAYS", 0}};
    size_t wrong = 7;
    assert_ok(limits_set_all(limits, good, 2, &wrong));
    assert_int_equal(limit_value(limits, LIMIT_QUEUE_DAYS), 20);
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 3);
    assert_err(limits_set_all(limits, bad, 2, &wrong), ARGUMENT);
    assert_int_equal(wrong, 1);
    assert_err(limits_set_all(limits, out_of_range, 1, &wrong), ARGUMENT);
    assert_int_equal(wrong, 0);
    assert_int_equal(limit_value(limits, LIMIT_QUEUE_DAYS), 20); /* nothing has changed */
    assert_ok(limits_set_all(limits, &good[1], 1, &wrong));
    assert_int_equal(limit_value(limits, LIMIT_REGISTER_PREFIX), 6); /* the default again */
    assert_ok(limits_set_all(limits, NULL, 0, &wrong));
    assert_int_equal(limit_value(limits, LIMIT_QUEUE_DAYS), limit_row(LIMIT_QUEUE_DAYS)->value);
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

/* A bucket that moves to the new key where there is no room for it stays where it was. */
static void nor_does_one_without_room(void **state)
{
    (void)state;
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 10000);
    advance_s(86400); /* 9,984 are back */
    for (uint32_t i = 0; i < 6 * LIMIT_TABLE_SLOTS; i++) {
        struct err err =
            limit_take(limits, LIMIT_ANONYMOUS_PREFIX, bytes_of(&i, sizeof i), 100, NULL);
        (void)err;
    }
    assert_err(limit_take(limits, LIMIT_REGISTER_DAY, bytes_str(""), 1, NULL), FRONT_OVERLOAD);
    assert_err(limit_take(limits, LIMIT_REGISTER_DAY, bytes_str(""), 1, NULL), FRONT_OVERLOAD);
    advance_s(6); /* those that are in the way are full */
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 9984);
}

/* ---- across a restart ---- */

static const uint8_t keepers_key[LIMIT_KEY_BYTES] = {9};

/* The process ends, and another begins so much later; on_disk is what it finds. */
static struct err restart(struct buf *on_disk, uint64_t down_s, const uint8_t *key)
{
    buf_clear(on_disk);
    assert_ok(limits_save(limits, on_disk));
    limits_free(limits);
    fake.unix_base_ms += down_s * 1000 + fake.now_us / 1000 - 77;
    fake.now_us = 77000; /* another boot's monotonic clock */
    assert_ok(limits_new(&fake_clock, &rng, &limits));
    limits_set_key(limits, key);
    return limits_load(limits, buf_view(on_disk));
}

static void DoS2_long_windows_outlive_the_process(void **state)
{
    (void)state;
    struct buf saved = BUF_INIT;
    limits_set_key(limits, keepers_key);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 9000), 9000);
    assert_int_equal(drain(LIMIT_KEY_PACKAGE_UPLOADS, "client", 100), 6);
    assert_int_equal(drain(LIMIT_SEND_LEAF, "leaf", 100), 60); /* a minute: not worth it */
    assert_ok(restart(&saved, 0, keepers_key));
    assert_int_equal(drain(LIMIT_SEND_LEAF, "leaf", 100), 60);
    assert_int_equal(drain(LIMIT_KEY_PACKAGE_UPLOADS, "client", 100), 0);
    assert_int_equal(drain(LIMIT_KEY_PACKAGE_UPLOADS, "another", 100), 6);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 1000);
    /* what came back while it was down is there */
    assert_ok(restart(&saved, 3600, keepers_key));
    assert_int_equal(drain(LIMIT_KEY_PACKAGE_UPLOADS, "client", 100), 6);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 416);
    /* over midnight, and again */
    for (int i = 0; i < 3; i++) {
        assert_ok(restart(&saved, 12 * 3600, keepers_key));
        assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 12 * 416);
    }
    /* a wall clock that is set back gives nothing back, one that leaps no more than there is */
    assert_ok(restart(&saved, (uint64_t)-7200, keepers_key));
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 0);
    assert_ok(restart(&saved, UINT64_C(86400) * 36500, keepers_key));
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 10000);
    buf_clear(&saved);
}

/* Buckets fill by the monotonic clock: whatever the wall clock says, nothing comes back sooner. */
static void S3_the_wall_clock_moves_no_limit(void **state)
{
    (void)state;
    static const int64_t leaps_s[] = {86400, -2 * 86400, 3600, -1, 86400 * 3650, -86400 * 3600};
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 6);
    for (size_t i = 0; i < sizeof leaps_s / sizeof *leaps_s; i++) {
        fake.unix_base_ms += (uint64_t)(leaps_s[i] * 1000);
        assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 0);
    }
    advance_s(600);
    fake.unix_base_ms -= 86400000;
    assert_int_equal(drain(LIMIT_REGISTER_PREFIX, "a", 100), 1);
}

static void DoS2_control_without_the_file(void **state)
{
    (void)state;
    struct buf saved = BUF_INIT;
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 10000);
    assert_ok(restart(&saved, 0, keepers_key)); /* under a random key until now */
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 10000);
    buf_clear(&saved);
}

static void damaged_files_are_refused_whole(void **state)
{
    (void)state;
    struct buf saved = BUF_INIT;
    limits_set_key(limits, keepers_key);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 10000);
    assert_int_equal(drain(LIMIT_KEY_PACKAGE_UPLOADS, "client", 100), 6);
    assert_ok(restart(&saved, 0, keepers_key));
    limits_free(limits);
    assert_ok(limits_new(&fake_clock, &rng, &limits));
    limits_set_key(limits, keepers_key);
    for (size_t len = 0; len < saved.len; len++)
        assert_false(err_is_ok(limits_load(limits, bytes_of(saved.data, len))));
    buf_append_byte(&saved, 0);
    assert_err(limits_load(limits, buf_view(&saved)), WIRE_TRAILING);
    saved.data[0] = 2;
    assert_err(limits_load(limits, buf_view(&saved)), WIRE_VALUE);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 10000); /* none of it was taken up */
    buf_clear(&saved);
}

/* Rows come and go with versions; numbers that can't be are cut to what can. */
static void files_of_other_versions(void **state)
{
    (void)state;
    struct buf saved = BUF_INIT;
    limits_set_key(limits, keepers_key);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 10000);
    assert_ok(restart(&saved, 0, keepers_key));
    uint8_t *name = memmem(saved.data, saved.len, "REGISTER_DAY", 12);
    assert_non_null(name);
    uint8_t *spent = saved.data + saved.len - 8;
    memset(spent, 0xff, 8);
    assert_ok(limits_load(limits, buf_view(&saved)));
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 0);
    advance_s(3600);
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 416);
    limits_free(limits);
    assert_ok(limits_new(&fake_clock, &rng, &limits));
    limits_set_key(limits, keepers_key);
    memcpy(name, "REGISTER_OLD", 12);
    assert_ok(limits_load(limits, buf_view(&saved)));
    assert_int_equal(drain(LIMIT_REGISTER_DAY, "", 20000), 10000);
    /* a plain row's name in the place of a bucket's */
    memcpy(name, "ATTACHMENT_D", 12);
    assert_ok(limits_load(limits, buf_view(&saved)));
    buf_clear(&saved);
}

/* ME3: the file says neither who nor what. */
static void ME3_the_file_names_nobody(void **state)
{
    (void)state;
    struct buf saved = BUF_INIT;
    limits_set_key(limits, keepers_key);
    assert_int_equal(drain(LIMIT_KEY_PACKAGE_UPLOADS, "canary-client", 100), 6);
    assert_ok(limits_save(limits, &saved));
    assert_null(memmem(saved.data, saved.len, "canary", 6));
    assert_null(memmem(saved.data, saved.len, keepers_key, sizeof keepers_key));
    buf_clear(&saved);
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
        cmocka_unit_test_setup_teardown(all_at_once_or_none, setup, teardown),
        cmocka_unit_test_setup_teardown(burst_then_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_and_principals_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(costs, setup, teardown),
        cmocka_unit_test_setup_teardown(operators_values, setup, teardown),
        cmocka_unit_test_setup_teardown(control_lets_all_through, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_table_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_key_forgets_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(nor_does_one_without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(DoS2_long_windows_outlive_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(S3_the_wall_clock_moves_no_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(DoS2_control_without_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_files_are_refused_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(files_of_other_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(ME3_the_file_names_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_take_no_more_than_there_is, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
