/* TASK_LOG: one label of one homeserver, searched and verified.
 *
 *     body    struct { opaque domain<V>; opaque label<V>; opaque bad<V>; uint32 why; }
 *             bad, why: an answer that failed, and how, while it is asked again
 *
 *     ASK     the configuration first, where there is none: leaf 0, whose hash the first
 * consistency proof is about AGAIN   after an answer that failed: it may have been damaged on its
 * way AFRESH  failed twice: from the configuration on, as somebody new would ask; what that answer
 *             shows may convict
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/log_inside.h"
#include "client/core/log_receipt.h"
#include "client/core/log_witness.h"
#include "client/core/task.h"
#include "hearth/v1/transparency.pb-c.h"

enum ask_state { ASK = 0, AGAIN = 1, AFRESH = 2, RECEIPT = 3, RECEIPT_AGAIN = 4 };
enum { EMPTY_WAIT_MS = 1000, EMPTY_TRIES = 60, REFUSED_WAIT_MS = 30 * 1000, REFUSED_TRIES = 4 };

struct body {
    char domain[DOMAIN_MAX_BYTES + 1];
    struct bytes label, bad;
    uint32_t why;
};

static struct err body_read(const struct task *task, struct body *ret_body)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct bytes domain = wire_read_vector(&r);
    ret_body->label = wire_read_vector(&r);
    ret_body->bad = wire_read_vector(&r);
    ret_body->why = wire_read_u32(&r);
    TRY(wire_reader_end(&r));
    if (domain.len > DOMAIN_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    (void)snprintf(ret_body->domain, sizeof ret_body->domain, "%.*s", (int)domain.len,
                   (const char *)domain.data);
    return ERR_OK;
}

static struct err body_set(struct task *task, const struct body *body)
{
    struct buf b = BUF_INIT;
    wire_write_vector(&b, bytes_str(body->domain));
    wire_write_vector(&b, body->label);
    wire_write_vector(&b, body->bad);
    wire_write_u32(&b, body->why);
    return buf_replace(&task->body, &b);
}

/* What is asked and what it is verified against: the same in prepare and settle, since the lane of
 * the homeserver is ours in between. */
struct asking {
    struct log log;
    struct log_label *label;
    struct kt_view view;
    struct kt_query query;
};

static void asking_end(struct asking *a)
{
    log_clear(&a->log);
    log_label_free(a->label);
}

struct err log_config_view(const struct kt_config *config, struct kt_view *ret_view)
{
    struct buf b = BUF_INIT;
    kt_config_write(&b, config);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = kt_view_init(buf_view(&b), ret_view);
    buf_clear(&b);
    return err;
}

static struct err asking_begin(struct core *c, struct db_txn *t, const struct task *task,
                               const struct body *body, struct asking *a)
{
    TRY(log_get(t, body->domain, &a->log));
    struct err err = log_label_get(t, body->domain, body->label, &a->label);
    if (err_is_ok(err) && a->log.state == LOG_HELD) {
        const struct log_label *l = a->label;
        bool system = l->label.data[0] == LABEL_SYSTEM;
        a->view = a->log.view;
        a->query = (struct kt_query){
            .label = buf_view(&a->label->label), .now_ms = core_now_ms(c), .opaque_value = system};
        if (task->state == RECEIPT || task->state == RECEIPT_AGAIN) {
            a->query.opaque_value = true;
            err = log_receipt_view(&a->log, a->label, &a->view);
        } else if (task->state == AFRESH) {
            a->query.opaque_value = true; /* to see what is there, whatever it is */
            err = log_config_view(&a->log.view.config, &a->view);
        } else if (l->checked_ms != 0) {
            a->query.known = &l->known;
            a->query.known_value = buf_view(&l->value);
        }
    }
    if (!err_is_ok(err))
        asking_end(a);
    return err;
}

/* ---- prepare */

static struct err ask_config(struct task_call *call)
{
    Hearth__V1__GetTileRequest in = HEARTH__V1__GET_TILE_REQUEST__INIT;
    in.width = 1;
    in.entries = true;
    return task_call_request(call, "Transparency", "GetTile", &in.base);
}

static struct err ask_label(const struct asking *a, struct task_call *call)
{
    Hearth__V1__LookupRequest in = HEARTH__V1__LOOKUP_REQUEST__INIT;
    struct buf request = BUF_INIT;
    struct err err = kt_search_request(&request, &a->view, &a->query);
    in.search = core_out(buf_view(&request));
    if (err_is_ok(err))
        err = task_call_request(call, "Transparency", "Lookup", &in.base);
    buf_clear(&request);
    return err;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct body body;
    struct asking a = {0};
    TRY(body_read(task, &body));
    if (task->state == ASK && body.bad.len > 0) /* of monitoring (log_monitor.c) */
        task->state = AFRESH;
    struct err err = asking_begin(c, t, task, &body, &a);
    if (err.code == ERR_NOT_FOUND && task->state >= RECEIPT) { /* dropped meanwhile */
        *ret_next = TASK_NEXT_DONE;
        return ERR_OK;
    }
    TRY(err);
    (void)snprintf(call->domain, sizeof call->domain, "%s", body.domain);
    call->anonymous = true;
    *ret_next = TASK_NEXT_CALL;
    err = a.log.state == LOG_HELD ? ask_label(&a, call) : ask_config(call);
    asking_end(&a);
    return err;
}

/* ---- the configuration */

static struct err take_config(struct core *c, struct log *log, struct bytes tile)
{
    char origin[DOMAIN_MAX_BYTES + 16];
    struct wire_reader r = wire_reader_of(tile);
    struct bytes config = wire_read_vector16(&r);
    struct kt_view view;
    TRY(wire_reader_end(&r));
    TRY(kt_view_init(config, &view));
    (void)snprintf(origin, sizeof origin, "%s/kt/", log->domain);
    struct bytes is = kt_config_origin(&view.config), wants = bytes_str(origin);
    if (is.len <= wants.len || memcmp(is.data, wants.data, wants.len) != 0)
        return ERR(TLOG_CHECKPOINT);
    log->view = view;
    log->state = LOG_HELD;
    log->asked_ms = core_now_ms(c);
    return ERR_OK;
}

/* It has no log. One that had one can't stop having it. */
static struct err no_log(struct core *c, struct db_txn *t, struct asking *a)
{
    bool news = a->log.state == LOG_UNKNOWN;
    a->label->task = 0;
    TRY(log_label_put(t, a->label));
    if (a->log.state == LOG_HELD) {
        const struct log_trouble trouble = {
            .why = ERR(TLOG_SHRUNK), .what = "it had a verifiable log, and serves none any more"};
        TRY(log_report(c, t, &a->log, NULL, &trouble));
        return log_put(t, &a->log);
    }
    a->log.state = LOG_UNLOGGED;
    a->log.asked_ms = core_now_ms(c);
    TRY(log_put(t, &a->log));
    if (news)
        task_wake(c, NULL);
    return log_found(c, t, &a->log, a->label, news);
}

/* ---- the label */

void log_remember_seen(struct log *log, struct bytes checkpoint, const struct dist_entry *dist)
{
    struct log_seen seen = {BUF_INIT, BUF_INIT};
    const struct kt_dist *newest = kt_view_newest_dist(&log->view);
    if (newest == NULL || dist->index != newest->index)
        return;
    if (log->seen_count > 0) {
        struct wire_reader reader = wire_reader_of(buf_view(&log->seen[log->seen_count - 1].dist));
        if (wire_read_u64(&reader) >= dist->index)
            return;
    }
    buf_append_bytes(&seen.note, checkpoint);
    dist_entry_write(&seen.dist, dist);
    if (!err_is_ok(buf_check(&seen.note)) || !err_is_ok(buf_check(&seen.dist))) {
        buf_clear(&seen.note); /* one proof less */
        buf_clear(&seen.dist);
        return;
    }
    if (log->seen_count == LOG_SEEN_MAX) {
        buf_clear(&log->seen[0].note);
        buf_clear(&log->seen[0].dist);
        memmove(log->seen, log->seen + 1, (LOG_SEEN_MAX - 1) * sizeof *log->seen);
        log->seen_count--;
    }
    log->seen[log->seen_count++] = seen;
}

static struct err keep(struct buf *into, struct bytes bytes)
{
    buf_clear(into);
    buf_append_bytes(into, bytes);
    return buf_check(into);
}

struct err log_take_result(struct core *c, const struct log *log, struct log_label *l,
                           const struct kt_result *result, bool *ret_news)
{
    *ret_news = l->checked_ms == 0 || l->known.exists != result->known.exists ||
                l->known.version != result->known.version;
    l->known = result->known;
    if (*ret_news)
        l->continuity = result->continuity;
    if (l->roles & LOG_OWN) {
        log_own_learn(l);
        const struct kt_dist *dist = kt_view_find_dist(&log->view, l->known.dist_index);
        if (l->watched.index == 0 && l->known.exists && dist != NULL)
            l->watched = *dist;
    }
    memcpy(l->opening, result->opening, sizeof l->opening);
    l->commitment = result->commitment;
    l->checked_ms = core_now_ms(c);
    l->awaited_ms = 0;
    return keep(&l->value, result->value);
}

static struct err take_result(struct core *c, struct asking *a, struct bytes response,
                              const struct kt_result *result, bool *ret_news)
{
    static struct search_response parsed; /* one thread; about 18 kB */
    struct log_label *l = a->label;
    a->log.view = a->view;
    a->log.asked_ms = core_now_ms(c);
    a->log.overdue = false; /* its newest entry is fresh */
    TRY(search_response_parse(response, &parsed));
    if (parsed.has_dist)
        log_remember_seen(&a->log, parsed.checkpoint, &parsed.dist);
    TRY(log_take_result(c, &a->log, l, result, ret_news));
    /* a repeat that shows less is no better proof than what is kept */
    bool shows = *ret_news || parsed.has_at_dist || parsed.at_entry.count == l->known.count;
    if (shows && response.len <= LOG_RESPONSE_KEPT_BYTES)
        return keep(&l->response, response);
    return ERR_OK;
}

static struct err found(struct core *c, struct db_txn *t, struct asking *a, struct bytes response,
                        const struct kt_result *result)
{
    bool news;
    const struct kt_dist *held = kt_view_newest_dist(&a->log.view);
    const uint64_t before = held != NULL ? held->index : 0;
    TRY(take_result(c, a, response, result, &news));
    a->label->task = 0;
    TRY(log_put(t, &a->log));
    TRY(log_label_put(t, a->label));
    const struct kt_dist *newest = kt_view_newest_dist(&a->log.view);
    if (newest != NULL && newest->index != before)
        TRY(log_witness_begin(c, t, a->log.domain));
    return log_found(c, t, &a->log, a->label, news);
}

/* What is the other side's doing, and not the machine's. */
static bool is_theirs(struct err err)
{
    enum err_class class = err_class_of(err);
    return class == ERR_CLASS_PEER || class == ERR_CLASS_CALLER;
}

static struct err report(struct core *c, struct db_txn *t, struct asking *a,
                         const struct body *body, struct bytes fresh,
                         const struct kt_result *result)
{
    const struct log_trouble trouble = {.why = {(enum err_code)body->why},
                                        .bad = body->bad,
                                        .fresh = fresh,
                                        .fresh_is = result,
                                        .fresh_view = &a->view};
    a->label->task = 0;
    TRY(log_report(c, t, &a->log, a->label, &trouble));
    TRY(log_put(t, &a->log));
    TRY(log_label_put(t, a->label));
    task_wake(c, NULL);
    return ERR_OK;
}

/* What the receipt's own log goes on to: the one that we are shown? Of two sizes it can't be told;
 * the next search tries again. */
static struct err take_receipt(struct db_txn *t, struct task *task, const struct body *body,
                               struct asking *a, struct bytes response, struct err err,
                               enum task_next *ret_next)
{
    struct body next = *body;
    bool same_size = err_is_ok(err) && a->view.size == a->log.view.size;
    *ret_next = TASK_NEXT_DONE;
    if (same_size && hash_value_equal(&a->view.root, &a->log.view.root)) {
        a->label->receipt_shown = true;
        return log_label_put(t, a->label);
    }
    if (err_is_ok(err) && !same_size)
        return ERR_OK;
    if (err_is_ok(err))
        err = ERR(TLOG_FORK);
    if (err.code == ERR_TLOG_SHRUNK || err.code == ERR_TLOG_STALE || err.code == ERR_TLOG_FUTURE)
        return ERR_OK; /* it has not come so far; the other two are told by the search itself */
    next.bad = response.len <= LOG_RESPONSE_KEPT_BYTES ? response : bytes_of(NULL, 0);
    next.why = (uint32_t)err.code;
    *ret_next = TASK_NEXT_AGAIN;
    task->state = task->state == RECEIPT ? RECEIPT_AGAIN : AFRESH;
    return body_set(task, &next);
}

static struct err take_label(struct core *c, struct db_txn *t, struct task *task,
                             const struct body *body, struct asking *a, struct bytes response,
                             enum task_next *ret_next)
{
    struct kt_result result;
    struct err err = kt_verify_search(&a->view, &a->query, response, &result);
    if (!err_is_ok(err) && !is_theirs(err))
        return err;
    *ret_next = TASK_NEXT_DONE;
    if (task->state == RECEIPT || task->state == RECEIPT_AGAIN)
        return take_receipt(t, task, body, a, response, err, ret_next);
    if (task->state == AFRESH)
        return err_is_ok(err) ? report(c, t, a, body, response, &result)
                              : report(c, t, a, body, bytes_of(NULL, 0), NULL);
    if (err_is_ok(err)) {
        bool due;
        TRY(found(c, t, a, response, &result));
        TRY(log_receipt_due(c, t, &a->log, a->label, &due));
        task->state = RECEIPT;
        *ret_next = due ? TASK_NEXT_AGAIN : TASK_NEXT_DONE;
        return ERR_OK;
    }
    struct body next = *body;
    next.bad = response.len <= LOG_RESPONSE_KEPT_BYTES ? response : bytes_of(NULL, 0);
    next.why = (uint32_t)err.code;
    *ret_next = TASK_NEXT_AGAIN;
    task->state = task->state == ASK ? AGAIN : AFRESH;
    return body_set(task, &next);
}

/* ---- answers */

static struct err refused(struct core *c, struct db_txn *t, struct task *task, struct asking *a,
                          const struct body *body, const struct hearth_status *status,
                          enum task_next *ret_next)
{
    bool empty = a->log.state != LOG_HELD && status->code == HEARTH_NOT_FOUND;
    *ret_next = TASK_NEXT_DONE;
    if (status->code == HEARTH_UNIMPLEMENTED)
        return no_log(c, t, a);
    if (task->state == RECEIPT)
        return ERR_OK;      /* the next search tries again */
    if (task->state != ASK) /* what failed is not undone by saying nothing more */
        return report(c, t, a, body, bytes_of(NULL, 0), NULL);
    struct body next = *body;
    uint32_t most = empty ? EMPTY_TRIES : REFUSED_TRIES;
    if (++next.why < most) { /* a log without an epoch, say */
        *ret_next = TASK_NEXT_WAIT;
        task->not_before_ms = core_now_ms(c) + (empty ? EMPTY_WAIT_MS : REFUSED_WAIT_MS);
        return body_set(task, &next);
    }
    a->label->task = 0;
    TRY(log_label_put(t, a->label));
    return log_alarm(c, t, NULL, 0, "the log of %s refuses to answer: %s", body->domain,
                     status->message != NULL ? status->message : "");
}

static struct err settle_with(struct core *c, struct db_txn *t, struct task *task,
                              const struct body *body, struct asking *a,
                              const struct task_answer *answer, enum task_next *ret_next)
{
    if (answer->out == NULL)
        return refused(c, t, task, a, body, answer->status, ret_next);
    *ret_next = TASK_NEXT_AGAIN;
    if (answer->out->descriptor == &hearth__v1__lookup_response__descriptor) {
        const Hearth__V1__LookupResponse *in = (const void *)answer->out;
        return a->log.state == LOG_HELD
                   ? take_label(c, t, task, body, a, core_in(in->search), ret_next)
                   : ERR_OK;
    }
    const Hearth__V1__GetTileResponse *in = (const void *)answer->out;
    if (a->log.state == LOG_HELD)
        return ERR_OK;
    struct err err = take_config(c, &a->log, core_in(in->tile));
    if (err_is_ok(err))
        return log_put(t, &a->log);
    if (!is_theirs(err))
        return err;
    *ret_next = TASK_NEXT_DONE;
    a->label->task = 0;
    TRY(log_label_put(t, a->label));
    return log_alarm(c, t, NULL, 0, "%s serves a log whose configuration can't be: %s",
                     body->domain, err_text(err));
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct body body;
    struct asking a = {0};
    TRY(body_read(task, &body));
    struct err err = asking_begin(c, t, task, &body, &a);
    if (err.code == ERR_NOT_FOUND) { /* the label, or its receipt, is nothing to us any more */
        *ret_next = TASK_NEXT_DONE;
        return ERR_OK;
    }
    TRY(err);
    err = settle_with(c, t, task, &body, &a, answer, ret_next);
    asking_end(&a);
    return err;
}

const struct task_steps task_steps_LOG = {.prepare = prepare, .settle = settle};
