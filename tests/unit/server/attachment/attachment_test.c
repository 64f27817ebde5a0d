/* Blobs go up and come down; every error path of the three rows. */
#include "blob_world.h"

static struct blob_world w;

static void down_is(const struct sender *s, struct bytes data, uint64_t offset)
{
    struct reader_end r;
    assert_int_equal(download_all(&w, &r, s->id, s->download, offset), HEARTH_OK);
    test_assert_bytes(buf_view(&r.got), bytes_of(data.data + offset, data.len - offset));
    assert_int_equal(r.items, (data.len + 65535) / 65536 - offset / 65536);
    buf_clear(&r.got);
}

static void test_round_trip(void **state)
{
    (void)state;
    /* below, at and over a block's end; exact blocks; a padded size in between */
    static const size_t sizes[] = {256, 272, 63488, 65536, 67584, 131072, 135168, 1048576};
    static const size_t chunks[] = {65536, 999, 40000};
    world_begin(&w);
    uint64_t total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t j = 0; j < sizeof chunks / sizeof chunks[0]; j++) {
            struct bytes data = blob_bytes(sizes[i]);
            struct sender s;
            assert_int_equal(upload_all(&w, &s, data, chunks[j]), HEARTH_OK);
            total += sizes[i];
            assert_int_equal(s.expires_day, 1800000000 / 86400 + 30);
            down_is(&s, data, 0);
            down_is(&s, data, 1);
            down_is(&s, data, data.len - 1);
            down_is(&s, data, data.len / 65536 * 65536);
        }
    }
    assert_int_equal(world_total(&w), total);
    world_finish(&w);
}

static void test_offset(void **state)
{
    (void)state;
    struct sender s;
    struct reader_end r;
    struct bytes data = blob_bytes(131072);
    world_begin(&w);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_OK);
    down_is(&s, data, 65535);
    down_is(&s, data, 65536);
    /* at the end there is nothing; beyond there is no such place */
    assert_int_equal(download_all(&w, &r, s.id, s.download, data.len), HEARTH_OK);
    assert_int_equal(r.items, 0);
    assert_int_equal(download_all(&w, &r, s.id, s.download, data.len + 1), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(download_all(&w, &r, s.id, s.download, UINT64_MAX), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(r.items, 0);
    buf_clear(&r.got);
    world_finish(&w);
}

static void test_sizes(void **state)
{
    (void)state;
    static const uint64_t refused[] = {0, 1, 255, 257, 65537, 104857600 + 1, UINT64_MAX};
    world_begin(&w);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct sender s;
        sender_start(&w, &s, &refused[i], bytes_of(NULL, 0), 1);
        world_settle_all(&w);
        assert_true(s.done);
        assert_int_equal(s.code, HEARTH_INVALID_ARGUMENT);
        assert_false(attachment_size_fits(refused[i]));
    }
    assert_true(attachment_size_fits(256));
    assert_true(attachment_size_fits(104857600));
    assert_int_equal(world_total(&w), 0);
    world_finish(&w);
}

/* A stream that isn't head, bytes, end; each leaves nothing. */
static void test_order(void **state)
{
    (void)state;
    struct sender s;
    struct bytes data = blob_bytes(262144 + 1);
    uint64_t head = 262144;
    world_begin(&w);
#define REFUSED                                        \
    world_settle_all(&w);                              \
    assert_true(s.done);                               \
    assert_int_equal(s.code, HEARTH_INVALID_ARGUMENT); \
    assert_int_equal(world_total(&w), 0)
    sender_start(&w, &s, NULL, bytes_of(data.data, 100), 100); /* bytes first */
    REFUSED;
    sender_start(&w, &s, &head, bytes_of(NULL, 0), 1); /* two heads */
    sender_head(&s, head);
    REFUSED;
    sender_start(&w, &s, &head, bytes_of(data.data, 131072), 65536);
    sender_head(&s, head);
    REFUSED;
    sender_start(&w, &s, &head, data, 65536); /* one byte too many */
    REFUSED;
    sender_start(&w, &s, &head, bytes_of(data.data, 262143), 65536); /* too few */
    s.half_close = true;
    sender_go_on(&s);
    REFUSED;
    sender_start(&w, &s, &head, bytes_of(NULL, 0), 1); /* none */
    s.half_close = true;
    sender_go_on(&s);
    REFUSED;
    sender_start(&w, &s, NULL, bytes_of(NULL, 0), 1); /* not even a head */
    s.half_close = true;
    sender_go_on(&s);
    REFUSED;
#undef REFUSED
    world_finish(&w);
}

/* Unknown, wrong, deleted, expired: one answer. */
static void test_me2_one_answer(void **state)
{
    (void)state;
    struct sender s, other, gone, answer;
    struct reader_end r;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    assert_int_equal(upload_all(&w, &other, blob_bytes(256), 256), HEARTH_OK);
    assert_int_equal(upload_all(&w, &gone, blob_bytes(256), 256), HEARTH_OK);
    assert_int_equal(delete_blob(&w, gone.id, gone.remove, &answer), HEARTH_OK);
    static const uint8_t nobody[16];
    const struct {
        const uint8_t *id, *capability;
    } wrong[] = {{nobody, s.download},
                 {s.id, other.download},
                 {s.id, s.remove},
                 {other.id, s.download},
                 {gone.id, gone.download}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(download_all(&w, &r, wrong[i].id, wrong[i].capability, 0),
                         HEARTH_NOT_FOUND);
        assert_string_equal(r.message, "not found");
        assert_int_equal(r.items, 0);
        /* also where a blob's length would show */
        assert_int_equal(download_all(&w, &r, wrong[i].id, wrong[i].capability, 1000),
                         HEARTH_NOT_FOUND);
    }
    assert_int_equal(delete_blob(&w, nobody, s.remove, &answer), HEARTH_NOT_FOUND);
    assert_string_equal(answer.message, "not found");
    assert_int_equal(delete_blob(&w, s.id, s.download, &answer), HEARTH_NOT_FOUND);
    assert_string_equal(answer.message, "not found");
    assert_int_equal(delete_blob(&w, s.id, other.remove, &answer), HEARTH_NOT_FOUND);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    world_finish(&w);
}

static void test_delete(void **state)
{
    (void)state;
    struct sender s, answer;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &s, blob_bytes(4 << 20), 65536), HEARTH_OK);
    assert_int_equal(world_total(&w), 4 << 20);
    assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_OK);
    /* more blocks than one transaction removes: the rest went, too */
    assert_int_equal(world_total(&w), 0);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_NOT_FOUND);
    /* repeated: the same answer, to its last day */
    assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_OK);
    w.fake.now_us += 30 * DAY_US;
    assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_OK);
    w.fake.now_us += DAY_US;
    assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_NOT_FOUND);
    assert_int_equal(world_total(&w), 0);
    world_finish(&w);
}

static void test_expiry(void **state)
{
    (void)state;
    struct sender old, deleted, young, answer;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &old, blob_bytes(4 << 20), 65536), HEARTH_OK);
    assert_int_equal(upload_all(&w, &deleted, blob_bytes(256), 65536), HEARTH_OK);
    assert_int_equal(delete_blob(&w, deleted.id, deleted.remove, &answer), HEARTH_OK);
    w.fake.now_us += DAY_US;
    assert_int_equal(upload_all(&w, &young, blob_bytes(65536), 65536), HEARTH_OK);
    assert_int_equal(young.expires_day, old.expires_day + 1);
    w.fake.now_us += 29 * DAY_US;
    while (attachment_expire(w.attachment))
        ;
    assert_int_equal(download_code(&w, old.id, old.download), HEARTH_OK);
    w.fake.now_us += DAY_US;
    /* readable no more, also before anybody has cleared up */
    assert_int_equal(download_code(&w, old.id, old.download), HEARTH_NOT_FOUND);
    assert_int_equal(delete_blob(&w, old.id, old.remove, &answer), HEARTH_NOT_FOUND);
    assert_int_equal(world_total(&w), (4 << 20) + 65536);
    unsigned runs = 1;
    while (attachment_expire(w.attachment))
        runs++;
    assert_true(runs >= 2); /* in pieces */
    assert_int_equal(world_total(&w), 65536);
    assert_int_equal(download_code(&w, young.id, young.download), HEARTH_OK);
    world_finish(&w);
}

/* Whoever goes away in the middle leaves nothing, at whichever point. */
static void test_cancelled_upload(void **state)
{
    (void)state;
    struct bytes data = blob_bytes(1048576);
    uint64_t head = data.len;
    unsigned started = 0, completed = 0;
    world_begin(&w);
    for (int steps = 0; steps < 400; steps += 1 + steps / 8) {
        struct sender s;
        sender_start(&w, &s, &head, data, 65536);
        s.half_close = true;
        for (int i = 0; i < steps && !s.done; i++) {
            loop_step(w.loop);
            store_turn(attachment_store(w.attachment));
        }
        bool all_sent = s.left.len == 0, answered = s.done;
        uint64_t before = world_total(&w);
        if (s.call != NULL)
            hearth_client_call_cancel(s.call);
        world_settle_all(&w);
        assert_true(s.done);
        if (answered) {
            struct sender answer;
            assert_int_equal(s.code, HEARTH_OK);
            assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_OK);
            completed++;
        } else if (world_total(&w) > 0) {
            /* the answer was on its way: that is for expiry */
            assert_true(all_sent);
            assert_int_equal(before, data.len);
            world_forget_blobs(&w);
        }
        started += before > 0 && !answered;
        assert_int_equal(world_total(&w), 0);
    }
    assert_true(started > 10 && completed > 0);
    world_finish(&w);
}

/* The server and the store end with a block committed and the next one under way. */
static void test_end_of_an_upload(void **state)
{
    (void)state;
    struct sender s;
    struct bytes data = blob_bytes(262144);
    uint64_t head = data.len;
    world_begin(&w);
    sender_start(&w, &s, &head, bytes_of(data.data, 131072), 65536);
    world_settle_all(&w);
    assert_int_equal(world_total(&w), data.len);
    s.left = bytes_of(data.data + 131072, 65536);
    sender_go_on(&s);
    world_settle_with(&w, false);
    world_finish(&w);
    assert_true(s.done);
}

static void test_cancelled_download(void **state)
{
    (void)state;
    struct sender s;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &s, blob_bytes(1048576), 65536), HEARTH_OK);
    for (int steps = 0; steps < 60; steps++) {
        struct reader_end r;
        reader_start(&w, &r, s.id, s.download, 0);
        for (int i = 0; i < steps && !r.done; i++) {
            loop_step(w.loop);
            store_turn(attachment_store(w.attachment));
        }
        if (r.call != NULL)
            hearth_client_call_cancel(r.call);
        world_settle_all(&w);
        assert_true(r.done);
        buf_clear(&r.got);
    }
    /* the server ends with calls under way */
    struct reader_end r;
    reader_start(&w, &r, s.id, s.download, 0);
    for (int i = 0; i < 6; i++)
        loop_step(w.loop);
    world_finish(&w);
    assert_true(r.done);
    buf_clear(&r.got);
}

/* Who asks for a deletion and goes: it happens or not, and the call ends either way. */
static void test_cancelled_delete(void **state)
{
    (void)state;
    struct sender s, answer;
    world_begin(&w);
    for (int steps = 0; steps < 12; steps++) {
        assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
        struct hearth_client_call *call = delete_start(&w, s.id, s.remove, &answer);
        for (int i = 0; i < steps && !answer.done; i++)
            loop_step(w.loop);
        if (!answer.done)
            hearth_client_call_cancel(call);
        world_settle_all(&w);
        assert_true(answer.done);
        /* whatever became of it, it can be asked again */
        assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_OK);
        assert_int_equal(world_total(&w), 0);
    }
    /* the server ends with one under way */
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    (void)delete_start(&w, s.id, s.remove, &answer);
    for (int i = 0; i < 4; i++)
        loop_step(w.loop);
    world_finish(&w);
    assert_true(answer.done);
}

/* A blob that is deleted while it is read: the reader is told, not given less. */
static void test_deleted_while_read(void **state)
{
    (void)state;
    struct sender s, answer;
    struct reader_end r;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &s, blob_bytes(4 << 20), 65536), HEARTH_OK);
    reader_start(&w, &r, s.id, s.download, 0);
    hearth_client_call_pause(r.call);
    world_settle_all(&w);
    assert_false(r.done);
    assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_OK);
    hearth_client_call_resume(r.call);
    world_settle_all(&w);
    assert_true(r.done);
    assert_int_equal(r.code, HEARTH_NOT_FOUND);
    assert_true(r.got.len < 4 << 20);
    buf_clear(&r.got);
    world_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_offset),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_me2_one_answer),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_cancelled_upload),
        cmocka_unit_test(test_end_of_an_upload),
        cmocka_unit_test(test_cancelled_download),
        cmocka_unit_test(test_cancelled_delete),
        cmocka_unit_test(test_deleted_while_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
