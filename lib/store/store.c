/* Opening and closing; how the store is. */
#include <signal.h>
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
    mine->writer_cache_kib = or_default(o->writer_cache_kib, mine->cache_kib);
    mine->readers = o->mode == STORE_INLINE ? 0 : or_default(o->readers, 2);
    s->driver = o->driver != NULL ? o->driver : &store_driver_sqlite;
    s->clock = o->clock != NULL ? o->clock : &clock_system;
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

/* Q1: a process that was killed may have left commits in the log that were never synced, say
 * because that sync failed. They are read from now on, and whoever reads one may answer by it
 * ("this came before"), so they are made durable first. Moved, not only synced: after a sync that
 * failed the system may take the log's pages for written, and the next sync says nothing. A full
 * disk is no reason not to open (S2): the log is synced before the main file is written. */
static struct err keep_what_is_there(struct store *s, struct driver_conn *writer)
{
    bool done;
    struct err err = s->driver->checkpoint(writer, false, &done);
    return err.code == ERR_STORE_FULL ? ERR_OK : err;
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
            err = keep_what_is_there(s, handle);
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
                                     .cache_kib = o->cache_kib,
                                     .writer_cache_kib = o->writer_cache_kib};
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
    for (unsigned i = 0; i < s->reader_count; i++) {
        struct reader *r = &s->readers[i];
        r->started = pthread_create(&r->thread, NULL, store_reader_main, r) == 0;
        if (!r->started)
            return ERR(NO_MEMORY);
    }
    s->writer_started = pthread_create(&s->writer_thread, NULL, store_writer_main, s) == 0;
    return s->writer_started ? ERR_OK : ERR(NO_MEMORY);
}

/* Signals are the main thread's business; threads inherit what is blocked here. */
static struct err start_deaf_threads(struct store *s)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return ERR(INTERNAL);
    struct err err = start_threads(s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
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
    TRY_OR(sched_init(&s->reads, s->options.queue_jobs, s->options.principal_jobs), err, fail);
    TRY_OR(open_database(s, ret_bad_statement), err, fail);
    s->stats.low_disk = s->disk.low;
    /* What an earlier process left in the log is as old as can be. */
    uint64_t now = clock_monotonic_us(s->clock);
    s->log_since_us = now == 0 ? 1 : now;
    s->last_commit_us = now;
    if (s->options.mode == STORE_THREADS)
        TRY_OR(start_deaf_threads(s), err, fail);
    *ret_store = s;
    return ERR_OK;
fail:
    store_close(s);
    return err;
}

void store_set_low_disk(struct store *s, uint64_t low_disk_bytes)
{
    store_lock(s);
    if (s->disk.path != NULL) {
        s->disk.low_bytes = low_disk_bytes;
        s->disk.low = s->disk.low && low_disk_bytes != 0;
        disk_check(&s->disk);
        s->stats.low_disk = s->disk.low;
        (void)pthread_cond_signal(&s->writer_wake); /* it may not have looked at the disk before */
    }
    store_unlock(s);
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
    struct job *job;
    while ((job = job_list_take(&s->undelivered)) != NULL)
        inbox_leave(job);
    struct sched_entry *entry;
    while ((entry = sched_pop(&s->writes)) != NULL || (entry = sched_pop(&s->reads)) != NULL) {
        job = (struct job *)entry;
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
    sched_clear(&s->reads);
    if (s->has_lock) {
        (void)pthread_cond_destroy(&s->reader_wake);
        (void)pthread_cond_destroy(&s->writer_wake);
        (void)pthread_mutex_destroy(&s->lock);
    }
    free(s->path);
    free(s->files);
    free(s);
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
