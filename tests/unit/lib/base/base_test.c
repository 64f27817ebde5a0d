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

/* Room that was made is enough, no more than that, and keeps what is there. */
static void buf_makes_room_once(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_append_bytes(&b, bytes_str("before"));
    buf_reserve(&b, 1000);
    assert_int_equal(b.len, 6);
    assert_int_equal(b.cap, 1006);
    const uint8_t *data = b.data;
    for (int i = 0; i < 1000; i++)
        buf_append_byte(&b, 'x');
    assert_ptr_equal(b.data, data);
    assert_memory_equal(b.data, "beforex", 7);
    buf_reserve(&b, 0);
    assert_int_equal(b.cap, 1006);
    buf_reserve(&b, (size_t)BUF_DEFAULT_LIMIT); /* with what is there, over it */
    assert_true(b.failed);
    assert_int_equal(b.cap, 1006);
    buf_clear(&b);
}

struct counting {
    unsigned fills;
    uint8_t next;
    bool fails;
};

static struct err count_fill(void *self, uint8_t *out, size_t len)
{
    struct counting *c = self;
    if (c->fails)
        return ERR(IO);
    c->fills++;
    for (size_t i = 0; i < len; i++)
        out[i] = c->next++;
    return ERR_OK;
}

/* Each byte of the source is given out at most once, in few fills; none stays behind. */
static void block_rng_gives_each_byte_once(void **state)
{
    (void)state;
    struct counting c = {0};
    const struct rng from = {count_fill, &c};
    struct rng_block block;
    struct rng rng = rng_of_block(&block, &from);
    uint8_t out[12], large[sizeof block.bytes + 1];
    for (int i = 0; i < 64; i++) { /* 768 bytes: one block */
        assert_ok(rng_fill(&rng, out, sizeof out));
        for (size_t k = 0; k < sizeof out; k++)
            assert_int_equal(out[k], (uint8_t)(i * 12 + (int)k));
    }
    assert_int_equal(c.fills, 1);
    assert_ok(rng_fill(&rng, out, 5));
    assert_int_equal(c.fills, 2);
    uint8_t last = out[4];
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(block.bytes[i], 0);        /* given out: gone */
    assert_ok(rng_fill(&rng, large, sizeof large)); /* not through the block */
    assert_int_equal(c.fills, 3);
    assert_ok(rng_fill(&rng, out, 1));
    assert_int_equal(out[0], (uint8_t)(last + 1));
    /* a source that fails: nothing is given out that was given out before */
    c.fails = true;
    assert_ok(rng_fill(&rng, large, sizeof block.bytes - 6));
    assert_err(rng_fill(&rng, out, 1), IO);
    c.fails = false;
    assert_ok(rng_fill(&rng, out, 1));
    rng_block_wipe(&block);
    for (size_t i = 0; i < sizeof block.bytes; i++)
        assert_int_equal(block.bytes[i], 0);
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

static void buf_is_replaced_whole_or_not_at_all(void **state)
{
    (void)state;
    struct buf old = BUF_INIT, with = BUF_INIT, tight = {.limit = 2};
    buf_append_bytes(&old, bytes_str("old"));
    buf_append_bytes(&with, bytes_str("and "));
    buf_append_bytes(&with, buf_view(&old)); /* a view of what it replaces */
    assert_ok(buf_replace(&old, &with));
    test_assert_bytes(buf_view(&old), bytes_str("and old"));
    assert_true(with.data == NULL && with.len == 0);
    buf_append_bytes(&tight, bytes_str("mo"));
    buf_append_bytes(&tight, bytes_str("re"));
    assert_err(buf_replace(&old, &tight), TOO_LARGE);
    test_assert_bytes(buf_view(&old), bytes_str("and old"));
    assert_true(tight.data == NULL);
    buf_clear(&old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_is_replaced_whole_or_not_at_all),
        cmocka_unit_test(buf_grows_to_its_limit_and_fails_stickily),
        cmocka_unit_test(buf_makes_room_once),
        cmocka_unit_test(block_rng_gives_each_byte_once),
        cmocka_unit_test(compares),
        cmocka_unit_test(every_error_has_its_row),
        cmocka_unit_test(seeded_rng_repeats_and_fills_odd_lengths),
        cmocka_unit_test(fake_clock_moves_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
