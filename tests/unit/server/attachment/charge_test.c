/* What attachments cost (tokens.md): a token for each 64 KiB that is stored, in the transaction of
 * the first block; an allowance for who has a capability, then whole tokens. */
#include "blob_world.h"

static struct blob_world w;
static struct tokens purse;

static void set(const char *name, uint64_t value)
{
    assert_ok(limits_set(front_limits(w.front), name, value));
}

static int setup(void **state)
{
    (void)state;
    world_make(&w, NULL);
    assert_ok(world_open_blobs(&w));
    front_set_tokens(w.front, true);
    set("CREDITS_FREE", 2);
    tokens_draw(&purse, w.keeper, "a.test", PASS_ATTACHMENT, clock_unix_ms(&w.clock) / 1000, 40,
                &w.rng);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_finish(&w);
    return 0;
}

/* `count` tokens from the from-th on go with the next calls: in the head, and as metadata. */
static void bring(size_t from, size_t count)
{
    w.tokens = bytes_of(purse.bytes[from], count * PASS_SHORT_BYTES);
    w.metadata = purse.metadata + from;
    w.metadata_count = count;
}

static void a_token_for_each_64_kib(void **state)
{
    (void)state;
    struct sender s;
    struct bytes data = blob_bytes(4 * 65536);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_UNAUTHENTICATED);
    assert_int_equal(s.wanted, 4);
    bring(0, 3);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_UNAUTHENTICATED);
    bring(0, 5);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_UNAUTHENTICATED);
    bring(0, 4);
    w.tokens.len += 5; /* and a piece of another */
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_UNAUTHENTICATED);
    assert_int_equal(world_total(&w), 0);
    bring(0, 4);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_OK);
    bring(3, 4); /* one of them spent */
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_UNAUTHENTICATED);
    bring(4, 1);
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    assert_int_equal(world_total(&w), 4 * 65536 + 256);
}

static void a_repeat_costs_nothing(void **state)
{
    (void)state;
    struct sender first, s;
    bring(0, 1);
    assert_int_equal(upload_all(&w, &first, blob_bytes(256), 256), HEARTH_OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(upload_again(&w, &s, blob_bytes(256), 256, &first), HEARTH_OK);
    bring(0, 0);
    assert_int_equal(upload_again(&w, &s, blob_bytes(256), 256, &first), HEARTH_OK);
    assert_memory_equal(s.id, first.id, sizeof s.id);
}

/* What broke off goes on with the tokens that it began with, a few times. */
static void one_that_broke_off_is_paid(void **state)
{
    (void)state;
    struct sender first, s;
    struct bytes data = blob_bytes(4 * 65536);
    uint64_t head = data.len;
    bring(0, 4);
    sender_start(&w, &first, &head, bytes_of(data.data, 131072), 65536);
    world_settle_all(&w);
    assert_int_equal(world_total(&w), data.len); /* its first block is there, and the room taken */
    hearth_client_call_cancel(first.call);
    world_settle_all(&w);
    assert_int_equal(world_total(&w), 0);
    assert_int_equal(upload_again(&w, &s, data, 65536, &first), HEARTH_OK);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_UNAUTHENTICATED); /* not another */
}

static void readers_have_an_allowance(void **state)
{
    (void)state;
    struct sender s, d;
    bring(0, 1);
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    bring(0, 0);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_UNAUTHENTICATED);
    assert_int_equal(delete_blob(&w, s.id, s.remove, &d), HEARTH_UNAUTHENTICATED);
    assert_int_equal(d.wanted, 1);
    bring(1, 1);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_UNAUTHENTICATED);
    bring(2, 2);
    assert_int_equal(delete_blob(&w, s.id, s.remove, &d), HEARTH_UNAUTHENTICATED);
    bring(2, 1);
    assert_int_equal(delete_blob(&w, s.id, s.remove, &d), HEARTH_OK);
    assert_int_equal(world_total(&w), 0);
}

static void off_means_off(void **state)
{
    (void)state;
    struct sender s;
    front_set_tokens(w.front, false);
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    set("DOWNLOAD_PREFIX_BLOCKS", 1); /* the other limits hold */
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_RESOURCE_EXHAUSTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_token_for_each_64_kib),
        TEST(a_repeat_costs_nothing),
        TEST(one_that_broke_off_is_paid),
        TEST(readers_have_an_allowance),
        TEST(off_means_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
