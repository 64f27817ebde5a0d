/* Power cuts at random points under the store: nothing acknowledged is lost, nothing is half there.
 * The control, the same with synchronous=NORMAL, must lose. $HEARTH_POWER_CUTS sets how many.
 * And after a kill: what the next process has read, the power does not take. */
#include <stdio.h>

#include "base/rng.h"
#include "kit/store/store_kit.h"
#include "support/test.h"
#include "support/vfs_fault.h"

#ifdef __SANITIZE_THREAD__ /* one thread: nothing to find there, and slow */
enum { CUTS = 50 };
#else
enum { CUTS = 500 };
#endif
enum { JOBS_MOST = 400, TICKETS = 40 };

struct run {
    struct kit_job jobs[JOBS_MOST];
    unsigned asked, acked;
};
static struct run run;
static struct clock_fake now;
static struct clock fake_clock;

static struct store_options options(bool relaxed)
{
    /* small numbers: checkpoints and truncations happen all the time */
    return (struct store_options){.path = "power.db",
                                  .files = "power",
                                  .schema = &kit_schema,
                                  .mode = STORE_INLINE,
                                  .clock = &fake_clock,
                                  .checkpoint_bytes = 32 * 1024,
                                  .log_keep_ms = 100,
                                  .log_idle_ms = 40,
                                  .cache_kib = 64,
                                  .relaxed = relaxed};
}

static void ask(struct store *s, struct rng_seeded *rng)
{
    if (run.asked == JOBS_MOST)
        return;
    struct kit_job *job = &run.jobs[run.asked];
    *job = (struct kit_job){.number = run.asked + 1};
    if (rng_seeded_next(rng) % 3 == 0)
        job->ticket = 1 + rng_seeded_next(rng) % TICKETS; /* some are gone already */
    job->fails = rng_seeded_next(rng) % 8 == 0;
    struct store_work work = {.principal = rng_seeded_next(rng) % 5,
                              .cost = 2,
                              .run = kit_run,
                              .done = kit_done,
                              .arg = job};
    if (err_is_ok(store_submit(s, NULL, &work)))
        run.asked++;
}

/* Works until the power goes or everything was asked. */
static void work_until_dark(struct vfs_fault *v, struct store *s, struct rng_seeded *rng)
{
    while (!vfs_is_off(v) && run.asked < JOBS_MOST) {
        for (uint64_t n = 1 + rng_seeded_next(rng) % 8; n > 0; n--)
            ask(s, rng);
        (void)store_turn(s);
        now.now_us += rng_seeded_next(rng) % 60 * 1000;
    }
}

/* Returns how many acknowledged requests are lost; fails when something is half there. */
static unsigned lost_after(struct store *s)
{
    uint64_t items;
    assert_ok(store_call_read(s, kit_check, &items));
    unsigned lost = 0;
    for (unsigned i = 0; i < run.asked; i++) {
        struct kit_job *job = &run.jobs[i];
        if (job->done == 0 || !err_is_ok(job->result))
            continue;
        run.acked++;
        struct err err = store_call_read(s, kit_find, job);
        if (!err_is_ok(err))
            lost++;
    }
    assert_true(lost != 0 || items >= run.acked);
    return lost;
}

/* A store with its tickets, which works until the power goes, and is closed. */
static struct vfs_fault *one_life(uint64_t seed, struct store_options o, struct rng_seeded *rng)
{
    memset(&run, 0, sizeof run);
    now = (struct clock_fake){.now_us = 1};
    fake_clock = clock_of_fake(&now);
    rng_seeded_init(rng, seed);
    struct vfs_fault *v = vfs_fault_new("power");
    struct store *s;
    uint64_t tickets = TICKETS;
    assert_ok(store_open(&o, NULL, &s));
    assert_ok(store_call(s, kit_add_tickets, &tickets));
    store_close(s); /* the base is there: cuts hit work, not set-up */
    assert_ok(store_open(&o, NULL, &s));
    vfs_power_off_after(v, (long)(rng_seeded_next(rng) % 1500));
    work_until_dark(v, s, rng);
    store_close(s);
    return v;
}

static unsigned one_cut(uint64_t seed, bool relaxed, unsigned *ret_acked)
{
    struct rng_seeded rng;
    struct store_options o = options(relaxed);
    struct vfs_fault *v = one_life(seed, o, &rng);
    struct store *s;
    vfs_power_on(v, rng_seeded_next(&rng));
    o.relaxed = false;
    assert_ok(store_open(&o, NULL, &s));
    unsigned lost = lost_after(s);
    *ret_acked = run.acked;
    store_close(s);
    vfs_fault_free(v);
    return lost;
}

static unsigned cuts(void)
{
    const char *text = getenv("HEARTH_POWER_CUTS");
    return text == NULL ? CUTS : (unsigned)strtoul(text, NULL, 10);
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    unsigned acked_all = 0;
    for (uint64_t seed = 0; seed < cuts(); seed++) {
        unsigned acked, lost = one_cut(seed, false, &acked);
        if (lost != 0)
            fail_msg("seed %llu: %u of %u acknowledged are lost", (unsigned long long)seed, lost,
                     acked);
        acked_all += acked;
    }
    printf("%u power cuts, %u acknowledged transactions, none lost\n", cuts(), acked_all);
    assert_true(acked_all > cuts() * 10);
}

/* Without syncs on commit the same cuts must lose: else the test above could not fail. */
static void control_loses(void **state)
{
    (void)state;
    unsigned cuts_that_lost = 0, lost_all = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        unsigned acked, lost = one_cut(seed, true, &acked);
        cuts_that_lost += lost != 0;
        lost_all += lost;
    }
    printf("control, synchronous=NORMAL: %u of 60 cuts lost, %u transactions\n", cuts_that_lost,
           lost_all);
    assert_true(cuts_that_lost >= 10);
}

/* Killed in the middle of work, opened, read, and then the power goes. Returns how many of those
 * that were read are lost; *ret_unheard: read, but nobody was told that they were committed. A
 * service answers a repeated request, or a row that came before, with no more than such a read.
 */
static unsigned one_kill(uint64_t seed, bool full, unsigned *ret_unheard)
{
    struct rng_seeded rng;
    struct store_options o = options(false);
    struct vfs_fault *v = one_life(seed, o, &rng);
    struct store *s;
    bool there[JOBS_MOST];
    unsigned lost = 0;
    *ret_unheard = 0;
    vfs_restart(v);
    if (full)
        vfs_fail(v, VFS_WRITE, VFS_FULL, (long)(rng_seeded_next(&rng) % 3), 1000000);
    assert_ok(store_open(&o, NULL, &s)); /* S2: also when the disk is full */
    for (unsigned i = 0; i < run.asked; i++) {
        const struct kit_job *job = &run.jobs[i];
        there[i] = err_is_ok(store_call_read(s, kit_find, &run.jobs[i]));
        *ret_unheard += there[i] && !(job->done != 0 && err_is_ok(job->result));
    }
    vfs_power_off_after(v, 0);
    store_close(s);
    (void)vfs_failed(v);
    vfs_power_on(v, rng_seeded_next(&rng));
    assert_ok(store_open(&o, NULL, &s));
    for (unsigned i = 0; i < run.asked; i++)
        lost += there[i] && !err_is_ok(store_call_read(s, kit_find, &run.jobs[i]));
    store_close(s);
    vfs_fault_free(v);
    return lost;
}

static void what_was_read_after_a_kill_is_not_lost(void **state)
{
    (void)state;
    unsigned unheard_all[2] = {0};
    for (uint64_t seed = 0; seed < cuts(); seed++) {
        bool full = seed % 4 == 0;
        unsigned unheard, lost = one_kill(seed, full, &unheard);
        if (lost != 0)
            fail_msg("seed %llu: %u transactions were read and are lost", (unsigned long long)seed,
                     lost);
        unheard_all[full] += unheard;
    }
    printf("%u kills, then power cuts: %u transactions were there of which nobody had heard\n",
           cuts(), unheard_all[0] + unheard_all[1]);
    assert_true(unheard_all[0] > 0 && unheard_all[1] > 0); /* else this has tried nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost),
        cmocka_unit_test(control_loses),
        cmocka_unit_test(what_was_read_after_a_kill_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
