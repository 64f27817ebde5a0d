/* What the store owes between transactions: deleted rows leave the files in time (ME3), readers in
 * the way included; a disk that fills up leaves reading and deleting possible (S2). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/store/store_kit.h"
#include "support/store_dir.h"
#include "support/test.h"
#include "support/vfs_fault.h"

enum { PUT, DELETE, COUNT };

static const struct stmt_row statements[] = {
    [PUT] = {"put", "INSERT INTO secret (id, body) VALUES ($1, $2)"},
    [DELETE] = {"delete", "DELETE FROM secret"},
    [COUNT] = {"count", "SELECT COUNT(*) FROM secret"},
};
static const struct store_migration migrations[] = {
    {1, "CREATE TABLE secret (id BIGINT NOT NULL PRIMARY KEY, body BLOB NOT NULL)"},
};
static const struct store_schema schema = {migrations, 1, statements, 3};

static const char canary[] = "canary-5f0e8a1c";

static struct err put(struct store_txn *txn, void *arg)
{
    uint8_t body[5000]; /* spills into overflow pages */
    memset(body, 'x', sizeof body);
    for (size_t at = 0; at + sizeof canary < sizeof body; at += 500)
        memcpy(body + at, canary, sizeof canary);
    struct stmt *s = stmt_use(txn, PUT);
    stmt_bind_u64(s, 1, *(uint64_t *)arg);
    stmt_bind_blob(s, 2, bytes_of(body, sizeof body));
    return stmt_run(s, NULL);
}

static struct err delete_all(struct store_txn *txn, void *arg)
{
    (void)arg;
    return stmt_run(stmt_use(txn, DELETE), NULL);
}

static void deleted_rows_leave_the_files_in_time(void **state)
{
    (void)state;
    struct clock_fake now = {.now_us = 1};
    struct clock fake = clock_of_fake(&now);
    struct vfs_fault *v = vfs_fault_new("upkeep");
    struct store_options o = {
        .path = "u.db", .files = "upkeep", .schema = &schema, .mode = STORE_INLINE, .clock = &fake};
    struct store *s;
    assert_ok(store_open(&o, NULL, &s));
    for (uint64_t id = 0; id < 30; id++)
        assert_ok(store_call(s, put, &id));
    assert_true(vfs_contains(v, bytes_str(canary)));
    assert_ok(store_call(s, delete_all, NULL));
    assert_true(vfs_contains(v, bytes_str(canary))); /* the log holds it: control of this test */

    /* busy: a commit every half second, so it is never idle, and yet it is gone in 30 s */
    for (uint64_t i = 0; i < 58; i++) {
        now.now_us += 500 * 1000;
        uint64_t id = 1000;
        assert_ok(store_call(s, i % 2 ? delete_all : put, &id));
    }
    assert_ok(store_call(s, delete_all, NULL));
    now.now_us += 1100 * 1000; /* idle for a second */
    while (store_turn(s))
        ;
    assert_false(vfs_contains(v, bytes_str(canary)));
    assert_int_equal(vfs_size(v, "u.db-wal"), 0);
    assert_true(store_stats(s).truncations >= 2); /* once while busy, once when idle */

    uint64_t id = 1;
    assert_ok(store_call(s, put, &id));
    assert_ok(store_call(s, delete_all, NULL));
    store_truncate_log(s); /* on demand: at once */
    while (store_turn(s))
        ;
    assert_false(vfs_contains(v, bytes_str(canary)));
    store_close(s);
    vfs_fault_free(v);
}

/* ---- a reader that does not end */

static atomic_bool reading;

static struct err map_nothing(struct stmt *row, void *arg)
{
    (void)row;
    (void)arg;
    reading = true;
    (void)usleep(2000);
    return ERR_OK;
}

static struct err read_for_ever(struct store_txn *txn, void *arg)
{
    for (;;)
        TRY(stmt_each(stmt_use(txn, COUNT), map_nothing, arg));
}

static struct err read_result;

static void *reader_main(void *arg)
{
    read_result = store_call_read(arg, read_for_ever, NULL);
    return NULL;
}

static void readers_can_not_keep_the_log(void **state)
{
    (void)state;
    struct store_dir dir;
    store_dir_make(&dir);
    struct store_options o = {
        .path = dir.path, .schema = &schema, .log_keep_ms = 100, .log_idle_ms = 20};
    struct store *s;
    assert_ok(store_open(&o, NULL, &s));
    uint64_t id = 1;
    assert_ok(store_call(s, put, &id));
    reading = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, reader_main, s), 0);
    while (!reading)
        (void)usleep(1000);
    id = 2;
    assert_ok(store_call(s, put, &id));
    uint64_t before = store_stats(s).truncations;
    (void)pthread_join(thread, NULL);
    assert_err(read_result, STORE_INTERRUPTED);
    for (int i = 0; i < 500 && store_stats(s).truncations == before; i++)
        (void)usleep(10000);
    assert_true(store_stats(s).truncations > before);
    assert_true(store_stats(s).interrupted > 0);
    assert_ok(store_call(s, delete_all, NULL)); /* and it works on */
    store_close(s);
    store_dir_remove(&dir);
}

/* ---- S2 */

static uint64_t free_now;

static uint64_t free_bytes(void *self)
{
    (void)self;
    return free_now;
}

static struct err submit(struct store *s, struct err (*run)(struct store_txn *, void *), bool frees,
                         uint64_t *id)
{
    struct store_work work = {.cost = 1, .frees = frees, .run = run, .arg = id};
    TRY(store_submit(s, NULL, &work));
    while (store_turn(s))
        ;
    return ERR_OK;
}

static void S2_low_disk_leaves_reading_and_deleting(void **state)
{
    (void)state;
    struct store_dir dir;
    store_dir_make(&dir);
    struct clock_fake now = {.now_us = 1};
    struct clock fake = clock_of_fake(&now);
    char ballast[128];
    (void)snprintf(ballast, sizeof ballast, "%s-ballast", dir.path);
    free_now = 100 << 20;
    struct store_options o = {.path = dir.path,
                              .schema = &schema,
                              .mode = STORE_INLINE,
                              .clock = &fake,
                              .low_disk_bytes = 10 << 20,
                              .ballast_bytes = 1 << 20,
                              .free_bytes = free_bytes};
    struct store *s;
    struct stat st;
    uint64_t id = 1;
    assert_ok(store_open(&o, NULL, &s));
    assert_int_equal(stat(ballast, &st), 0);
    assert_int_equal(st.st_size, 1 << 20);
    assert_ok(submit(s, put, false, &id));

    free_now = 9 << 20;
    now.now_us += 1100 * 1000;
    (void)store_turn(s);
    assert_true(store_stats(s).low_disk);
    assert_int_not_equal(stat(ballast, &st), 0); /* given up */
    id = 2;
    assert_err(submit(s, put, false, &id), STORE_LOW_DISK);
    assert_ok(submit(s, delete_all, true, &id));

    free_now = 11 << 20; /* just above: not yet */
    now.now_us += 1100 * 1000;
    (void)store_turn(s);
    assert_true(store_stats(s).low_disk);
    free_now = 50 << 20;
    now.now_us += 1100 * 1000;
    (void)store_turn(s);
    assert_false(store_stats(s).low_disk);
    assert_int_equal(stat(ballast, &st), 0);
    assert_ok(submit(s, put, false, &id));

    store_set_low_disk(s, 60 << 20); /* the operator wants more room left */
    assert_true(store_stats(s).low_disk);
    id = 3;
    assert_err(submit(s, put, false, &id), STORE_LOW_DISK);
    store_set_low_disk(s, 0);
    assert_false(store_stats(s).low_disk);
    assert_ok(submit(s, put, false, &id));
    now.now_us += 1100 * 1000;
    free_now = 0;
    (void)store_turn(s);
    assert_false(store_stats(s).low_disk);
    store_set_low_disk(s, 10 << 20);
    assert_true(store_stats(s).low_disk);
    store_close(s);
    store_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deleted_rows_leave_the_files_in_time),
        cmocka_unit_test(readers_can_not_keep_the_log),
        cmocka_unit_test(S2_low_disk_leaves_reading_and_deleting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
