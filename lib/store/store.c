/* Opening, closing, submitting. */
#include <stdlib.h>

#include "store/inside.h"

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value != 0 ? value : standard;
}

static struct err take_options(struct store *s, const struct store_options *o)
{
    s->options = *o;
    if (o->path != NULL && (s->path = strdup(o->path)) == NULL)
        return ERR(NO_MEMORY);
    if (o->files != NULL && (s->files = strdup(o->files)) == NULL)
        return ERR(NO_MEMORY);
    struct store_options *mine = &s->options;
    mine->path = s->path;
    mine->files = s->files;
    mine->queue_jobs = or_default(o->queue_jobs, 8192);
    mine->principal_jobs = or_default(o->principal_jobs, (mine->queue_jobs + 3) / 4);
    mine->group_rows = or_default(o->group_rows, 1024);
    mine->checkpoint_bytes = or_default(o->checkpoint_bytes, 4 * 1024 * 1024);
    mine->log_keep_ms = or_default(o->log_keep_ms, 20000);
    mine->log_idle_ms = or_default(o->log_idle_ms, 1000);
    mine->cache_kib = or_default(o->cache_kib, 8192);
    mine->readers = o->mode == STORE_INLINE ? 0 : or_default(o->readers, 2);
    s->driver = o->driver != NULL ? o->driver : &store_driver_sqlite;
    s->clock = o->clock != NULL ? o->clock : &clock_system;
    job_list_init(&s->reads);
    job_list_init(&s->undelivered);
    if (mine->readers > STORE_READERS_MAX || (o->path == NULL && o->mode != STORE_INLINE) ||
        o->schema == NULL)
        return ERR(ARGUMENT);
    return ERR_OK;
}

static struct err locks_init(struct store *s)
{
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0)
        return ERR(NO_MEMORY);
    bool ok = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
              pthread_mutex_init(&s->lock, NULL) == 0;
    if (ok && pthread_cond_init(&s->writer_wake, &monotonic) != 0) {
        (void)pthread_mutex_destroy(&s->lock);
        ok = false;
    }
    if (ok && pthread_cond_init(&s->reader_wake, NULL) != 0) {
        (void)pthread_cond_destroy(&s->writer_wake);
        (void)pthread_mutex_destroy(&s->lock);
        ok = false;
    }
    (void)pthread_condattr_destroy(&monotonic);
    s->has_lock = ok;
    return ok ? ERR_OK : ERR(NO_MEMORY);
}

static struct err connect(struct store *s, enum driver_role role, struct conn *conn,
                          const char **bad)
{
    const struct store_schema *schema = s->options.schema;
    struct driver_conn *handle;
    TRY(s->driver->connect(s->db, role, &handle));
    struct err err = ERR_OK;
    if (role == DRIVER_WRITER) {
        if (!s->options.no_check)
            err = s->driver->quick_check(handle);
        if (err_is_ok(err))
            err = migrate_run(s->driver, handle, &s->options);
        if (!err_is_ok(err)) {
            s->driver->disconnect(handle, true);
            return err;
        }
    }
    return conn_init(conn, s->driver, handle, schema->statements, schema->statement_count, bad);
}

static struct err open_database(struct store *s, const char **bad)
{
    const struct store_options *o = &s->options;
    struct driver_options options = {.path = o->path,
                                     .files = o->files,
                                     .relaxed = o->relaxed,
                                     .foreign_keys = o->foreign_keys,
                                     .cache_kib = o->cache_kib};
    TRY(s->driver->open(&options, &s->db));
    TRY(connect(s, DRIVER_WRITER, &s->writer, bad));
    for (; s->reader_count < o->readers; s->reader_count++) {
        struct reader *r = &s->readers[s->reader_count];
        r->store = s;
        TRY(connect(s, DRIVER_READER, &r->conn, bad));
    }
    return disk_init(&s->disk, o);
}

static struct err start_threads(struct store *s)
{
    if (s->options.mode == STORE_INLINE)
        return ERR_OK;
    for (unsigned i = 0; i < s->reader_count; i++) {
        struct reader *r = &s->readers[i];
        r->started = pthread_create(&r->thread, NULL, store_reader_main, r) == 0;
        if (!r->started)
            return ERR(NO_MEMORY);
    }
    s->writer_started = pthread_create(&s->writer_thread, NULL, store_writer_main, s) == 0;
    return s->writer_started ? ERR_OK : ERR(NO_MEMORY);
}

struct err store_open(const struct store_options *options, const char **ret_bad_statement,
                      struct store **ret_store)
{
    if (ret_bad_statement != NULL)
        *ret_bad_statement = NULL;
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR(NO_MEMORY);
    struct err err;
    TRY_OR(take_options(s, options), err, fail);
    TRY_OR(locks_init(s), err, fail);
    TRY_OR(sched_init(&s->writes, s->options.queue_jobs, s->options.principal_jobs), err, fail);
    TRY_OR(open_database(s, ret_bad_statement), err, fail);
    s->stats.low_disk = s->disk.low;
    /* What an earlier process left in the log is as old as can be. */
    uint64_t now = clock_monotonic_us(s->clock);
    s->log_since_us = now == 0 ? 1 : now;
    s->last_commit_us = now;
    TRY_OR(start_threads(s), err, fail);
    *ret_store = s;
    return ERR_OK;
fail:
    store_close(s);
    return err;
}

static void join_threads(struct store *s)
{
    store_lock(s);
    s->closing = true;
    (void)pthread_cond_broadcast(&s->writer_wake);
    (void)pthread_cond_broadcast(&s->reader_wake);
    store_unlock(s);
    if (s->writer_started)
        (void)pthread_join(s->writer_thread, NULL);
    for (unsigned i = 0; i < s->reader_count; i++)
        if (s->readers[i].started)
            (void)pthread_join(s->readers[i].thread, NULL);
}

static void end_jobs(struct store *s)
{
    struct sched_entry *entry;
    while (s->writes.chains != NULL && (entry = sched_pop(&s->writes)) != NULL)
        job_list_add(&s->reads, (struct job *)entry);
    struct job *job;
    while ((job = job_list_take(&s->undelivered)) != NULL)
        inbox_leave(job);
    while ((job = job_list_take(&s->reads)) != NULL) {
        job->result = ERR(STORE_STOPPED);
        inbox_leave(job);
    }
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    if (s->has_lock) {
        join_threads(s);
        end_jobs(s);
    }
    for (unsigned i = 0; i < s->reader_count; i++)
        conn_clear(&s->readers[i].conn, false);
    bool abandon = !err_is_ok(s->stopped);
    if (s->writer.handle != NULL && !abandon) {
        bool done;
        struct err err = s->driver->checkpoint(s->writer.handle, true, &done);
        abandon = !err_is_ok(err); /* the log is still there for the next time */
    }
    conn_clear(&s->writer, abandon);
    if (s->db != NULL)
        s->driver->close(s->db);
    disk_clear(&s->disk);
    sched_clear(&s->writes);
    if (s->has_lock) {
        (void)pthread_cond_destroy(&s->reader_wake);
        (void)pthread_cond_destroy(&s->writer_wake);
        (void)pthread_mutex_destroy(&s->lock);
    }
    free(s->path);
    free(s->files);
    free(s);
}

/* Lock held. */
static struct err admit(struct store *s, struct job *job, bool write)
{
    if (!err_is_ok(s->stopped) || s->closing)
        return ERR(STORE_STOPPED);
    if (!write) {
        if (s->reads_waiting >= s->options.queue_jobs)
            return ERR(STORE_QUEUE_FULL);
        job_list_add(&s->reads, job);
        s->reads_waiting++;
        (void)pthread_cond_signal(s->reader_count != 0 ? &s->reader_wake : &s->writer_wake);
        return ERR_OK;
    }
    if (s->disk.low && !job->work.frees)
        return ERR(STORE_LOW_DISK);
    TRY(sched_push(&s->writes, &job->entry));
    s->stats.submitted++;
    if (s->writes.waiting > s->stats.waiting_most)
        s->stats.waiting_most = s->writes.waiting;
    if (s->writes.waiting == 1)
        (void)pthread_cond_signal(&s->writer_wake);
    return ERR_OK;
}

static struct err submit(struct store *s, struct inbox *inbox, const struct store_work *work,
                         bool write)
{
    if (work->run == NULL || (write && (work->cost == 0 || work->cost > STORE_COST_MAX)))
        return ERR(ARGUMENT);
    struct job *job = malloc(sizeof *job);
    if (job == NULL)
        return ERR(NO_MEMORY);
    *job = (struct job){
        .entry = {.principal = work->principal, .cost = work->cost}, .inbox = inbox, .work = *work};
    store_lock(s);
    struct err err = admit(s, job, write);
    if (!err_is_ok(err))
        s->stats.refused++;
    store_unlock(s);
    if (!err_is_ok(err))
        free(job);
    return err;
}

struct err store_submit(struct store *s, struct inbox *inbox, const struct store_work *work)
{
    return submit(s, inbox, work, true);
}

struct err store_read(struct store *s, struct inbox *inbox, const struct store_work *work)
{
    return submit(s, inbox, work, false);
}

/* Somebody who waits for one job. */
struct waiter {
    struct err (*run)(struct store_txn *txn, void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    struct err result;
};

static struct err waiter_run(struct store_txn *txn, void *arg)
{
    struct waiter *w = arg;
    return w->run(txn, w->arg);
}

static void waiter_done(void *arg, struct err result)
{
    struct waiter *w = arg;
    (void)pthread_mutex_lock(&w->lock);
    w->result = result;
    w->done = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}

static struct err call(struct store *s, struct err (*run)(struct store_txn *, void *), void *arg,
                       bool write)
{
    struct waiter w = {.run = run,
                       .arg = arg,
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .wake = PTHREAD_COND_INITIALIZER};
    struct store_work work = {
        .cost = 1, .frees = true, .run = waiter_run, .done = waiter_done, .arg = &w};
    TRY(submit(s, NULL, &work, write));
    (void)pthread_mutex_lock(&w.lock);
    while (!w.done) {
        if (s->options.mode == STORE_INLINE) {
            (void)pthread_mutex_unlock(&w.lock);
            (void)store_turn(s);
            (void)pthread_mutex_lock(&w.lock);
        } else {
            (void)pthread_cond_wait(&w.wake, &w.lock);
        }
    }
    (void)pthread_mutex_unlock(&w.lock);
    (void)pthread_mutex_destroy(&w.lock);
    (void)pthread_cond_destroy(&w.wake);
    return w.result;
}

struct err store_call(struct store *s, struct err (*run)(struct store_txn *, void *), void *arg)
{
    return call(s, run, arg, true);
}

struct err store_call_read(struct store *s, struct err (*run)(struct store_txn *, void *),
                           void *arg)
{
    return call(s, run, arg, false);
}

void store_truncate_log(struct store *s)
{
    store_lock(s);
    if (!s->truncate_asked && s->log_since_us != 0) {
        s->truncate_asked = true;
        s->asked_us = clock_monotonic_us(s->clock);
        (void)pthread_cond_signal(&s->writer_wake);
    }
    store_unlock(s);
}

struct store_stats store_stats(struct store *s)
{
    store_lock(s);
    struct store_stats stats = s->stats;
    stats.waiting = s->writes.waiting;
    store_unlock(s);
    return stats;
}

struct err store_health(struct store *s)
{
    store_lock(s);
    struct err err = s->stopped;
    store_unlock(s);
    return err;
}
