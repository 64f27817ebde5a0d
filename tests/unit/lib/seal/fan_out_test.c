#include "crypto/suite.h"
#include "seal/fan_out.h"
#include "support/damage.h"
#include "support/failing.h"
#include "support/test.h"

static struct rng_seeded seeded;
static struct rng rng;
static uint8_t state_key[STATE_KEY_BYTES];
static uint8_t body[FAN_OUT_PARTS_MAX * FAN_OUT_BODY_MAX_BYTES];
#define GROUP bytes_str("group id")

static int set_up(void **state)
{
    (void)state;
    rng_seeded_init(&seeded, 1);
    rng = rng_of_seeded(&seeded);
    assert_ok(rng_fill(&rng, state_key, sizeof state_key));
    assert_ok(rng_fill(&rng, body, sizeof body));
    return 0;
}

static struct delivery_item item_of(size_t len)
{
    return (struct delivery_item){DELIVERY_MESSAGE, 1234567890123, bytes_of(body, len)};
}

static void assert_same(const struct delivery_item *got, const struct delivery_item *want)
{
    assert_int_equal(got->kind, want->kind);
    assert_int_equal(got->accepted_s, want->accepted_s);
    test_assert_bytes(got->body, want->body);
}

/* The queue item around a payload is as small as a bucket can be, and one of six. */
static size_t queued_bytes(struct bytes payload)
{
    struct queue_ratchet r = {.sequence = 1};
    struct queue_item item = {.kind = QUEUE_ITEM_DELIVERY, .body = payload};
    struct buf b = BUF_INIT;
    assert_ok(queue_ratchet_seal(&r, &item, &b));
    size_t len = b.len;
    buf_clear(&b);
    assert_int_equal(len, payload.len + QUEUE_ITEM_HEAD_BYTES + QUEUE_ITEM_OVERHEAD_BYTES);
    assert_int_equal(pad_bucket_bytes(len - QUEUE_ITEM_OVERHEAD_BYTES - PAD_HEAD_BYTES),
                     len - QUEUE_ITEM_OVERHEAD_BYTES);
    return len;
}

static void lengths_of_members_payloads(void **state)
{
    (void)state;
    size_t seen = 0, last = 0;
    for (size_t len = 0; len <= FAN_OUT_BODY_MAX_BYTES; len += 1 + len / 50) {
        if (len + 1 + len / 50 > FAN_OUT_BODY_MAX_BYTES)
            len = FAN_OUT_BODY_MAX_BYTES;
        struct buf b = BUF_INIT, scratch = BUF_INIT;
        struct delivery_item got, item = item_of(len);
        assert_ok(fan_out_seal(&b, &rng, state_key, GROUP, &item));
        assert_false(fan_out_is_joiner(buf_view(&b)));
        assert_ok(fan_out_open(state_key, GROUP, buf_view(&b), &scratch, &got));
        assert_same(&got, &item);
        size_t queued = queued_bytes(buf_view(&b));
        seen += queued != last;
        last = queued;
        buf_clear(&b);
        buf_clear(&scratch);
    }
    assert_int_equal(seen, PAD_BUCKETS);
    struct buf b = BUF_INIT;
    struct delivery_item large = item_of(FAN_OUT_BODY_MAX_BYTES + 1);
    assert_err(fan_out_seal(&b, &rng, state_key, GROUP, &large), TOO_LARGE);
    assert_int_equal(b.len, 0);
}

static bool refused(void *self, struct bytes damaged)
{
    (void)self;
    struct buf scratch = BUF_INIT;
    struct delivery_item got = {.accepted_s = 5};
    buf_append(&scratch, "kept", 4);
    struct err err = fan_out_open(state_key, GROUP, damaged, &scratch, &got);
    bool well = !err_is_ok(err) && scratch.len == 4 && got.accepted_s == 5;
    buf_clear(&scratch);
    return well;
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct delivery_item got, item = item_of(10);
    uint8_t other[STATE_KEY_BYTES];
    assert_ok(fan_out_seal(&b, &rng, state_key, GROUP, &item));
    test_each_damage(buf_view(&b), 100000, refused, NULL);
    memcpy(other, state_key, sizeof other);
    other[0] ^= 1;
    assert_err(fan_out_open(other, GROUP, buf_view(&b), &scratch, &got), CRYPTO_TAG);
    assert_err(fan_out_open(state_key, bytes_str("group ie"), buf_view(&b), &scratch, &got),
               CRYPTO_TAG);
    assert_int_equal(scratch.len, 0);
    buf_clear(&b);
    buf_clear(&scratch);
}

struct joiner {
    const struct hpke_suite *suite;
    struct secret private_key;
    struct public_key public_key;
};

static struct err open_joiner(const struct joiner *j, struct bytes sealed, struct buf *scratch,
                              struct delivery_item *ret_item)
{
    return fan_out_open_joiner(j->suite, secret_view(&j->private_key),
                               public_key_view(&j->public_key), sealed, scratch, ret_item);
}

static bool joiner_refused(void *self, struct bytes damaged)
{
    struct buf scratch = BUF_INIT;
    struct delivery_item got = {.accepted_s = 5};
    struct err err = open_joiner(self, damaged, &scratch, &got);
    bool well = !err_is_ok(err) && scratch.len == 0 && got.accepted_s == 5;
    buf_clear(&scratch);
    return well;
}

static void joiners_of_every_suite(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        static const size_t lens[] = {0, 100, 5000, FAN_OUT_BODY_MAX_BYTES};
        struct joiner j = {.suite = &suite_table[i].hpke}, other = {.suite = j.suite};
        assert_ok(kem_generate(j.suite->kem, &rng, &j.private_key, &j.public_key));
        assert_ok(kem_generate(j.suite->kem, &rng, &other.private_key, &other.public_key));
        for (size_t k = 0; k < sizeof lens / sizeof *lens; k++) {
            struct buf b = BUF_INIT, members = BUF_INIT, scratch = BUF_INIT;
            struct delivery_item got, item = item_of(lens[k]);
            item.kind = DELIVERY_WELCOME;
            assert_ok(
                fan_out_seal_joiner(&b, &rng, j.suite, public_key_view(&j.public_key), &item));
            assert_true(fan_out_is_joiner(buf_view(&b)));
            assert_ok(open_joiner(&j, buf_view(&b), &scratch, &got));
            assert_same(&got, &item);
            assert_false(err_is_ok(open_joiner(&other, buf_view(&b), &scratch, &got)));
            assert_err(fan_out_open(state_key, GROUP, buf_view(&b), &scratch, &got), WIRE_VALUE);
            queued_bytes(buf_view(&b));
            buf_clear(&members);
            if (i == 0 && k == 1)
                test_each_damage(buf_view(&b), 100000, joiner_refused, &j);
            buf_clear(&b);
            buf_clear(&scratch);
        }
    }
}

/* A 4 MiB commit through its parts, in order; each a payload like any other. */
static void parts(void **state)
{
    (void)state;
    static const uint8_t id[PART_ID_BYTES] = {1, 2, 3};
    static const size_t lens[] = {FAN_OUT_BODY_MAX_BYTES + 1, 2 * FAN_OUT_BODY_MAX_BYTES - 49,
                                  2 * FAN_OUT_BODY_MAX_BYTES - 48, 4194304,
                                  FAN_OUT_PARTS_MAX * (FAN_OUT_BODY_MAX_BYTES - 20) - 9};
    assert_int_equal(fan_out_parts(0), 1);
    assert_int_equal(fan_out_parts(FAN_OUT_BODY_MAX_BYTES), 1);
    assert_int_equal(fan_out_parts(lens[1]), 2); /* the largest of two, the smallest of three */
    assert_int_equal(fan_out_parts(lens[2]), 3);
    assert_int_equal(fan_out_parts(lens[4]), FAN_OUT_PARTS_MAX);
    assert_int_equal(fan_out_parts(lens[4] + 1), 0);
    for (size_t k = 0; k < sizeof lens / sizeof *lens; k++) {
        struct buf whole = BUF_INIT;
        struct delivery_item got, item = item_of(lens[k]);
        item.kind = DELIVERY_COMMIT;
        size_t count = fan_out_parts(item.body.len);
        for (size_t i = 0; i < count; i++) {
            struct buf b = BUF_INIT, scratch = BUF_INIT;
            struct fan_out_part part;
            assert_ok(fan_out_seal_part(&b, &rng, state_key, GROUP, &item, id, i));
            queued_bytes(buf_view(&b));
            assert_ok(fan_out_open(state_key, GROUP, buf_view(&b), &scratch, &got));
            assert_int_equal(got.kind, DELIVERY_PART);
            assert_ok(fan_out_part_parse(got.body, &part));
            assert_memory_equal(part.id, id, sizeof id);
            assert_int_equal(part.index, i);
            assert_int_equal(part.count, count);
            buf_append_bytes(&whole, part.piece);
            buf_clear(&b);
            buf_clear(&scratch);
        }
        assert_ok(delivery_item_parse(buf_view(&whole), &got));
        assert_same(&got, &item);
        buf_clear(&whole);
    }
    struct buf b = BUF_INIT;
    struct delivery_item small = item_of(10), two = item_of(lens[0]);
    assert_err(fan_out_seal_part(&b, &rng, state_key, GROUP, &small, id, 0), ARGUMENT);
    assert_err(fan_out_seal_part(&b, &rng, state_key, GROUP, &two, id, 2), ARGUMENT);
    assert_int_equal(b.len, 0);
}

static void malformed_parts(void **state)
{
    (void)state;
    struct fan_out_part part;
    uint8_t b[PART_ID_BYTES + 4 + 1] = {[17] = 1, [19] = 2};
    assert_ok(fan_out_part_parse(bytes_of(b, sizeof b), &part));
    for (size_t len = 0; len < 20; len++)
        assert_err(fan_out_part_parse(bytes_of(b, len), &part), WIRE_SHORT);
    b[17] = 2; /* index 2 of 2 */
    assert_err(fan_out_part_parse(bytes_of(b, sizeof b), &part), WIRE_VALUE);
    b[17] = 0, b[19] = 1; /* alone */
    assert_err(fan_out_part_parse(bytes_of(b, sizeof b), &part), WIRE_VALUE);
    b[19] = FAN_OUT_PARTS_MAX + 1;
    assert_err(fan_out_part_parse(bytes_of(b, sizeof b), &part), WIRE_VALUE);
}

static bool state_key_refused(void *self, struct bytes damaged)
{
    const struct joiner *j = self;
    uint64_t epoch = 99;
    uint8_t got[STATE_KEY_BYTES] = {9}, before[STATE_KEY_BYTES] = {9};
    struct err err = state_key_open(j->suite, secret_view(&j->private_key),
                                    public_key_view(&j->public_key), GROUP, damaged, &epoch, got);
    return !err_is_ok(err) && epoch == 99 && memcmp(got, before, sizeof got) == 0;
}

static void state_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        struct joiner j = {.suite = &suite_table[i].hpke}, other = {.suite = j.suite};
        struct buf b = BUF_INIT;
        uint64_t epoch;
        uint8_t got[STATE_KEY_BYTES];
        assert_ok(kem_generate(j.suite->kem, &rng, &j.private_key, &j.public_key));
        assert_ok(kem_generate(j.suite->kem, &rng, &other.private_key, &other.public_key));
        assert_ok(state_key_seal(&b, &rng, j.suite, public_key_view(&j.public_key), GROUP, 77,
                                 state_key));
        assert_ok(state_key_open(j.suite, secret_view(&j.private_key),
                                 public_key_view(&j.public_key), GROUP, buf_view(&b), &epoch, got));
        assert_int_equal(epoch, 77);
        assert_memory_equal(got, state_key, sizeof got);
        assert_err(state_key_open(j.suite, secret_view(&j.private_key),
                                  public_key_view(&j.public_key), bytes_str("other"), buf_view(&b),
                                  &epoch, got),
                   CRYPTO_TAG);
        assert_true(state_key_refused(&other, buf_view(&b)));
        if (i == 0) /* a changed epoch included: its bytes stand in the clear */
            test_each_damage(buf_view(&b), 100000, state_key_refused, &j);
        buf_clear(&b);
    }
}

static struct err make(int what, struct buf *b, const struct joiner *j)
{
    static const uint8_t id[PART_ID_BYTES];
    struct delivery_item item = item_of(what == 2 ? 100000 : 100);
    struct bytes key = public_key_view(&j->public_key);
    switch (what) {
    case 0:
        return fan_out_seal(b, &rng, state_key, GROUP, &item);
    case 1:
        return fan_out_seal_joiner(b, &rng, j->suite, key, &item);
    case 2:
        return fan_out_seal_part(b, &rng, state_key, GROUP, &item, id, 1);
    default:
        return state_key_seal(b, &rng, j->suite, key, GROUP, 1, state_key);
    }
}

static void failures_change_nothing(void **state)
{
    (void)state;
    struct joiner j = {.suite = &suite_table[0].hpke};
    assert_ok(kem_generate(j.suite->kem, &rng, &j.private_key, &j.public_key));
    for (int what = 0; what < 4; what++) {
        for (size_t limit = 4; limit < 90; limit += 5) {
            struct buf b = {.limit = limit};
            buf_append(&b, "kept", 4);
            assert_false(err_is_ok(make(what, &b, &j)));
            assert_int_equal(b.len, 4);
            buf_clear(&b);
        }
        for (long n = 0; test_can_fail_allocations(); n++) {
            struct buf b = BUF_INIT;
            test_fail_allocation(n);
            struct err err = make(what, &b, &j);
            bool failed = test_allocation_failed();
            assert_true(err_is_ok(err) || (failed && b.len == 0));
            buf_clear(&b);
            if (!failed)
                break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_of_members_payloads),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(joiners_of_every_suite),
        cmocka_unit_test(parts),
        cmocka_unit_test(malformed_parts),
        cmocka_unit_test(state_keys),
        cmocka_unit_test(failures_change_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
