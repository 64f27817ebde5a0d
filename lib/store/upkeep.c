/* What the writer does between groups: moving the log into the main file, emptying it in time, and
 * looking at the disk. Lock held on entry and exit of each function. */
#include "store/inside.h"

enum { RETRY_US = 50 * 1000, DISK_US = 1000 * 1000, LOG_TIMES_MOST = 16 };

void upkeep_committed(struct store *s)
{
    uint64_t now = clock_monotonic_us(s->clock);
    s->last_commit_us = now;
    if (s->log_since_us == 0)
        s->log_since_us = now == 0 ? 1 : now;
    s->stats.log_bytes = s->driver->log_bytes(s->writer.handle);
    if (s->stats.log_bytes < s->checkpointed_at)
        s->checkpointed_at = 0; /* the engine began the log anew */
}

void upkeep_disk_full(struct store *s)
{
    disk_full(&s->disk);
    s->stats.low_disk = s->disk.low;
}

/* From when on the log must go, whoever is in the way. */
static uint64_t must_us(const struct store *s)
{
    uint64_t keep = s->log_since_us + (uint64_t)s->options.log_keep_ms * 1000;
    return s->truncate_asked && s->asked_us < keep ? s->asked_us : keep;
}

static uint64_t may_us(const struct store *s)
{
    uint64_t idle = s->last_commit_us + (uint64_t)s->options.log_idle_ms * 1000;
    uint64_t must = must_us(s);
    return idle < must && s->writes.waiting == 0 ? idle : must;
}

uint64_t upkeep_due_us(const struct store *s)
{
    uint64_t due = UINT64_MAX;
    if (s->log_since_us != 0) {
        due = may_us(s);
        if (due < s->next_try_us)
            due = s->next_try_us;
    }
    if (s->disk.low_bytes != 0 && s->next_disk_us < due)
        due = s->next_disk_us;
    return due;
}

static void log_gone(struct store *s)
{
    s->log_since_us = 0;
    s->truncate_asked = false;
    s->checkpointed_at = 0;
    s->stats.truncations++;
    s->stats.log_bytes = 0;
    s->gate = false;
    (void)pthread_cond_broadcast(&s->reader_wake);
}

static void failed(struct store *s, struct err err)
{
    if (err.code == ERR_STORE_FULL)
        upkeep_disk_full(s);
    else if (store_is_fatal(err))
        store_stop_locked(s, err); /* S1: the main file's sync is not tried again either */
}

static bool checkpoint(struct store *s, bool truncate)
{
    bool done = false;
    store_unlock(s);
    struct err err = s->driver->checkpoint(s->writer.handle, truncate, &done);
    store_lock(s);
    s->stats.checkpoints++;
    if (!err_is_ok(err))
        failed(s, err);
    return err_is_ok(err) && done;
}

static void truncate_log(struct store *s, uint64_t now)
{
    uint64_t must = must_us(s);
    if (now >= must && s->reading != 0) {
        s->gate = true;
        if (now >= must + (uint64_t)s->options.log_keep_ms * 1000) {
            for (unsigned i = 0; i < s->reader_count; i++)
                s->driver->interrupt(s->readers[i].conn.handle);
            s->stats.interrupted++;
        }
    }
    if (!s->gate || s->reading == 0) {
        if (checkpoint(s, true)) {
            log_gone(s);
            return;
        }
    }
    s->next_try_us = now + RETRY_US;
}

bool upkeep_turn(struct store *s)
{
    uint64_t now = clock_monotonic_us(s->clock);
    if (s->disk.low_bytes != 0 && now >= s->next_disk_us) {
        disk_check(&s->disk);
        s->stats.low_disk = s->disk.low;
        s->next_disk_us = now + DISK_US;
    }
    if (s->log_since_us == 0)
        return false;
    uint64_t bytes = s->stats.log_bytes;
    if (bytes >= (uint64_t)s->options.checkpoint_bytes * LOG_TIMES_MOST && !s->truncate_asked) {
        s->truncate_asked = true; /* readers never let it begin anew */
        s->asked_us = now;
    }
    bool gate_opens = s->gate && s->reading == 0;
    if (now >= may_us(s) && (now >= s->next_try_us || gate_opens)) {
        truncate_log(s, now);
        return true;
    }
    if (bytes - s->checkpointed_at >= s->options.checkpoint_bytes) {
        (void)checkpoint(s, false);
        s->checkpointed_at = bytes;
        return true;
    }
    return false;
}
