/* TASK_LOG_SIGHT: what directory of token keys a homeserver's log held at a time of before
 * (tlog/sight.h). Asked without a name, as all searches.
 *
 *     body    struct { opaque domain<V>; uint64 at_s; }
 *     state   answers in a row that failed
 */
#include <stdio.h>

#include "client/core/log_inside.h"
#include "client/core/task.h"
#include "client/core/token_seen.h"
#include "hearth/v1/transparency.pb-c.h"
#include "seal/system_keys.h"
#include "wire/reader.h"
#include "wire/writer.h"

struct body {
    char domain[DOMAIN_MAX_BYTES + 1];
    uint64_t at_s;
};

static struct err body_read(const struct task *task, struct body *ret_body)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct bytes domain = wire_read_vector(&r);
    ret_body->at_s = wire_read_u64(&r);
    TRY(wire_reader_end(&r));
    if (domain.len > DOMAIN_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    (void)snprintf(ret_body->domain, sizeof ret_body->domain, "%.*s", (int)domain.len,
                   (const char *)domain.data);
    return ERR_OK;
}

/* One at a time for each homeserver: its answer may be what the next one would ask for. */
struct err token_sight(struct core *c, struct db_txn *t, const char *domain, uint64_t at_s)
{
    uint8_t lane[16];
    bool there = false;
    struct buf body = BUF_INIT;
    log_lane(domain, lane);
    TRY(task_in_lane(c, t, lane, TASK_LOG_SIGHT, &there));
    if (there)
        return ERR_OK;
    wire_write_vector(&body, bytes_str(domain));
    wire_write_u64(&body, at_s);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LOG_SIGHT, lane, NULL, buf_view(&body), NULL);
    buf_clear(&body);
    return err;
}

static uint64_t at_ms(const struct body *body)
{
    return body->at_s > UINT64_MAX / 1000 ? UINT64_MAX : body->at_s * 1000;
}

static struct err ask(const struct log *log, const struct body *body, struct task_call *call)
{
    Hearth__V1__MonitorRequest in = HEARTH__V1__MONITOR_REQUEST__INIT;
    struct buf request = BUF_INIT, label = BUF_INIT;
    system_label_write(&label, system_label_of(SYSTEM_USE_TOKENS));
    struct err err = buf_check(&label);
    if (err_is_ok(err))
        err = kt_sight_request(&request, &log->view, buf_view(&label), at_ms(body));
    in.monitor = core_out(buf_view(&request));
    (void)snprintf(call->domain, sizeof call->domain, "%s", body->domain);
    call->anonymous = true;
    if (err_is_ok(err))
        err = task_call_request(call, "Transparency", "Monitor", &in.base);
    buf_clear(&request);
    buf_clear(&label);
    return err;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct body body;
    struct log log;
    (void)c;
    TRY(body_read(task, &body));
    TRY(log_get(t, body.domain, &log));
    *ret_next = log.state == LOG_HELD && !log.distrusted ? TASK_NEXT_CALL : TASK_NEXT_DONE;
    struct err err = *ret_next == TASK_NEXT_CALL ? ask(&log, &body, call) : ERR_OK;
    log_clear(&log);
    return err;
}

/* ---- the answer */

static struct err take(struct core *c, struct db_txn *t, struct log *log, const struct body *body,
                       struct bytes response)
{
    struct kt_sight sight;
    struct token_facts facts;
    struct buf label = BUF_INIT;
    system_label_write(&label, system_label_of(SYSTEM_USE_TOKENS));
    struct err err = buf_check(&label);
    if (err_is_ok(err))
        err = kt_verify_sight(&log->view, buf_view(&label), at_ms(body), response, &sight);
    buf_clear(&label);
    TRY(err);
    TRY(token_facts_get(t, body->domain, &facts));
    if (sight.index == 1)
        facts.first_s = sight.at_ms / 1000;
    if (sight.exists)
        err =
            token_seen_value(&facts, sight.value, sight.at_ms / 1000, true, core_now_ms(c) / 1000);
    if (err_is_ok(err))
        err = token_seen_asked(&facts, body->at_s);
    if (err_is_ok(err))
        err = token_facts_put(t, body->domain, &facts);
    token_facts_clear(&facts);
    TRY(err);
    task_wake(c, NULL); /* who waited for it */
    return log_put(t, log);
}

/* Twice an answer that can't be: the log is told so by what it is asked next, and until then none
 * of its new keys is used. */
static struct err settle_with(struct core *c, struct db_txn *t, struct task *task, struct log *log,
                              const struct body *body, const struct task_answer *answer,
                              enum task_next *ret_next)
{
    const Hearth__V1__MonitorResponse *in = (const void *)answer->out;
    *ret_next = TASK_NEXT_DONE; /* refused: whoever waits asks again */
    if (in == NULL || log->state != LOG_HELD)
        return ERR_OK;
    struct err err = take(c, t, log, body, core_in(in->monitor));
    const enum err_class class = err_class_of(err);
    if (err_is_ok(err) || (class != ERR_CLASS_PEER && class != ERR_CLASS_CALLER))
        return err;
    if (task->state++ == 0) {
        *ret_next = TASK_NEXT_AGAIN;
        return ERR_OK;
    }
    return log_alarm(c, t, NULL, 0, "%s does not show since when its token keys are in its log: %s",
                     body->domain, err_text(err));
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct body body;
    struct log log;
    TRY(body_read(task, &body));
    TRY(log_get(t, body.domain, &log));
    struct err err = settle_with(c, t, task, &log, &body, answer, ret_next);
    log_clear(&log);
    return err;
}

const struct task_steps task_steps_LOG_SIGHT = {.prepare = prepare, .settle = settle};
