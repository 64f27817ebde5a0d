/* RFC 1952 for single messages: there and back, and what a hostile peer may send instead. */
#include "rpc/gzip.h"
#include "support/test.h"

enum { LARGE = 300 * 1000 };

static void there_and_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16 * 1024, 16 * 1024 + 1, LARGE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf plain = BUF_INIT, packed = BUF_INIT, again = {.limit = sizes[i] + 1};
        for (size_t n = 0; n < sizes[i]; n++)
            buf_append_byte(&plain, (uint8_t)(n * n >> 3));
        assert_ok(gzip_deflate(buf_view(&plain), &packed));
        assert_ok(gzip_inflate(buf_view(&packed), &again));
        test_assert_bytes(buf_view(&again), buf_view(&plain));
        buf_clear(&plain);
        buf_clear(&packed);
        buf_clear(&again);
    }
}

static struct buf packed_zeroes(size_t size)
{
    struct buf plain = BUF_INIT, packed = BUF_INIT;
    memset(buf_extend(&plain, size), 0, size);
    assert_ok(gzip_deflate(buf_view(&plain), &packed));
    buf_clear(&plain);
    return packed;
}

static void a_bomb_finds_no_room(void **state)
{
    (void)state;
    struct buf packed = packed_zeroes(LARGE);
    struct buf exact = {.limit = LARGE}, small = {.limit = LARGE - 1};
    assert_ok(gzip_inflate(buf_view(&packed), &exact));
    assert_int_equal(exact.len, LARGE);
    assert_err(gzip_inflate(buf_view(&packed), &small), TOO_LARGE);
    assert_null(small.data); /* refused by what it says itself, before any memory was taken */
    buf_clear(&exact);
    buf_clear(&packed);
}

static void a_lie_about_the_size_is_found(void **state)
{
    (void)state;
    static const uint32_t lies[] = {0, 1, 1000, LARGE - 1, LARGE + 1};
    struct buf packed = packed_zeroes(LARGE);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct buf out = {.limit = 2 * LARGE};
        for (unsigned n = 0; n < 4; n++)
            packed.data[packed.len - 4 + n] = (uint8_t)(lies[i] >> 8 * n);
        assert_err(gzip_inflate(buf_view(&packed), &out), RPC_FRAME);
        assert_int_equal(out.len, 0);
        buf_clear(&out);
    }
    buf_clear(&packed);
}

static void a_claim_beyond_what_deflate_can_do_costs_nothing(void **state)
{
    (void)state;
    struct buf packed = packed_zeroes(10), out = {.limit = LARGE};
    packed.data[packed.len - 2] = 4; /* 256 KiB */
    assert_err(gzip_inflate(buf_view(&packed), &out), RPC_FRAME);
    assert_null(out.data);
    buf_clear(&packed);
}

static void every_cut_and_every_byte_more_is_an_error(void **state)
{
    (void)state;
    struct buf packed = packed_zeroes(1000), out = {.limit = LARGE};
    for (size_t len = 0; len < packed.len; len++)
        assert_false(err_is_ok(gzip_inflate(bytes_of(packed.data, len), &out)));
    buf_append(&packed, packed.data + packed.len - 4, 4); /* trailing bytes that still say 1000 */
    assert_err(gzip_inflate(buf_view(&packed), &out), RPC_FRAME);
    assert_int_equal(out.len, 0);
    buf_clear(&out);
    buf_clear(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(a_bomb_finds_no_room),
        cmocka_unit_test(a_lie_about_the_size_is_found),
        cmocka_unit_test(a_claim_beyond_what_deflate_can_do_costs_nothing),
        cmocka_unit_test(every_cut_and_every_byte_more_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
