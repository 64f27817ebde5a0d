/* TASK_TOKENS: one batch of one class and period.
 *
 *     struct { uint8 version = 1; uint8 class; uint32 period; uint32 count; uint64 when_ms;
 *              opaque order<V>; } body
 *
 * order: token_inside.h; empty: not made yet.
 *
 * The order is written before it is sent, so that a repeat after a kill is the same request, which
 * is charged once; it goes with the task's row.
 */
#include "client/core/homeserver.h"
#include "client/core/task.h"
#include "client/core/token_inside.h"
#include "hearth/v1/auth.pb-c.h"
#include "pass/redeem.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    BODY_VERSION = 1,
    COUNT_LEAST = 4,
    GATE_MS = 60 * 1000,
    REFUSED_TODAY_MS = 60 * 1000,
    REFUSED_NEXT_MS = 3600 * 1000,
};

struct fetch {
    uint8_t class;
    uint32_t period, count;
    uint64_t when_ms;
    struct bytes order; /* view into the body */
};

static void lane_of(const struct core *c, uint8_t class, uint32_t period, uint8_t ret_lane[16])
{
    const uint8_t which[] = {class, (uint8_t)(period >> 24), (uint8_t)(period >> 16),
                             (uint8_t)(period >> 8), (uint8_t)period};
    token_lane("Hearth 1 token lane", bytes_of(which, sizeof which), c->account.domain, ret_lane);
}

static void body_write(struct buf *b, const struct fetch *f)
{
    wire_write_u8(b, BODY_VERSION);
    wire_write_u8(b, f->class);
    wire_write_u32(b, f->period);
    wire_write_u32(b, f->count);
    wire_write_u64(b, f->when_ms);
    wire_write_vector(b, f->order);
}

static struct err body_read(struct bytes in, struct fetch *ret_fetch)
{
    struct wire_reader r = wire_reader_of(in);
    struct fetch f;
    if (wire_read_u8(&r) != BODY_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    f.class = wire_read_u8(&r);
    f.period = wire_read_u32(&r);
    f.count = wire_read_u32(&r);
    f.when_ms = wire_read_u64(&r);
    f.order = wire_read_vector(&r);
    if (!err_is_ok(wire_reader_end(&r)) || f.count == 0 || f.count > PASS_BATCH_MAX ||
        (f.order.len != 0 && f.order.len != token_order_bytes(f.count)))
        return ERR(STORE_CORRUPT);
    *ret_fetch = f;
    return ERR_OK;
}

/* f->order may point into the body. */
static struct err body_set(struct task *task, const struct fetch *f)
{
    struct buf b = BUF_INIT;
    body_write(&b, f);
    return buf_replace(&task->body, &b);
}

struct err token_fetching(struct core *c, struct db_txn *t, uint8_t class, uint32_t period,
                          bool *ret_there)
{
    uint8_t lane[16];
    lane_of(c, class, period, lane);
    return task_in_lane(c, t, lane, TASK_TOKENS, ret_there);
}

struct err token_fetch_add(struct core *c, struct db_txn *t, uint8_t class, uint32_t period,
                           uint32_t count, uint64_t when_ms)
{
    uint8_t lane[16];
    struct buf body = BUF_INIT;
    const struct fetch f = {.class = class, .period = period, .count = count, .when_ms = when_ms};
    lane_of(c, class, period, lane);
    body_write(&body, &f);
    return token_task_add(c, t, TASK_TOKENS, lane, &body);
}

static struct err order_make(struct core *c, struct db_txn *t, struct task *task, struct fetch *f)
{
    struct buf b = BUF_INIT;
    struct err err = token_order_make(c, t, c->account.domain, f->class, f->period, f->count, &b);
    f->order = buf_view(&b);
    if (err_is_ok(err))
        err = body_set(task, f);
    buf_clear(&b);
    TRY(err);
    return body_read(buf_view(&task->body), f);
}

static struct err ask(struct core *c, const struct fetch *f, struct task_call *call)
{
    Hearth__V1__IssueTokensRequest in = HEARTH__V1__ISSUE_TOKENS_REQUEST__INIT;
    struct buf request = BUF_INIT;
    struct err err =
        token_order_request(c->account.domain, f->class, f->period, f->count, f->order, &request);
    if (err_is_ok(err)) {
        in.token_class = f->class;
        in.period = f->period;
        in.request = core_out(buf_view(&request));
        err = task_call_request(call, "Auth", "IssueTokens", &in.base);
    }
    buf_clear(&request);
    TRY(err);
    return call_as_client(&c->account, call);
}

/* ---- steps */

/* Over, well or not: what comes next is planned. */
static struct err over(struct core *c, struct db_txn *t, enum task_next *ret_next)
{
    *ret_next = TASK_NEXT_DONE;
    task_wake(c, NULL);
    return token_plan(c, t);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    const uint64_t now = core_now_ms(c);
    struct fetch f;
    TRY(body_read(buf_view(&task->body), &f));
    if (f.when_ms > now) {
        task->not_before_ms = f.when_ms;
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    if (f.period < token_day(c)) /* slept over it */
        return over(c, t, ret_next);
    if (!pass_issuable(f.period, now / 1000)) {
        *ret_next = TASK_NEXT_WAIT; /* our midnight comes a little later */
        task->not_before_ms = now + (uint64_t)TOKEN_SKEW_S * 1000;
        return ERR_OK;
    }
    if (f.order.len == 0) {
        struct err err = token_gate(c, t, c->account.domain, PASS_TYPE_TOKEN, f.class, f.period);
        if (err.code == ERR_CLIENT_LOG_LATER) {
            *ret_next = TASK_NEXT_WAIT;
            task->not_before_ms = now + GATE_MS;
            return ERR_OK;
        }
        TRY(err);
        err = order_make(c, t, task, &f);
        if (err.code == ERR_PASS_KEY || err.code == ERR_WIRE_SHORT) { /* an old directory */
            TRY(homeserver_want(c, t, c->account.domain));
            return over(c, t, ret_next);
        }
        TRY(err);
    }
    *ret_next = TASK_NEXT_CALL;
    return ask(c, &f, call);
}

/* Less, until it is what we may have; in the end nothing. */
static struct err fewer(struct core *c, struct db_txn *t, struct task *task, struct fetch *f,
                        enum task_next *ret_next)
{
    f->count = f->count > TOKEN_GRANT ? TOKEN_GRANT : f->count / 2;
    if (f->count >= COUNT_LEAST) {
        f->order = bytes_of(NULL, 0);
        *ret_next = TASK_NEXT_AGAIN;
        TRY(task_renew(c, task));
        return body_set(task, f);
    }
    struct pass_public_key key;
    TRY(token_key(c, t, c->account.domain, f->class, f->period, &key));
    TRY(token_pile_add(t, c->account.domain, &key, NULL, 0, 0, 0));
    return over(c, t, ret_next);
}

/* As by an operator who wants somebody out (DoS13). Asked again, though not at once: whoever waits
 * for tokens would begin anew as soon as this failed, and the receipts of it would push out all
 * others. */
static struct err refused(struct core *c, struct task *task, const struct hearth_status *status,
                          struct fetch *f, enum task_next *ret_next)
{
    const bool today = f->period <= token_day(c);
    core_error_of_status(status, &c->trouble);
    f->when_ms = core_now_ms(c) + (today ? REFUSED_TODAY_MS : REFUSED_NEXT_MS);
    f->order = bytes_of(NULL, 0);
    *ret_next = TASK_NEXT_AGAIN;
    TRY(task_renew(c, task));
    return body_set(task, f);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct fetch f;
    TRY(body_read(buf_view(&task->body), &f));
    if (answer->out != NULL) {
        const Hearth__V1__IssueTokensResponse *in = (const void *)answer->out;
        TRY(token_order_finish(c, t, c->account.domain, f.class, f.period, f.count, f.order,
                               core_in(in->response), in->allowance_left));
        return over(c, t, ret_next);
    }
    if (answer->status->code == HEARTH_RESOURCE_EXHAUSTED)
        return fewer(c, t, task, &f, ret_next);
    return refused(c, task, answer->status, &f, ret_next);
}

const struct task_steps task_steps_TOKENS = {
    .prepare = prepare, .settle = settle, .failed = token_task_failed};
