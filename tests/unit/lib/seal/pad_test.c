#include "seal/pad.h"
#include "support/test.h"

static void borders_of_the_buckets(void **state)
{
    (void)state;
    static const size_t sizes[PAD_BUCKETS] = {256, 1024, 4096, 16384, 65536, 98304};
    size_t from = 0;
    for (size_t i = 0; i < PAD_BUCKETS; i++) {
        assert_int_equal(pad_bucket_bytes(from), sizes[i]);
        assert_int_equal(pad_bucket_bytes(sizes[i] - PAD_HEAD_BYTES), sizes[i]);
        from = sizes[i] - PAD_HEAD_BYTES + 1;
    }
    assert_int_equal(pad_bucket_bytes(from), 0);
    assert_int_equal(pad_bucket_bytes(SIZE_MAX), 0);
}

/* Padmé by its definition, in floating point terms: E = floor(log2 L), S = floor(log2 E) + 1, the
 * last E - S bits are rounded away. Checked by what it promises: enough, at most 12 % more, and
 * few sizes. */
static void padme_promises(void **state)
{
    (void)state;
    size_t sizes = 0, last = 0;
    for (size_t len = 0; len < 2000000; len += 1 + len / 5000) {
        size_t total = pad_padme_bytes(len, 0);
        assert_true(total >= len + PAD_HEAD_BYTES);
        if (len > 16)
            assert_true((double)total <= 1.125 * (double)(len + PAD_HEAD_BYTES));
        assert_true(total >= last);
        sizes += total != last;
        last = total;
    }
    assert_int_equal(sizes, 327); /* of the 33,000 lengths tried; by an independent program */
    /* by the definition, on paper: 100 has E 6, S 3: rounded to 8 */
    assert_int_equal(pad_padme_bytes(9 - 4, 0), 10);
    assert_int_equal(pad_padme_bytes(100 - 4, 0), 104);
    assert_int_equal(pad_padme_bytes(1000 - 4, 0), 1024);
    assert_int_equal(pad_padme_bytes(5000 - 4, 0), 5120);
    assert_int_equal(pad_padme_bytes(10, 4096), 4096);
    assert_int_equal(pad_padme_bytes(SIZE_MAX, 0), 0);
    assert_int_equal(pad_padme_bytes(UINT32_MAX, 0), 0);
}

static void round_trips(void **state)
{
    (void)state;
    uint8_t text[2000];
    memset(text, 0xa5, sizeof text);
    for (size_t len = 0; len <= sizeof text; len += 1 + len / 100) {
        struct buf b = BUF_INIT;
        struct bytes got;
        buf_append(&b, "before", 6);
        pad_write(&b, bytes_of(text, len), pad_bucket_bytes(len));
        assert_ok(buf_check(&b));
        assert_int_equal(b.len, 6 + pad_bucket_bytes(len));
        assert_ok(pad_read(bytes_of(b.data + 6, b.len - 6), &got));
        test_assert_bytes(got, bytes_of(text, len));
        buf_clear(&b);
    }
}

static void too_small_a_total_fails_the_buffer(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    pad_write(&b, bytes_str("abcd"), 7);
    assert_true(b.failed);
    buf_clear(&b);
    pad_write(&b, bytes_str("abcd"), 8);
    assert_false(b.failed);
    buf_clear(&b);
    pad_write(&b, bytes_str("abcd"), 0);
    assert_true(b.failed);
    buf_clear(&b);
}

static void bad_padding_is_refused(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct bytes got = bytes_str("untouched");
    pad_write(&b, bytes_str("abcd"), 256);
    for (size_t bit = 8 * 8; bit < 8 * 256; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_err(pad_read(buf_view(&b), &got), WIRE_VALUE);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < 4; len++)
        assert_err(pad_read(bytes_of(b.data, len), &got), WIRE_SHORT);
    for (size_t len = 4; len < 8; len++)
        assert_err(pad_read(bytes_of(b.data, len), &got), WIRE_VALUE);
    b.data[0] = 0xff; /* a length of 4 GiB */
    assert_err(pad_read(buf_view(&b), &got), WIRE_VALUE);
    b.data[0] = 0;
    b.data[3] = 253; /* one more than there is */
    assert_err(pad_read(buf_view(&b), &got), WIRE_VALUE);
    b.data[3] = 252;
    assert_ok(pad_read(buf_view(&b), &got));
    assert_int_equal(got.len, 252);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders_of_the_buckets),
        cmocka_unit_test(padme_promises),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(too_small_a_total_fails_the_buffer),
        cmocka_unit_test(bad_padding_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
