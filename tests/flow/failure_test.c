/* The whole server when memory or files fail: one life of some residents (queues, KeyPackages, a
 * group, adds, messages, reading, acknowledging, removing, leaving), with one allocation or one
 * file operation of it failing, each in turn. After each: what was acknowledged has arrived, once
 * and in order (the oracle), the server goes on serving (after a restart where a store stopped,
 * S1), and nothing leaks.
 *
 * A run is 25 points of each kind, chosen by HEARTH_SEED [1]. HEARTH_POINTS=FROM,STEP is every
 * STEP-th point of each kind, from FROM; 0,1 is all. HEARTH_KIND=N is one kind alone. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/failing.h"
#include "support/house/oracle.h"

enum { POINTS = 25, RESIDENTS = 3, PACKAGES = 6, PATIENCE_S = 120 };

enum what { NOTHING, MEMORY, FILES };

struct kind {
    const char *name;
    enum what what;
    enum vfs_op op;
    enum vfs_how how;
};

static const struct kind kinds[] = {
    {"an allocation", MEMORY, VFS_OPEN, VFS_ERROR},
    {"a write", FILES, VFS_WRITE, VFS_ERROR},
    {"half a write", FILES, VFS_WRITE, VFS_SHORT},
    {"a write, the disk is full", FILES, VFS_WRITE, VFS_FULL},
    {"a sync", FILES, VFS_SYNC, VFS_ERROR},
    {"a truncation", FILES, VFS_TRUNCATE, VFS_ERROR},
    {"a read", FILES, VFS_READ, VFS_ERROR},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* What a run tells. */
struct outcome {
    bool failed;       /* what was to fail did */
    long points;       /* as many there are, when nothing failed */
    unsigned lives;    /* of the house */
    size_t deliveries; /* compared */
    unsigned retries;  /* of calls */
    long leaked;
};

static struct house house;
static struct resident residents[RESIDENTS];
static struct oracle oracle;
static uint32_t message;

/* ---- the life */

static void say(struct membership *m)
{
    assert_int_equal(membership_send(m, ++message), HEARTH_OK);
    oracle_sent(&oracle, m, message);
}

static void commit(struct membership *m, const struct commit_wish *wish)
{
    assert_int_equal(membership_commit(m, wish), HEARTH_OK);
    oracle_committed(&oracle, m, wish->add, wish->add_count);
}

static void sync_all(void)
{
    /* the courier may have failed, and looks again by itself */
    house_run_ms(&house, 5000);
    for (size_t i = 0; i < RESIDENTS; i++)
        resident_sync(&residents[i], 0);
}

/* A commit made in vain would be one without knowledge of what comes late. */
static void catch_up(void)
{
    house_run_ms(&house, (uint64_t)PATIENCE_S * 1000);
    sync_all();
}

static void live(void)
{
    struct resident *alice = &residents[0], *bob = &residents[1], *carol = &residents[2];
    for (uint32_t i = 0; i < RESIDENTS; i++) {
        resident_init(&residents[i], &house, i + 1);
        assert_int_equal(resident_publish(&residents[i], PACKAGES), HEARTH_OK);
    }
    struct membership *a = resident_found(alice);
    assert_non_null(a);
    oracle_founded(&oracle, a);
    struct resident *both[] = {bob, carol};
    commit(a, &(struct commit_wish){.add = both, .add_count = 2});
    say(a);
    catch_up();
    struct membership *b = resident_in(bob, a), *c = resident_in(carol, a);
    assert_true(b != NULL && c != NULL);
    say(b);
    say(a);
    resident_listen(carol, 400);
    commit(a, &(struct commit_wish){0});
    catch_up();
    say(c);
    assert_int_equal(membership_leave(c), HEARTH_OK);
    catch_up();
    commit(b, &(struct commit_wish){0}); /* with carol's removal */
    catch_up();
    uint32_t leaf = group_own_leaf(b->group);
    commit(a, &(struct commit_wish){.remove = &leaf, .remove_count = 1});
    commit(a, &(struct commit_wish){.add = both, .add_count = 1});
    say(a);
    catch_up();
}

/* And serves: nothing fails any more. */
static void serve_on(void)
{
    struct membership *a = NULL;
    for (size_t i = 0; i < RESIDENT_GROUPS && a == NULL; i++)
        a = residents[0].groups[i].in ? &residents[0].groups[i] : NULL;
    assert_non_null(a);
    house_run_ms(&house,
                 5000); /* after a full disk the store waits a second before it looks again */
    unsigned retries = residents[0].retries;
    say(a);
    commit(a, &(struct commit_wish){0});
    assert_int_equal(residents[0].retries, retries);
    sync_all();
}

static void arm(const struct kind *kind, long n)
{
    if (kind->what == MEMORY)
        house_fail_allocation(&house, n);
    else
        vfs_fail(house.vfs, kind->op, kind->how, n, 1);
}

static void run(const struct kind *kind, long n, struct outcome *ret_outcome)
{
    struct outcome o = {.leaked = -test_live_allocations()};
    message = 0;
    house_init(&house, 77);
    house.scarce = true;
    house_open(&house);
    long before = vfs_count(house.vfs, kind->op);
    arm(kind, n);
    live();
    o.points = vfs_count(house.vfs, kind->op) - before;
    o.failed = kind->what == MEMORY ? house_allocation_failed(&house, &o.points)
                                    : vfs_failed(house.vfs) > 0;
    serve_on();
    o.deliveries = oracle_check(&oracle);
    struct courier_stats stats = courier_stats(house.courier);
    assert_int_equal(stats.gone + stats.refused + stats.lost, 0);
    for (size_t i = 0; i < RESIDENTS; i++) {
        assert_int_equal(residents[i].gaps, 0);
        o.retries += residents[i].retries;
        resident_clear(&residents[i]);
    }
    o.lives = house.lives;
    house_close(&house);
    o.leaked += test_live_allocations();
    *ret_outcome = o;
}

/* ---- low disk, and a wall clock that leaps */

static struct membership *begin_quietly(void)
{
    struct resident *alice = &residents[0], *bob = &residents[1];
    message = 0;
    house_init(&house, 78);
    house_open(&house);
    for (uint32_t i = 0; i < 2; i++) {
        resident_init(&residents[i], &house, i + 1);
        assert_int_equal(resident_publish(&residents[i], PACKAGES), HEARTH_OK);
    }
    struct membership *a = resident_found(alice);
    assert_non_null(a);
    oracle_founded(&oracle, a);
    commit(a, &(struct commit_wish){.add = &bob, .add_count = 1});
    return a;
}

static void end_quietly(void)
{
    assert_true(oracle_check(&oracle) > 0);
    for (uint32_t i = 0; i < 2; i++)
        resident_clear(&residents[i]);
    house_close(&house);
}

/* What takes room is refused, by a code that says to come again; what waits is heard, read and
 * acknowledged all the same; nothing that was taken is lost. */
static void S2_low_disk_still_listens_and_acknowledges(void **state)
{
    (void)state;
    struct membership *a = begin_quietly();
    struct resident *bob = &residents[1];
    for (int i = 0; i < 6; i++)
        say(a);
    house_run_ms(&house, 5000);
    house.low_disk = true;
    house_run_ms(&house, 5000);
    assert_int_equal(membership_send(a, 1000), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(resident_publish(&residents[0], PACKAGES), HEARTH_RESOURCE_EXHAUSTED);
    resident_sync(bob, 3);
    uint64_t acked = bob->acked;
    assert_true(acked > 3); /* and told so without an error */
    resident_listen(bob, 1000);
    resident_sync(bob, 0);
    assert_int_equal(bob->got_count, 6);
    assert_int_equal(bob->retries, 0);
    house.low_disk = false;
    house_run_ms(&house, 5000);
    say(a);
    house_run_ms(&house, (uint64_t)PATIENCE_S * 1000);
    resident_sync(&residents[0], 0);
    resident_sync(bob, 0);
    end_quietly();
}

/* An hour on, a day back, and so on, between any two steps: order stays, nothing is lost. */
static void S3_a_leaping_wall_clock_changes_no_order(void **state)
{
    (void)state;
    static const int64_t leaps_s[] = {3600, -86400, 7200, -60, 86400, -7200, 1, -1};
    struct membership *a = begin_quietly();
    struct resident *bob = &residents[1];
    for (size_t i = 0; i < 24; i++) {
        say(a);
        house.fake.unix_base_ms += (uint64_t)(leaps_s[i % 8] * 1000);
        if (i % 5 == 0)
            house_run_ms(&house, 3000);
        if (i % 7 == 0)
            resident_sync(bob, 2);
        if (i % 6 == 0)
            house_expire(&house);
    }
    commit(a, &(struct commit_wish){0});
    house_run_ms(&house, (uint64_t)PATIENCE_S * 1000);
    resident_sync(&residents[0], 0);
    resident_sync(bob, 0);
    end_quietly();
}

/* ---- points, each in a child: what ends it does not end the test */

struct tally {
    unsigned points, failed, bad, restarts, retries;
};

static bool run_apart(const struct kind *kind, long n, struct tally *t)
{
    struct outcome o = {0};
    int ends[2], status;
    (void)fflush(NULL);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* a failing assertion ends the child */
        (void)alarm(100);
        run(kind, n, &o);
        if (o.leaked != 0)
            fail_msg("%ld allocations are not freed", o.leaked);
        exit(write(ends[1], &o, sizeof o) == sizeof o ? 0 : 1);
    }
    (void)close(ends[1]);
    bool told = read(ends[0], &o, sizeof o) == sizeof o;
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    bool well = told && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!well)
        print_error("%s, number %ld: status %x\n", kind->name, n, (unsigned)status);
    t->points++;
    t->failed += o.failed;
    t->bad += !well;
    t->restarts += o.lives > 1 ? o.lives - 1 : 0;
    t->retries += o.retries;
    return well;
}

static void run_points(const struct kind *kind, long points, struct tally *t)
{
    long from, step;
    const char *given = getenv("HEARTH_POINTS"), *seed = getenv("HEARTH_SEED");
    if (given != NULL && sscanf(given, "%ld,%ld", &from, &step) == 2 && step > 0) {
        for (long n = from; n < points; n += step)
            (void)run_apart(kind, n, t);
        return;
    }
    struct rng_seeded dice;
    rng_seeded_init(&dice, seed != NULL ? strtoull(seed, NULL, 10) : 1);
    for (long i = 0; i < POINTS; i++) { /* one of each 25th */
        long low = points * i / POINTS, high = points * (i + 1) / POINTS;
        if (high > low)
            (void)run_apart(kind, low + (long)(rng_seeded_next(&dice) % (uint64_t)(high - low)), t);
    }
}

static void run_kind(const struct kind *kind)
{
    struct outcome o;
    struct tally t = {0};
    const char *only = getenv("HEARTH_KIND");
    if (only != NULL && strtol(only, NULL, 10) != kind - kinds)
        return;
    /* as it is when all goes well; twice, since libraries keep things that they make once */
    for (int i = 0; i < 2; i++) {
        run(kind, 1000000000, &o);
        assert_false(o.failed);
        assert_int_equal(o.lives, 1);
        assert_int_equal(o.retries, 0);
    }
    assert_int_equal(o.leaked, 0);
    run_points(kind, o.points, &t);
    print_message("%s failed: %ld points, %u tried, %u hit; %u restarts, %u calls repeated; %zu "
                  "deliveries each as they must be but in %u\n",
                  kind->name, o.points, t.points, t.failed, t.restarts, t.retries, o.deliveries,
                  t.bad);
    assert_int_equal(t.bad, 0);
    assert_true(t.failed * 10 >= t.points * 9 && t.failed > 0);
}

static void each_allocation_fails(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    run_kind(&kinds[0]);
}

static void S1_each_file_operation_fails(void **state)
{
    (void)state;
    for (size_t i = 1; i < KINDS; i++)
        run_kind(&kinds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S2_low_disk_still_listens_and_acknowledges),
        cmocka_unit_test(S3_a_leaping_wall_clock_changes_no_order),
        cmocka_unit_test(each_allocation_fails),
        cmocka_unit_test(S1_each_file_operation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
