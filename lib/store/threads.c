/* One turn of the writer, and the threads that take turns. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "store/inside.h"

enum { DELIVER_RETRY_US = 5000, INLINE_READS = 64 };

void store_deliver(struct store *s, struct job_list *jobs)
{
    struct job_list left;
    job_list_init(&left);
    struct job *job;
    while ((job = job_list_take(jobs)) != NULL)
        if (left.first != NULL || !inbox_deliver(job))
            job_list_add(&left, job);
    if (left.first == NULL)
        return;
    store_lock(s);
    while ((job = job_list_take(&left)) != NULL)
        job_list_add(&s->undelivered, job);
    (void)pthread_cond_signal(&s->writer_wake);
    store_unlock(s);
}

/* Lock held; lets go of it. */
static void deliver_again(struct store *s)
{
    struct job_list again;
    job_list_init(&again);
    struct job *job;
    while ((job = job_list_take(&s->undelivered)) != NULL)
        job_list_add(&again, job);
    store_unlock(s);
    store_deliver(s, &again);
    store_lock(s);
}

/* Everything that waits is told. Lock held; lets go of it. */
static void fail_waiting(struct store *s)
{
    struct job_list jobs;
    job_list_init(&jobs);
    struct sched_entry *entry;
    while ((entry = sched_pop(&s->writes)) != NULL || (entry = sched_pop(&s->reads)) != NULL)
        job_list_add(&jobs, (struct job *)entry);
    for (struct job *job = jobs.first; job != NULL; job = job->next) {
        job->result = ERR(STORE_STOPPED);
        s->stats.failed++;
    }
    store_unlock(s);
    store_deliver(s, &jobs);
    store_lock(s);
}

void store_stop_locked(struct store *s, struct err why)
{
    if (err_is_ok(s->stopped))
        s->stopped = why;
    s->stats.stopped = true;
    s->gate = false;
    (void)pthread_cond_broadcast(&s->reader_wake);
    fail_waiting(s);
}

/* Whoever comes while a group runs waits for that one and for its own: what is fair by rows is slow
 * for all where groups are long. So a group is about as much work as its commit takes, which costs
 * at most half of what the disk could do, or a little where commits are quick. */
enum { GROUP_WORK_LEAST_US = 2000, GROUP_WORK_MOST_US = 10000, GROUP_ROWS_LEAST = 64 };

static uint64_t group_most(const struct store *s)
{
    if (s->row_ns == 0)
        return s->options.group_rows;
    uint64_t work_us = s->commit_us < GROUP_WORK_LEAST_US  ? GROUP_WORK_LEAST_US
                       : s->commit_us > GROUP_WORK_MOST_US ? GROUP_WORK_MOST_US
                                                           : s->commit_us;
    uint64_t most = work_us * 1000 / s->row_ns;
    if (most < GROUP_ROWS_LEAST)
        most = GROUP_ROWS_LEAST;
    return most < s->options.group_rows ? most : s->options.group_rows;
}

static void average(uint64_t *mean, uint64_t value)
{
    enum { GROUPS_AVERAGED = 8 };
    *mean = *mean == 0 ? value : (*mean * (GROUPS_AVERAGED - 1) + value) / GROUPS_AVERAGED;
}

static void learn(struct store *s, const struct group_outcome *out, uint64_t took_us)
{
    if (out->rows == 0 || !out->committed || took_us <= out->commit_us)
        return;
    average(&s->row_ns, (took_us - out->commit_us) * 1000 / out->rows);
    average(&s->commit_us, out->commit_us);
}

static void take_group(struct store *s, struct job_list *ret_group)
{
    job_list_init(ret_group);
    uint64_t rows = 0, most = group_most(s);
    struct sched_entry *entry;
    while (rows < most && (entry = sched_pop(&s->writes)) != NULL) {
        job_list_add(ret_group, (struct job *)entry);
        rows += entry->cost;
    }
}

static void account(struct store *s, const struct group_outcome *out)
{
    s->stats.groups += out->committed;
    s->stats.transactions += out->kept;
    s->stats.failed += out->failed;
    s->stats.rows += out->rows;
    s->stats.commit_us += out->commit_us;
    if (out->commit_us > s->stats.commit_most_us)
        s->stats.commit_most_us = out->commit_us;
    if (out->committed)
        upkeep_committed(s);
    if (out->disk_full)
        upkeep_disk_full(s);
}

static bool write_turn(struct store *s)
{
    struct job_list group;
    take_group(s, &group);
    if (group.first == NULL)
        return false;
    store_unlock(s);
    struct group_outcome out;
    uint64_t began_us = clock_monotonic_us(s->clock);
    group_run(&s->writer, s->clock, group.first, &out);
    uint64_t took_us = clock_monotonic_us(s->clock) - began_us;
    store_lock(s);
    account(s, &out);
    learn(s, &out, took_us);
    /* Known to be stopped before anybody hears of the failure. */
    if (!err_is_ok(out.fatal)) {
        s->stopped = out.fatal;
        s->stats.stopped = true;
    }
    store_unlock(s);
    store_deliver(s, &group);
    store_lock(s);
    if (!err_is_ok(out.fatal))
        store_stop_locked(s, out.fatal);
    return true;
}

static struct err read_one(struct conn *c, struct job *job)
{
    TRY(c->driver->begin(c->handle, false));
    struct store_txn txn = txn_of(c, false);
    struct err err = job->work.run(&txn, job->work.arg);
    if (err_is_ok(err))
        err = (struct err){txn.failure};
    txn_end(&txn);
    struct err ended = c->driver->rollback(c->handle);
    return err_is_ok(err) ? ended : err;
}

/* Takes and runs one read on the connection, lock held on entry and exit. */
static bool read_turn(struct store *s, struct conn *c)
{
    struct job *job = (struct job *)sched_pop(&s->reads);
    if (job == NULL)
        return false;
    s->reading++;
    store_unlock(s);
    job->result = read_one(c, job);
    store_lock(s);
    s->reading--;
    s->stats.reads++;
    if (s->gate && s->reading == 0)
        (void)pthread_cond_signal(&s->writer_wake);
    store_unlock(s);
    struct job_list one;
    job_list_init(&one);
    job_list_add(&one, job);
    store_deliver(s, &one);
    store_lock(s);
    return true;
}

bool store_turn_locked(struct store *s)
{
    bool worked = false;
    if (s->undelivered.first != NULL)
        deliver_again(s);
    if (err_is_ok(s->stopped))
        worked = write_turn(s);
    if (s->reader_count == 0)
        for (int i = 0; i < INLINE_READS && read_turn(s, &s->writer); i++)
            worked = true;
    if (err_is_ok(s->stopped))
        worked = upkeep_turn(s) || worked;
    return worked;
}

bool store_turn(struct store *s)
{
    store_lock(s);
    bool worked = store_turn_locked(s);
    store_unlock(s);
    return worked;
}

/* Lock held. Waits for a signal, or until due by the store's clock. */
static void wait_until(struct store *s, uint64_t due_us)
{
    if (due_us == UINT64_MAX) {
        (void)pthread_cond_wait(&s->writer_wake, &s->lock);
        return;
    }
    uint64_t now = clock_monotonic_us(s->clock);
    if (due_us <= now)
        return;
    uint64_t wait_us = due_us - now;
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    uint64_t ns = (uint64_t)at.tv_nsec + wait_us % 1000000 * 1000;
    at.tv_sec += (time_t)(wait_us / 1000000 + ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    (void)pthread_cond_timedwait(&s->writer_wake, &s->lock, &at);
}

void *store_writer_main(void *arg)
{
    struct store *s = arg;
    store_lock(s);
    while (!s->closing) {
        if (store_turn_locked(s) || s->closing)
            continue;
        uint64_t due = err_is_ok(s->stopped) ? upkeep_due_us(s) : UINT64_MAX;
        if (s->undelivered.first != NULL) {
            uint64_t soon = clock_monotonic_us(s->clock) + DELIVER_RETRY_US;
            due = soon < due ? soon : due;
        }
        if (s->writes.waiting == 0)
            wait_until(s, due);
    }
    store_unlock(s);
    return NULL;
}

void *store_reader_main(void *arg)
{
    struct reader *r = arg;
    struct store *s = r->store;
    store_lock(s);
    while (!s->closing)
        if (s->gate || !read_turn(s, &r->conn))
            (void)pthread_cond_wait(&s->reader_wake, &s->lock);
    store_unlock(s);
    return NULL;
}
