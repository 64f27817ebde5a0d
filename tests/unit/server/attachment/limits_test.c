/* What one caller, and all together, may take: room, rate, memory, how many at once. */
#include "blob_world.h"

#include "support/failing.h"

static struct blob_world w;

static void set(const char *name, uint64_t value)
{
    assert_ok(limits_set(front_limits(w.front), name, value));
}

static void test_room(void **state)
{
    (void)state;
    struct bytes data = blob_bytes(4 << 20);
    struct sender s, first, answer;
    world_begin(&w);
    set("ATTACHMENTS_BYTES", 16); /* MiB */
    assert_int_equal(upload_all(&w, &first, data, 65536), HEARTH_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_OK);
    assert_int_equal(world_total(&w), 16 << 20);
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(world_total(&w), 16 << 20);
    /* a deletion makes room */
    assert_int_equal(delete_blob(&w, first.id, first.remove, &answer), HEARTH_OK);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_OK);
    /* room is taken for the whole when the first block comes */
    world_forget_blobs(&w);
    assert_int_equal(world_total(&w), 0);
    struct sender slow[5];
    uint64_t head = data.len;
    for (int i = 0; i < 5; i++)
        sender_start(&w, &slow[i], &head, bytes_of(data.data, 131072), 65536);
    world_settle_all(&w);
    assert_int_equal(world_total(&w), 16 << 20);
    unsigned refused = 0;
    for (int i = 0; i < 5; i++) {
        refused += slow[i].done && slow[i].code == HEARTH_RESOURCE_EXHAUSTED;
        if (slow[i].call != NULL)
            hearth_client_call_cancel(slow[i].call);
    }
    assert_int_equal(refused, 1);
    world_settle_all(&w);
    assert_int_equal(world_total(&w), 0);
    world_finish(&w);
}

/* The control: without the quota more is taken than the operator gave. */
static void test_room_control(void **state)
{
    (void)state;
    struct sender s;
    world_make(&w, NULL);
    w.options.control = true;
    assert_ok(world_open_blobs(&w));
    set("ATTACHMENTS_BYTES", 16);
    for (int i = 0; i < 5; i++)
        assert_int_equal(upload_all(&w, &s, blob_bytes(4 << 20), 65536), HEARTH_OK);
    assert_int_equal(world_total(&w), 20 << 20);
    world_finish(&w);
}

static void test_rate_of_a_prefix(void **state)
{
    (void)state;
    struct sender s;
    world_begin(&w);
    set("UPLOAD_PREFIX_MIB", 2);
    /* started MiB count, however small */
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    assert_int_equal(upload_all(&w, &s, blob_bytes(1048576), 65536), HEARTH_OK);
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_RESOURCE_EXHAUSTED);
    assert_true(s.retry_after_s > 0);
    /* somebody else is not concerned */
    struct hearth_channel *mine = w.channel;
    struct hearth_channel_options options = {.loop = w.loop};
    w.channel = hearth_channel_new("pipe:blobs@192.0.2.7", &options);
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    hearth_channel_free(w.channel);
    w.channel = mine;
    w.fake.now_us += UINT64_C(3600) * 1000000;
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    world_finish(&w);
}

/* A block is paid for as it is sent; what is not sent any more can be had later from its offset. */
static void test_download_rates(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool others_too;
    } rows[] = {{"DOWNLOAD_PREFIX_BLOCKS", false}, {"DOWNLOAD_ALL_BLOCKS", true}};
    struct bytes data = blob_bytes(8 * 65536);
    for (size_t i = 0; i < 2; i++) {
        struct sender s;
        struct reader_end r, rest;
        world_begin(&w);
        assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_OK);
        set(rows[i].name, 5);
        assert_int_equal(download_all(&w, &r, s.id, s.download, 0), HEARTH_RESOURCE_EXHAUSTED);
        assert_int_equal(r.got.len, 5 * 65536);
        assert_true(r.retry_after_s > 0 && r.retry_after_s <= 3600);
        assert_int_equal(download_all(&w, &rest, s.id, s.download, 0), HEARTH_RESOURCE_EXHAUSTED);
        assert_int_equal(rest.got.len, 0);
        /* somebody else */
        struct hearth_channel *mine = w.channel;
        struct hearth_channel_options options = {.loop = w.loop};
        w.channel = hearth_channel_new("pipe:blobs@192.0.2.7", &options);
        buf_clear(&rest.got);
        assert_int_equal(download_all(&w, &rest, s.id, s.download, 5 * 65536),
                         rows[i].others_too ? HEARTH_RESOURCE_EXHAUSTED : HEARTH_OK);
        hearth_channel_free(w.channel);
        w.channel = mine;
        /* what was told is true, and the rest is the rest */
        w.fake.now_us += (uint64_t)r.retry_after_s * 4 * 1000000;
        buf_clear(&rest.got);
        assert_int_equal(download_all(&w, &rest, s.id, s.download, 5 * 65536), HEARTH_OK);
        assert_int_equal(rest.got.len, 3 * 65536);
        assert_memory_equal(rest.got.data, data.data + 5 * 65536, rest.got.len);
        buf_clear(&rest.got);
        buf_clear(&r.got);
        world_finish(&w);
    }
}

/* Asking for what is not there, or for a few bytes, leaves to all others what is for all. */
static void test_download_all_is_of_what_is_sent(void **state)
{
    (void)state;
    static const uint8_t unknown[32] = {1};
    struct sender few, s;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &few, blob_bytes(256), 256), HEARTH_OK);
    assert_int_equal(upload_all(&w, &s, blob_bytes(2 * 65536), 65536), HEARTH_OK);
    set("DOWNLOAD_ALL_BLOCKS", 2);
    for (int i = 0; i < 8; i++) {
        struct reader_end r;
        assert_int_equal(download_code(&w, unknown, unknown), HEARTH_NOT_FOUND);
        assert_int_equal(download_code(&w, few.id, few.download), HEARTH_OK);
        assert_int_equal(download_all(&w, &r, s.id, s.download, 2 * 65536 - 1), HEARTH_OK);
        assert_int_equal(r.got.len, 1);
        buf_clear(&r.got);
    }
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_RESOURCE_EXHAUSTED);
    world_finish(&w);
}

static void test_download_rates_control(void **state)
{
    (void)state;
    struct sender s;
    world_make(&w, NULL);
    w.options.control = true;
    assert_ok(world_open_blobs(&w));
    assert_int_equal(upload_all(&w, &s, blob_bytes(8 * 65536), 65536), HEARTH_OK);
    set("DOWNLOAD_PREFIX_BLOCKS", 5);
    set("DOWNLOAD_ALL_BLOCKS", 5);
    for (int i = 0; i < 3; i++)
        assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    world_finish(&w);
}

static void test_size_of_one(void **state)
{
    (void)state;
    struct sender s;
    world_begin(&w);
    set("ATTACHMENT_BYTES", 65536);
    assert_int_equal(upload_all(&w, &s, blob_bytes(65536), 65536), HEARTH_OK);
    assert_int_equal(upload_all(&w, &s, blob_bytes(67584), 65536), HEARTH_INVALID_ARGUMENT);
    world_finish(&w);
}

static void test_at_once(void **state)
{
    (void)state;
    struct sender first, s;
    struct reader_end reader, r;
    uint64_t head = 256;
    world_begin(&w);
    set("UPLOADS", 1);
    set("DOWNLOADS", 1);
    sender_start(&w, &first, &head, bytes_of(NULL, 0), 1);
    world_settle_all(&w);
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_RESOURCE_EXHAUSTED);
    hearth_client_call_cancel(first.call);
    world_settle_all(&w);
    for (int i = 0; i < 3;
         i++) /* the one that ended is not counted any more, nor the one refused */
        assert_int_equal(upload_all(&w, &s, blob_bytes(1048576), 65536), HEARTH_OK);
    reader_start(&w, &reader, s.id, s.download, 0);
    hearth_client_call_pause(reader.call);
    world_settle_all(&w);
    assert_false(reader.done);
    assert_int_equal(download_all(&w, &r, s.id, s.download, 0), HEARTH_RESOURCE_EXHAUSTED);
    hearth_client_call_cancel(reader.call);
    world_settle_all(&w);
    for (int i = 0; i < 3; i++)
        assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    buf_clear(&reader.got);
    buf_clear(&r.got);
    world_finish(&w);
}

/* One source can't take all places by letting many uploads crawl; without its share it can. */
static void test_places_of_a_prefix(void **state)
{
    (void)state;
    for (int control = 0; control < 2; control++) {
        struct sender crawls[20], s;
        uint64_t head = 256;
        unsigned refused = 0;
        world_make(&w, NULL);
        w.options.control = control;
        assert_ok(world_open_blobs(&w));
        set("UPLOADS", 16);
        for (int i = 0; i < 20; i++) {
            sender_start(&w, &crawls[i], &head, bytes_of(NULL, 0), 1);
            world_settle_all(&w);
            refused += crawls[i].done;
        }
        assert_int_equal(refused, control ? 4 : 18);
        struct hearth_channel *mine = w.channel;
        struct hearth_channel_options options = {.loop = w.loop};
        w.channel = hearth_channel_new("pipe:blobs@192.0.2.7", &options);
        enum hearth_code honest = upload_all(&w, &s, blob_bytes(256), 256);
        assert_int_equal(honest, control ? HEARTH_RESOURCE_EXHAUSTED : HEARTH_OK);
        hearth_channel_free(w.channel);
        w.channel = mine;
        world_finish(&w);
    }
}

/* While the disk is busy the sender waits; nothing piles up here. */
static void test_memory_of_an_upload(void **state)
{
    (void)state;
    struct sender s;
    struct bytes data = blob_bytes(4 << 20);
    uint64_t head = data.len;
    world_begin(&w);
    sender_start(&w, &s, &head, data, 16384);
    world_settle_with(&w, false);
    /* two blocks here, windows and the sender's own buffer on the way */
    size_t taken = data.len - s.left.len;
    assert_true(taken > 65536 && taken < 512 * 1024);
    world_settle_all(&w);
    assert_int_equal(s.left.len, 0);
    s.half_close = true;
    sender_go_on(&s);
    world_settle_all(&w);
    assert_int_equal(s.code, HEARTH_OK);
    world_finish(&w);
}

/* Who does not read is not read ahead for. */
static void test_memory_of_a_download(void **state)
{
    (void)state;
    struct sender s;
    struct reader_end r;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &s, blob_bytes(4 << 20), 65536), HEARTH_OK);
    uint64_t before = store_stats(attachment_store(w.attachment)).reads;
    reader_start(&w, &r, s.id, s.download, 0);
    hearth_client_call_pause(r.call);
    world_settle_all(&w);
    uint64_t reads = store_stats(attachment_store(w.attachment)).reads - before;
    assert_true(reads >= 1 && reads <= 8);
    hearth_client_call_resume(r.call);
    world_settle_all(&w);
    assert_int_equal(r.code, HEARTH_OK);
    test_assert_bytes(buf_view(&r.got), blob_bytes(4 << 20));
    buf_clear(&r.got);
    world_finish(&w);
}

static void up_and_down(void)
{
    struct sender s;
    struct reader_end r = {0};
    uint64_t head = 67584;
    sender_start(&w, &s, &head, blob_bytes(67584), 65536);
    s.half_close = true;
    sender_go_on(&s);
    world_settle_all(&w);
    if (s.done && s.code == HEARTH_OK) {
        reader_start(&w, &r, s.id, s.download, 0);
        world_settle_all(&w);
        if (r.done && r.code == HEARTH_OK && !r.got.failed) {
            test_pause_failing();
            test_assert_bytes(buf_view(&r.got), blob_bytes(67584));
            test_resume_failing();
        }
    }
    test_pause_failing();
    if (s.call != NULL)
        hearth_client_call_cancel(s.call);
    if (r.call != NULL)
        hearth_client_call_cancel(r.call);
    world_settle_all(&w);
    buf_clear(&r.got);
    test_resume_failing();
}

/* Each allocation of ours fails once: the call ends with a code, the service serves on, nothing is
 * left behind. */
static void test_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct sender s;
        long live = test_live_allocations();
        world_begin(&w);
        assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
        test_fail_own_allocation(n);
        up_and_down();
        failed = test_allocation_failed();
        assert_int_equal(upload_all(&w, &s, blob_bytes(67584), 65536), HEARTH_OK);
        assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
        world_forget_blobs(&w);
        assert_int_equal(world_total(&w), 0);
        world_finish(&w);
        assert_int_equal(test_live_allocations(), live);
    }
}

/* Opening fails as a whole or not at all. */
static void test_open_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct err err;
    bool failed;
    long n = 0;
    do {
        long live = test_live_allocations();
        world_make(&w, NULL);
        w.env = (struct front_env){
            .domain = "a.test", .clock = &w.clock, .rng = &w.rng, .keeper = w.keeper};
        assert_ok(front_new(&w.env, NULL, &w.front));
        test_fail_own_allocation(n++);
        err = attachment_open(&w.env, &w.options, &w.attachment);
        failed = test_allocation_failed();
        assert_true(failed || err_is_ok(err));
        if (err_is_ok(err))
            attachment_close(w.attachment);
        front_free(w.front);
        world_drop(&w);
        assert_int_equal(test_live_allocations(), live);
    } while (failed);
    assert_true(n > 2);
    attachment_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_room_control),
        cmocka_unit_test(test_rate_of_a_prefix),
        cmocka_unit_test(test_download_rates),
        cmocka_unit_test(test_download_all_is_of_what_is_sent),
        cmocka_unit_test(test_download_rates_control),
        cmocka_unit_test(test_size_of_one),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_places_of_a_prefix),
        cmocka_unit_test(test_memory_of_an_upload),
        cmocka_unit_test(test_memory_of_a_download),
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_open_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
