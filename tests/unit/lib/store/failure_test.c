/* Each write, sync, truncation, open, read and allocation of a small scenario failed once: nothing
 * acknowledged is lost, nothing refused is there, errors are typed, syncs are never tried again,
 * and no memory is left behind. */
#include <stdio.h>

#include "base/rng.h"
#include "kit/store/store_kit.h"
#include "support/failing.h"
#include "support/test.h"
#include "support/vfs_fault.h"

enum { JOBS = 40, TICKETS = 10 };

static struct kit_job jobs[JOBS];
static unsigned asked;
static struct clock_fake now;
static struct clock fake_clock;
static long syncs_when_stopped;
static bool opened;
static bool kill_when_full; /* nothing is written any more once a job was told STORE_FULL */

static struct store_options options(void)
{
    return (struct store_options){.path = "failure.db",
                                  .files = "failure",
                                  .schema = &kit_schema,
                                  .mode = STORE_INLINE,
                                  .clock = &fake_clock,
                                  .checkpoint_bytes = 16 * 1024,
                                  .log_keep_ms = 100,
                                  .log_idle_ms = 40,
                                  .cache_kib = 32};
}

static void assert_typed(struct err err)
{
    static const enum err_code expected[] = {
        ERR_NONE,       ERR_CANCELLED,  ERR_NOT_FOUND,       ERR_NO_MEMORY,     ERR_STORE_IO,
        ERR_STORE_FULL, ERR_STORE_BUSY, ERR_STORE_UNCERTAIN, ERR_STORE_STOPPED, ERR_STORE_CORRUPT,
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (err.code == expected[i])
            return;
    fail_msg("unexpected error %s", err_name(err));
}

static void ask(struct store *s, uint64_t seed)
{
    if (asked == JOBS)
        return;
    struct kit_job *job = &jobs[asked];
    *job = (struct kit_job){.number = asked + 1, .ticket = seed % 3 == 0 ? 1 + seed % TICKETS : 0};
    job->fails = seed % 7 == 0;
    struct store_work work = {
        .principal = seed % 3, .cost = 2, .run = kit_run, .done = kit_done, .arg = job};
    struct err err = store_submit(s, NULL, &work);
    assert_typed(err);
    asked += err_is_ok(err);
}

/* Open, work in groups of several sizes, upkeep, reads, close. */
static struct err scenario(struct vfs_fault *v)
{
    asked = 0;
    syncs_when_stopped = -1;
    struct store_options o = options();
    struct store *s;
    opened = false;
    TRY(store_open(&o, NULL, &s));
    opened = true;
    uint64_t tickets = TICKETS, items;
    struct err err = store_call(s, kit_add_tickets, &tickets);
    assert_typed(err);
    for (uint64_t turn = 0; turn < 12; turn++) {
        for (uint64_t n = 0; n < 1 + turn % 4; n++)
            ask(s, turn * 5 + n);
        (void)store_turn(s);
        now.now_us += turn % 5 * 12000;
        if (turn % 4 == 0)
            assert_typed(store_call_read(s, kit_check, &items));
        if (syncs_when_stopped < 0 && !err_is_ok(store_health(s)))
            syncs_when_stopped = vfs_count(v, VFS_SYNC);
        for (unsigned i = 0; i < asked && kill_when_full; i++)
            if (jobs[i].done && jobs[i].result.code == ERR_STORE_FULL)
                vfs_power_off_after(v, 0);
        for (unsigned i = 0; i < asked; i++) /* who hears of this can rely on the rest */
            if (jobs[i].done &&
                (jobs[i].result.code == ERR_STORE_UNCERTAIN || jobs[i].result.code == ERR_STORE_IO))
                assert_false(err_is_ok(store_health(s)));
    }
    err = store_health(s);
    store_close(s);
    if (syncs_when_stopped >= 0) /* S1 */
        assert_int_equal(vfs_count(v, VFS_SYNC), syncs_when_stopped);
    return err;
}

/* What is there must be what was answered. */
static void check(const char *what, long n)
{
    struct store_options o = options();
    struct store *s;
    uint64_t items;
    assert_ok(store_open(&o, NULL, &s));
    assert_ok(store_call_read(s, kit_check, &items));
    for (unsigned i = 0; i < asked; i++) {
        struct kit_job *job = &jobs[i];
        assert_int_equal(job->done, 1);
        assert_typed(job->result);
        struct err found = store_call_read(s, kit_find, job);
        bool there = err_is_ok(found);
        bool fine = job->result.code == ERR_STORE_UNCERTAIN || there == err_is_ok(job->result);
        if (!fine)
            fail_msg("%s %ld: request %u was told %s and is %s", what, n, i + 1,
                     err_name(job->result), there ? "there" : "not there");
    }
    store_close(s);
}

static void begin(void)
{
    memset(jobs, 0, sizeof jobs);
    now = (struct clock_fake){.now_us = 1};
    fake_clock = clock_of_fake(&now);
}

static void fail_each(enum vfs_op op, enum vfs_how how, long times, const char *what)
{
    long n = 0, stopped = 0, unopened = 0;
    for (;; n++) {
        begin();
        struct vfs_fault *v = vfs_fault_new("failure");
        vfs_fail(v, op, how, n, times);
        struct err err = scenario(v);
        assert_typed(err);
        stopped += opened && !err_is_ok(err);
        unopened += !opened;
        long failed = vfs_failed(v);
        vfs_restart(v);
        /* S1: it was the last sync of all. (Turning the log on, in a file that is new, takes the
         * first three; there the engine rolls a journal back, with a sync.) */
        if (op == VFS_SYNC && failed != 0 && n >= 3)
            assert_int_equal(vfs_count(v, VFS_SYNC), n + 1);
        check(what, n);
        vfs_fault_free(v);
        if (failed == 0)
            break;
    }
    printf("%s: %ld failed once each, the store did not open %ld times and stopped %ld times\n",
           what, n, unopened, stopped);
    assert_true(n >= 3);
}

static void each_write(void **state)
{
    (void)state;
    fail_each(VFS_WRITE, VFS_ERROR, 1, "write");
}

static void each_write_short(void **state)
{
    (void)state;
    fail_each(VFS_WRITE, VFS_SHORT, 1, "short write");
}

static void each_write_full(void **state)
{
    (void)state;
    fail_each(VFS_WRITE, VFS_FULL, 1, "write to a full disk");
    fail_each(VFS_WRITE, VFS_FULL, 6, "6 writes to a full disk");
    /* what was refused does not come back with the log */
    kill_when_full = true;
    fail_each(VFS_WRITE, VFS_FULL, 1, "write to a full disk, then kill -9");
    kill_when_full = false;
}

static void each_sync(void **state)
{
    (void)state;
    fail_each(VFS_SYNC, VFS_ERROR, 1, "sync");
}

static void each_other(void **state)
{
    (void)state;
    fail_each(VFS_READ, VFS_ERROR, 1, "read");
    fail_each(VFS_OPEN, VFS_ERROR, 1, "open");
}

static void each_allocation(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    long n = 0, stopped = 0, unopened = 0;
    long live_before = 0;
    for (;; n++) {
        begin();
        test_pause_failing();
        struct vfs_fault *v = vfs_fault_new("failure");
        test_resume_failing();
        test_fail_allocation(n);
        struct err err = scenario(v);
        bool failed = test_allocation_failed();
        stopped += opened && !err_is_ok(err);
        unopened += !opened;
        assert_typed(err);
        check("allocation", n);
        vfs_fault_free(v);
        long live = test_live_allocations();
        if (n > 1 && live != live_before) /* the first runs fill the libraries' own caches */
            fail_msg("allocation %ld: %ld more are not freed", n, live - live_before);
        live_before = live;
        if (!failed)
            break;
    }
    printf("allocation: %ld failed once each, the store did not open %ld times and stopped %ld "
           "times\n",
           n, unopened, stopped);
    assert_true(n > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_write),      cmocka_unit_test(each_write_short),
        cmocka_unit_test(each_write_full), cmocka_unit_test(each_sync),
        cmocka_unit_test(each_other),      cmocka_unit_test(each_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
