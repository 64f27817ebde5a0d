/* What is due once a window: TASK_LOG_WATCH waits for it, in a lane of its own for each homeserver,
 * and leaves searches for what we monitor and a TASK_LOG_MONITOR behind them.
 *
 *     body of LOG_WATCH    opaque domain<V>
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/log_inside.h"
#include "client/core/log_witness.h"
#include "client/core/task.h"

enum { OVERDUE_LOOK_MS = 3600 * 1000 };

static void watch_lane(const char *domain, uint8_t ret_lane[16])
{
    struct digest d;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 log watch"), bytes_str(domain)), &d);
    memcpy(ret_lane, d.data, 16);
}

static struct err read_domain(const struct task *task, char ret_domain[DOMAIN_MAX_BYTES + 1])
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct bytes domain = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (domain.len > DOMAIN_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    (void)snprintf(ret_domain, DOMAIN_MAX_BYTES + 1, "%.*s", (int)domain.len,
                   (const char *)domain.data);
    return ERR_OK;
}

static void early_id(const char *domain, struct buf *b)
{
    buf_append_bytes(b, bytes_str("log-early"));
    buf_append_bytes(b, bytes_str(domain));
}

struct err log_watch_begin(struct core *c, struct db_txn *t, const struct log *log)
{
    uint8_t lane[16];
    bool there = false;
    struct buf body = BUF_INIT;
    if (log->state != LOG_HELD)
        return ERR_OK;
    watch_lane(log->domain, lane);
    TRY(task_in_lane(c, t, lane, TASK_LOG_WATCH, &there));
    if (there)
        return ERR_OK;
    wire_write_vector(&body, bytes_str(log->domain));
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LOG_WATCH, lane, NULL, buf_view(&body), NULL);
    buf_clear(&body);
    return err;
}

struct err log_watch_at(struct core *c, struct db_txn *t, const char *domain, uint64_t at_ms)
{
    uint8_t lane[16];
    struct buf id = BUF_INIT, value = BUF_INIT;
    early_id(domain, &id);
    wire_write_u64(&value, at_ms);
    struct err err = buf_check(&id);
    if (err_is_ok(err))
        err = buf_check(&value);
    if (err_is_ok(err))
        err = db_put(t, DB_SETTING, buf_view(&id), buf_view(&value));
    buf_clear(&id);
    buf_clear(&value);
    watch_lane(domain, lane);
    task_wake(c, lane);
    return err;
}

/* 0: nobody asked for a look before its time. */
static struct err early_get(struct db_txn *t, const char *domain, uint64_t *ret_ms)
{
    struct buf id = BUF_INIT, value = BUF_INIT;
    early_id(domain, &id);
    *ret_ms = 0;
    struct err err = buf_check(&id);
    if (err_is_ok(err))
        err = db_get(t, DB_SETTING, buf_view(&id), &value);
    if (err_is_ok(err)) {
        struct wire_reader r = wire_reader_of(buf_view(&value));
        *ret_ms = wire_read_u64(&r);
    } else if (err.code == ERR_NOT_FOUND) {
        err = ERR_OK;
    }
    buf_clear(&id);
    buf_clear(&value);
    return err;
}

static struct err early_drop(struct db_txn *t, const char *domain)
{
    struct buf id = BUF_INIT;
    early_id(domain, &id);
    struct err err = buf_check(&id);
    if (err_is_ok(err))
        err = db_drop(t, DB_SETTING, buf_view(&id));
    buf_clear(&id);
    return err;
}

/* ---- what is looked at */

struct look {
    struct core *core;
    struct db_txn *t;
    bool behind_only, any_own, any_pending;
};

static struct err look_at(void *arg, struct log_label *l)
{
    struct look *look = arg;
    bool watched = (l->roles & (LOG_OWN | LOG_SYSTEM)) != 0;
    look->any_own |= (l->roles & LOG_OWN) != 0;
    look->any_pending |= l->known.exists && l->known.pending;
    if (l->behind_ms == 0 && (look->behind_only || !watched))
        return ERR_OK;
    return log_search(look->core, look->t, l->domain, buf_view(&l->label), l->roles, NULL);
}

static struct err leave_monitor(struct core *c, struct db_txn *t, const char *domain)
{
    uint8_t lane[16];
    bool there = false;
    struct buf body = BUF_INIT;
    log_lane(domain, lane);
    TRY(task_in_lane(c, t, lane, TASK_LOG_MONITOR, &there));
    if (there)
        return ERR_OK;
    wire_write_vector(&body, bytes_str(domain));
    wire_write_vector(&body, bytes_of(NULL, 0));
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LOG_MONITOR, lane, NULL, buf_view(&body), NULL);
    buf_clear(&body);
    return err;
}

static struct err look_around(struct core *c, struct db_txn *t, struct log *log, bool behind_only)
{
    struct look look = {.core = c, .t = t, .behind_only = behind_only};
    TRY(early_drop(t, log->domain));
    if (log->distrusted) {
        log->watched_ms = core_now_ms(c);
        return log_put(t, log);
    }
    TRY(log_label_each(t, log->domain, look_at, &look));
    if (behind_only)
        return ERR_OK;
    if (look.any_own || look.any_pending)
        TRY(leave_monitor(c, t, log->domain));
    TRY(log_witness_begin(c, t, log->domain));       /* a newer window begins it again */
    if (strcmp(log->domain, c->account.domain) == 0) /* once a window */
        TRY(log_heads_say_all(c, t));
    log->watched_ms = core_now_ms(c);
    return log_put(t, log);
}

struct everywhere {
    struct core *core;
    struct db_txn *t;
};

static struct err look_now(void *arg, const struct log *log)
{
    const struct everywhere *e = arg;
    struct log copy;
    if (log->state != LOG_HELD)
        return ERR_OK;
    TRY(log_get(e->t, log->domain, &copy));
    struct err err = look_around(e->core, e->t, &copy, false);
    log_clear(&copy);
    return err;
}

struct err log_watch_now(struct core *c, struct db_txn *t)
{
    struct everywhere e = {c, t};
    return log_each(c, t, look_now, &e);
}

/* In the window after the one of the last look, at a time of our own within its first eighth: not
 * everybody at once. */
static uint64_t next_look(const struct core *c, const struct log *log)
{
    uint64_t window_ms = log->view.config.window_ms,
             begin = kt_window(&log->view.config, log->watched_ms) + 1;
    uint64_t spread = window_ms / 8 > 0 ? window_ms / 8 : 1;
    uint64_t own = 0;
    for (size_t i = 0; i < 8; i++)
        own = own << 8 | (c->account.client_id.len > i
                              ? c->account.client_id.data[c->account.client_id.len - 1 - i]
                              : 0);
    return begin * window_ms + own % spread;
}

/* Tells people that the log stands still, or is hidden; a search that verifies ends that
 * (log_ask.c). Answers to a look need time: it is judged an hour later, or, where windows are
 * shorter, when the next one is made. A machine that has slept has looked at nothing meanwhile.
 * before_ms: the look before the one that is made now; 0: none is made. */
static struct err overdue(struct core *c, struct db_txn *t, struct log *log, uint64_t before_ms)
{
    uint64_t now = core_now_ms(c);
    bool judged = before_ms != 0 || now >= log->watched_ms + OVERDUE_LOOK_MS;
    if (log->overdue || !judged || !kt_view_overdue(&log->view, before_ms != 0 ? before_ms : now))
        return ERR_OK;
    log->overdue = true;
    TRY(log_put(t, log));
    return log_alarm(c, t, NULL, 0,
                     "the log of %s has not moved on for longer than its window: what it shows "
                     "may be old",
                     log->domain);
}

/* When TASK_LOG_WATCH has something to do: a look, or to see what came of the last one. */
static uint64_t next_turn(const struct core *c, const struct log *log, uint64_t early)
{
    uint64_t now = core_now_ms(c), at = next_look(c, log);
    uint64_t judged = log->watched_ms + OVERDUE_LOOK_MS;
    if (judged > now && judged < at)
        at = judged;
    return early != 0 && early < at ? early : at;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct log log;
    uint64_t early, now = core_now_ms(c);
    (void)call;
    TRY(read_domain(task, domain));
    TRY(log_get(t, domain, &log));
    *ret_next = TASK_NEXT_WAIT;
    struct err err = early_get(t, domain, &early);
    if (err_is_ok(err) && log.state != LOG_HELD) {
        *ret_next = TASK_NEXT_DONE;
    } else if (err_is_ok(err)) {
        if (log.watched_ms == 0) { /* just met: all was searched for now */
            log.watched_ms = now;
            err = log_put(t, &log);
        }
        bool window = now >= next_look(c, &log);
        uint64_t before = window ? log.watched_ms : 0;
        if (err_is_ok(err) && (window || (early != 0 && now >= early))) {
            err = look_around(c, t, &log, !window);
            early = 0;
        }
        if (err_is_ok(err))
            err = overdue(c, t, &log, before);
        task->not_before_ms = next_turn(c, &log, early);
    }
    log_clear(&log);
    return err;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    (void)c, (void)t, (void)task, (void)answer;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

const struct task_steps task_steps_LOG_WATCH = {.prepare = prepare, .settle = settle};
