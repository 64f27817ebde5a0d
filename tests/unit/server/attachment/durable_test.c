/* What lies on the disk: all of what was answered, nothing of what was not, and nothing readable.
 */
#include "blob_world.h"

#include <sqlite3.h>

#include "support/vfs_fault.h"

#ifdef __SANITIZE_THREAD__ /* one thread: nothing to find there, and slow */
enum { STRIDE = 9 };
#else
enum { STRIDE = 1 };
#endif

static struct blob_world w;
static struct vfs_fault *v;

static void begin_on_files(bool control)
{
    w.options.control = control;
    assert_ok(world_open_blobs(&w));
}

/* One number from the files of a service that is closed. */
static int64_t ask(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2("blobs.db", &db, SQLITE_OPEN_READWRITE, "blobs"), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

/* Rows, blocks and the sum agree, and there is nothing unfinished. */
static bool files_are_clean(void)
{
    return ask("SELECT count(*) FROM attachment WHERE state = 0") == 0 &&
           ask("SELECT count(*) FROM doomed") == 0 &&
           ask("SELECT count(*) FROM block") ==
               ask("SELECT coalesce(sum((bytes + 65535) / 65536), 0) FROM attachment") &&
           ask("SELECT bytes FROM total") == ask("SELECT coalesce(sum(bytes), 0) FROM attachment");
}

struct crash {
    bool power;   /* the power goes; else kill -9 */
    bool control; /* nothing is given up at the start */
    unsigned answered, cut, dirty;
};

/* One upload is answered, another goes on when the machine stops after so many changes. */
static void crash_at(struct crash *c, long changes)
{
    struct sender first, second;
    v = vfs_fault_new("blobs");
    world_make(&w, "blobs");
    begin_on_files(c->control);
    struct bytes data = blob_bytes(131072), more = blob_bytes(262144);
    uint64_t head = more.len;
    assert_int_equal(upload_all(&w, &first, data, 65536), HEARTH_OK);
    vfs_power_off_after(v, changes);
    sender_start(&w, &second, &head, more, 65536);
    second.half_close = true;
    sender_go_on(&second);
    world_settle_all(&w);
    bool answered = second.done && second.code == HEARTH_OK;
    world_close_blobs(&w);
    if (c->power)
        vfs_power_on(v, (uint64_t)changes);
    else
        vfs_restart(v);

    begin_on_files(c->control);
    world_settle_all(&w);
    struct reader_end r;
    assert_int_equal(download_all(&w, &r, first.id, first.download, 0), HEARTH_OK);
    test_assert_bytes(buf_view(&r.got), data);
    buf_clear(&r.got);
    if (answered) {
        assert_int_equal(download_all(&w, &r, second.id, second.download, 0), HEARTH_OK);
        test_assert_bytes(buf_view(&r.got), more);
        buf_clear(&r.got);
    }
    world_close_blobs(&w);
    bool clean = files_are_clean();
    assert_true(clean || c->control);
    c->answered += answered;
    c->cut += !answered;
    c->dirty += !clean;
    world_drop(&w);
    vfs_fault_free(v);
}

static void crash_everywhere(struct crash *c)
{
    for (long changes = 0; c->answered < 3; changes += STRIDE)
        crash_at(c, changes);
    assert_true(c->cut > 20 / STRIDE);
}

/* Q1 for blobs: an answer means durable; and no answer means nothing. */
static void test_q1_kill(void **state)
{
    (void)state;
    struct crash c = {.power = false};
    crash_everywhere(&c);
    assert_int_equal(c.dirty, 0);
}

static void test_q1_power(void **state)
{
    (void)state;
    struct crash c = {.power = true};
    crash_everywhere(&c);
    assert_int_equal(c.dirty, 0);
}

/* The control: without the giving up at the start, parts stay. */
static void test_q1_control(void **state)
{
    (void)state;
    struct crash c = {.control = true};
    crash_everywhere(&c);
    assert_true(c.dirty > 0);
}

static void begin_fresh(void)
{
    v = vfs_fault_new("blobs");
    world_make(&w, "blobs");
    begin_on_files(false);
}

static void end_fresh(void)
{
    world_close_blobs(&w);
    assert_true(files_are_clean());
    world_drop(&w);
    vfs_fault_free(v);
}

/* ME3: ids, capabilities and contents are in no file; what was deleted is in none either. */
static void test_me3_files(void **state)
{
    (void)state;
    struct sender s, gone, answer;
    uint8_t sealed[200];
    begin_fresh();
    struct bytes data = blob_bytes(131072);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_OK);
    assert_int_equal(upload_all(&w, &gone, blob_bytes(65536), 65536), HEARTH_OK);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    /* a piece of the second blob as it lies on the disk */
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2("blobs.db", &db, SQLITE_OPEN_READWRITE, "blobs"), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT sealed FROM block ORDER BY place DESC LIMIT 1",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(statement, 0), 65536 + AT_REST_OVERHEAD_BYTES);
    memcpy(sealed, (const uint8_t *)sqlite3_column_blob(statement, 0) + 20000, sizeof sealed);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    assert_true(vfs_contains(v, bytes_of(sealed, sizeof sealed))); /* so it can be found */

    assert_false(vfs_contains(v, bytes_of(s.id, sizeof s.id)));
    assert_false(vfs_contains(v, bytes_of(s.download, sizeof s.download)));
    assert_false(vfs_contains(v, bytes_of(s.remove, sizeof s.remove)));
    for (size_t at = 0; at + 16 <= data.len; at += 16384)
        assert_false(vfs_contains(v, bytes_of(data.data + at, 16)));
    assert_int_equal(delete_blob(&w, gone.id, gone.remove, &answer), HEARTH_OK);
    for (int i = 0; i < 30; i++) {
        w.fake.now_us += 1000000;
        world_settle_all(&w);
    }
    assert_false(vfs_contains(v, bytes_of(sealed, sizeof sealed)));
    world_close_blobs(&w);
    world_drop(&w);
    vfs_fault_free(v);
}

/* A block that was changed or moved on the disk is not handed out. */
static void test_damage(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "UPDATE block SET sealed = (SELECT sealed FROM block WHERE place % 65536 = 0) RETURNING 1",
        "UPDATE block SET sealed = substr(sealed, 1, 1000) RETURNING 1",
        "UPDATE block SET sealed = zeroblob(65576) RETURNING 1",
        "UPDATE block SET sealed = zeroblob(0) RETURNING 1",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct sender s;
        struct reader_end r;
        begin_fresh();
        assert_int_equal(upload_all(&w, &s, blob_bytes(262144), 65536), HEARTH_OK);
        world_close_blobs(&w);
        assert_int_equal(ask(changes[i]), 1);
        begin_on_files(false);
        assert_int_equal(download_all(&w, &r, s.id, s.download, 65536), HEARTH_DATA_LOSS);
        assert_int_equal(r.items, 0);
        buf_clear(&r.got);
        world_close_blobs(&w);
        world_drop(&w);
        vfs_fault_free(v);
    }
}

/* The disk is full for a moment: that upload fails, the next one does not, nothing is left. */
static void test_full_disk(void **state)
{
    (void)state;
    for (long n = 0; n < 40; n += 3) {
        struct sender s, answer;
        begin_fresh();
        vfs_fail(v, VFS_WRITE, VFS_FULL, n, 1);
        enum hearth_code code = upload_all(&w, &s, blob_bytes(262144), 65536);
        bool failed = vfs_failed(v) > 0;
        if (code != HEARTH_OK)
            assert_true(failed);
        if (err_is_ok(store_health(attachment_store(w.attachment)))) {
            if (code == HEARTH_OK)
                assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_OK);
            assert_int_equal(upload_all(&w, &s, blob_bytes(65536), 65536), HEARTH_OK);
            assert_int_equal(world_total(&w), 65536);
            world_close_blobs(&w);
        } else { /* S1: the store has stopped; a restart is what helps */
            assert_int_not_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
            world_close_blobs(&w);
            begin_on_files(false);
            world_settle_all(&w);
            world_close_blobs(&w);
        }
        /* a deleted blob's row stays, without bytes */
        assert_true(files_are_clean());
        world_drop(&w);
        vfs_fault_free(v);
    }
}

/* Every row's answer when the store has stopped, and an open that can't. */
static void test_stopped(void **state)
{
    (void)state;
    struct sender s, answer;
    struct reader_end r;
    begin_fresh();
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    vfs_power_off_after(v, 0);
    assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_UNAVAILABLE);
    assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_UNAVAILABLE);
    assert_int_equal(upload_all(&w, &answer, blob_bytes(256), 256), HEARTH_UNAVAILABLE);
    (void)download_all(&w, &r, s.id, s.download, 0);
    assert_true(r.code == HEARTH_UNAVAILABLE || r.code == HEARTH_OK); /* it may lie in the cache */
    buf_clear(&r.got);
    assert_false(attachment_expire(w.attachment));
    world_close_blobs(&w);
    assert_false(err_is_ok(world_open_blobs(&w)));
    vfs_restart(v);
    begin_on_files(false);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    end_fresh();
}

/* A disk that does not write any more: an error for everybody, no crash; the restart clears up. */
static void test_broken_disk(void **state)
{
    (void)state;
    for (long n = 0; n < 30; n += 3) {
        struct sender s;
        begin_fresh();
        vfs_fail(v, VFS_SYNC, VFS_ERROR, n, 1);
        enum hearth_code code = upload_all(&w, &s, blob_bytes(262144), 65536);
        if (vfs_failed(v) > 0)
            assert_int_equal(code, HEARTH_UNAVAILABLE);
        world_close_blobs(&w);
        begin_on_files(false);
        world_settle_all(&w);
        end_fresh();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_q1_kill),     cmocka_unit_test(test_q1_power),
        cmocka_unit_test(test_q1_control),  cmocka_unit_test(test_me3_files),
        cmocka_unit_test(test_damage),      cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_broken_disk), cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
