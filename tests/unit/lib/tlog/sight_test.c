/* What one of a homeserver's own labels showed before: asked by somebody who was not there. */
#include "kit/tlog/operator.h"
#include "support/test.h"
#include "tlog/verify.h"

enum { WINDOW_MS = 100000, EPOCH_MS = 10000, BEGIN_MS = 50 * WINDOW_MS };

static const uint8_t seed_a[32] = {1}, seed_b[32] = {2};
static struct kt_operator op;
static struct kt_view view; /* the configuration alone */
static uint64_t now_ms;

#define KEYS         \
    bytes_of("\x00"  \
             "keys", \
             5)
#define OTHER         \
    bytes_of("\x00"   \
             "other", \
             6)

static void close_at(uint64_t ms)
{
    now_ms = ms;
    assert_ok(operator_close(&op, now_ms, 3));
}

static void add(struct bytes label, const char *value)
{
    assert_ok(operator_add(&op, label, bytes_str(value), NULL));
}

/* Window 50: epoch 1 has k0. 51: k1 at epoch 3, the second of the window. 52: epochs 5 and 6. */
static int begin(void **state)
{
    (void)state;
    assert_ok(operator_init(&op, "a.example/kt/1", WINDOW_MS, seed_a, seed_b));
    assert_ok(kt_view_init(buf_view(&op.config_bytes), &view));
    add(KEYS, "k0");
    close_at(BEGIN_MS);
    close_at(BEGIN_MS + WINDOW_MS);
    add(KEYS, "k1");
    close_at(BEGIN_MS + WINDOW_MS + EPOCH_MS);
    close_at(BEGIN_MS + WINDOW_MS + 2 * EPOCH_MS);
    close_at(BEGIN_MS + 2 * WINDOW_MS);
    close_at(BEGIN_MS + 2 * WINDOW_MS + EPOCH_MS);
    return 0;
}

static int end(void **state)
{
    (void)state;
    operator_clear(&op);
    return 0;
}

static struct buf answer_to(struct bytes label, uint64_t at_ms)
{
    struct buf request = BUF_INIT, response = BUF_INIT;
    struct sight_request parsed;
    struct kt_source source = operator_source(&op);
    assert_ok(kt_sight_request(&request, &view, label, at_ms));
    assert_ok(sight_request_parse(buf_view(&request), &parsed));
    assert_ok(kt_prove_sight(&source, &parsed, &response));
    buf_clear(&request);
    return response;
}

/* value NULL: there was none. */
static void expect(uint64_t at_ms, uint64_t index, const char *value)
{
    struct kt_view mine = view;
    struct kt_sight sight;
    struct buf response = answer_to(KEYS, at_ms);
    assert_ok(kt_verify_sight(&mine, KEYS, at_ms, buf_view(&response), &sight));
    assert_int_equal(sight.index, index);
    assert_int_equal(sight.exists, value != NULL);
    if (value != NULL)
        test_assert_bytes(sight.value, bytes_str(value));
    assert_int_equal(mine.size, op.epoch_count + 1);
    buf_clear(&response);
}

/* Catches: an entry that is not distinguished, one that is later than asked for, today's value. */
static void test_moments(void **state)
{
    (void)state;
    expect(0, 1, "k0"); /* before there was a log: its first entry */
    expect(BEGIN_MS, 1, "k0");
    expect(BEGIN_MS + WINDOW_MS - 1, 1, "k0");
    expect(BEGIN_MS + WINDOW_MS, 2, "k0");
    expect(BEGIN_MS + WINDOW_MS + 5 * EPOCH_MS, 2, "k0"); /* k1 was there, at none of these */
    expect(BEGIN_MS + 2 * WINDOW_MS, 5, "k1");
    expect(UINT64_MAX, 5, "k1");
}

static void test_no_version(void **state)
{
    (void)state;
    struct kt_view mine = view;
    struct kt_sight sight;
    struct buf response = answer_to(OTHER, BEGIN_MS);
    assert_ok(kt_verify_sight(&mine, OTHER, BEGIN_MS, buf_view(&response), &sight));
    assert_false(sight.exists);
    buf_clear(&response);
}

/* Of users nobody learns what their keys were: the log answers for its own labels alone. */
static void test_own_labels_alone(void **state)
{
    (void)state;
    struct buf request = BUF_INIT;
    struct sight_request parsed;
    assert_ok(kt_sight_request(&request, &view, bytes_str("\x01 bob"), BEGIN_MS));
    assert_err(sight_request_parse(buf_view(&request), &parsed), WIRE_VALUE);
    buf_clear(&request);
    assert_err(kt_sight_request(&request, &view, bytes_of(NULL, 0), 1), ARGUMENT);
}

/* An answer for a later moment passes for none before. */
static void test_later_entry(void **state)
{
    (void)state;
    struct kt_view mine = view;
    struct kt_sight sight = {.index = 77};
    struct buf response = answer_to(KEYS, UINT64_MAX);
    assert_err(kt_verify_sight(&mine, KEYS, BEGIN_MS + WINDOW_MS, buf_view(&response), &sight),
               TLOG_DISTINGUISHED);
    assert_int_equal(sight.index, 77);
    assert_memory_equal(&mine, &view, sizeof mine);
    buf_clear(&response);
}

/* The later value with the older entry, and the older entry of another log. */
static void test_other_value(void **state)
{
    (void)state;
    struct kt_view mine = view;
    struct kt_sight sight;
    struct sight_response r;
    struct buf old = answer_to(KEYS, BEGIN_MS + WINDOW_MS), forged = BUF_INIT, proof = BUF_INIT;
    struct kt_source source = operator_source(&op);
    assert_ok(sight_response_parse(buf_view(&old), &r));
    assert_ok(kt_prove_member(&source, KEYS, 5, &proof));
    r.proof = buf_view(&proof);
    sight_response_write(&forged, &r);
    assert_err(kt_verify_sight(&mine, KEYS, BEGIN_MS + WINDOW_MS, buf_view(&forged), &sight),
               TLOG_UNKNOWN);
    assert_err(kt_verify_sight(&mine, OTHER, BEGIN_MS + WINDOW_MS, buf_view(&old), &sight),
               TLOG_CHECKPOINT);
    buf_clear(&forged);
    buf_clear(&proof);
    buf_clear(&old);
}

/* Every bit counts: it is refused, or comes to the same. */
static void test_tampering(void **state)
{
    (void)state;
    struct buf response = answer_to(KEYS, BEGIN_MS + WINDOW_MS);
    for (size_t i = 0; i < response.len; i++) {
        struct kt_view mine = view;
        struct kt_sight sight = {.index = 77};
        response.data[i] ^= (uint8_t)(1 << i % 8);
        struct err err =
            kt_verify_sight(&mine, KEYS, BEGIN_MS + WINDOW_MS, buf_view(&response), &sight);
        if (err_is_ok(err)) {
            assert_int_equal(sight.index, 2);
            assert_true(!sight.exists || bytes_equal(sight.value, bytes_str("k0")));
        } else {
            assert_int_equal(sight.index, 77);
            assert_memory_equal(&mine, &view, sizeof mine);
        }
        response.data[i] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t len = 0; len < response.len; len++) {
        struct kt_view mine = view;
        struct kt_sight sight;
        struct err err = kt_verify_sight(&mine, KEYS, BEGIN_MS + WINDOW_MS,
                                         bytes_of(response.data, len), &sight);
        assert_false(err_is_ok(err));
    }
    buf_clear(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_moments, begin, end),
        cmocka_unit_test_setup_teardown(test_no_version, begin, end),
        cmocka_unit_test_setup_teardown(test_own_labels_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_later_entry, begin, end),
        cmocka_unit_test_setup_teardown(test_other_value, begin, end),
        cmocka_unit_test_setup_teardown(test_tampering, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
