/* TASK_VOUCHER: tokens of another homeserver. Ours gives a voucher for it, without being told for
 * which (RFC 9578 6, pass/voucher.h); there it buys a batch, from "some user of ours".
 *
 *     struct { uint8 version = 2; uint8 class; uint32 week; uint32 period; uint32 count;
 *              opaque domain<V>; opaque key<V>; opaque ordered<V>; opaque voucher<V>;
 *              opaque order<V>; uint64 when_ms; } body
 *     struct { opaque input[98]; opaque inverse[256]; opaque blinded[256]; } ordered
 *
 * key: of our homeserver's vouchers, as it was when ordered; ordered, voucher and order (of
 * token_inside.h) are empty until they are made. Each is written before it is sent. when_ms: not
 * before; version 1, which is read, has none.
 */
#include "client/core/homeserver.h"
#include "client/core/task.h"
#include "client/core/token_inside.h"
#include "hearth/v1/auth.pb-c.h"
#include "pass/key_rules.h"
#include "pass/voucher.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { BODY_VERSION = 2, WAIT_MS = 60 * 1000 };
enum { ORDERED_BYTES = PASS_INPUT_BYTES + 2 * BLIND_RSA_BYTES };
enum voucher_state { VOUCHER_ORDER, VOUCHER_EXCHANGE };

struct body {
    uint8_t class;
    uint32_t week, period, count;
    char domain[DOMAIN_MAX_BYTES + 1];
    struct bytes key, ordered, voucher, order; /* views into the task's body */
    uint64_t when_ms;
};

static void body_write(struct buf *b, const struct body *v)
{
    wire_write_u8(b, BODY_VERSION);
    wire_write_u8(b, v->class);
    wire_write_u32(b, v->week);
    wire_write_u32(b, v->period);
    wire_write_u32(b, v->count);
    wire_write_vector(b, bytes_str(v->domain));
    wire_write_vector(b, v->key);
    wire_write_vector(b, v->ordered);
    wire_write_vector(b, v->voucher);
    wire_write_vector(b, v->order);
    wire_write_u64(b, v->when_ms);
}

static struct err body_read(struct bytes in, struct body *ret_body)
{
    struct wire_reader r = wire_reader_of(in);
    struct body v = {0};
    const uint8_t version = wire_read_u8(&r);
    if (version == 0 || version > BODY_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    v.class = wire_read_u8(&r);
    v.week = wire_read_u32(&r);
    v.period = wire_read_u32(&r);
    v.count = wire_read_u32(&r);
    struct bytes domain = wire_read_vector(&r);
    v.key = wire_read_vector(&r);
    v.ordered = wire_read_vector(&r);
    v.voucher = wire_read_vector(&r);
    v.order = wire_read_vector(&r);
    v.when_ms = version > 1 ? wire_read_u64(&r) : 0;
    if (!err_is_ok(wire_reader_end(&r)) || domain.len > DOMAIN_MAX_BYTES ||
        (v.ordered.len != 0 && v.ordered.len != ORDERED_BYTES) ||
        (v.voucher.len != 0 && v.voucher.len != PASS_VOUCHER_BYTES))
        return ERR(STORE_CORRUPT);
    memcpy(v.domain, domain.data, domain.len);
    *ret_body = v;
    return ERR_OK;
}

/* Views of v may point into the old body; afterwards they point into the new one. */
static struct err body_set(struct task *task, struct body *v)
{
    struct buf b = BUF_INIT;
    body_write(&b, v);
    TRY(buf_replace(&task->body, &b));
    return body_read(buf_view(&task->body), v);
}

/* What somebody waits for does not wait for what is planned. */
static void lane_of(const char *domain, uint8_t class, bool ahead, uint8_t ret_lane[16])
{
    token_lane(ahead ? "Hearth 1 voucher ahead" : "Hearth 1 voucher lane", bytes_of(&class, 1),
               domain, ret_lane);
}

struct err token_buying(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                        bool *ret_there)
{
    uint8_t lane[16];
    lane_of(domain, class, false, lane);
    return task_in_lane(c, t, lane, TASK_VOUCHER, ret_there);
}

static struct err buy(struct core *c, struct db_txn *t, const char *domain, struct body v)
{
    uint8_t lane[16];
    struct buf b = BUF_INIT;
    v.count = PASS_BATCH_MAX;
    v.week = (uint32_t)((v.when_ms > 0 ? v.when_ms : core_now_ms(c)) / 1000 / PASS_WEEK_S);
    memcpy(v.domain, domain, strnlen(domain, DOMAIN_MAX_BYTES));
    lane_of(domain, v.class, v.when_ms > 0, lane);
    body_write(&b, &v);
    return token_task_add(c, t, TASK_VOUCHER, lane, &b);
}

struct err token_buy(struct core *c, struct db_txn *t, const char *domain, uint8_t class)
{
    return buy(c, t, domain, (struct body){.class = class, .period = token_day(c)});
}

struct err token_buy_ahead(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                           uint32_t period)
{
    uint8_t lane[16];
    bool there = false;
    struct body v = {.class = class, .period = period};
    lane_of(domain, class, true, lane);
    TRY(task_in_lane(c, t, lane, TASK_VOUCHER, &there));
    if (there)
        return ERR_OK;
    TRY(token_moment(c->rng, period, core_now_ms(c), &v.when_ms));
    return buy(c, t, domain, v);
}

/* ---- the voucher */

static struct err digest_of(const struct core *c, const struct body *v,
                            uint8_t ret_digest[PASS_DIGEST_BYTES])
{
    return pass_voucher_digest(bytes_str(c->account.domain), bytes_str(v->domain), v->class,
                               v->week, ret_digest);
}

static struct err ordered_make(struct core *c, struct db_txn *t, struct task *task, struct body *v)
{
    struct buf spki = BUF_INIT;
    struct blind_rsa_public key;
    struct pass_voucher_order order;
    uint8_t digest[PASS_DIGEST_BYTES], ordered[ORDERED_BYTES];
    TRY(token_gate(c, t, c->account.domain, PASS_TYPE_VOUCHER, v->class, v->week));
    TRY(digest_of(c, v, digest));
    TRY(token_voucher_key(c, t, c->account.domain, v->class, v->week, &spki, &key));
    struct err err = pass_voucher_order_init(&key, digest, c->rng, &order);
    blind_rsa_public_clear(&key);
    if (err_is_ok(err)) {
        memcpy(ordered, order.input, PASS_INPUT_BYTES);
        memcpy(ordered + PASS_INPUT_BYTES, order.inverse, BLIND_RSA_BYTES);
        memcpy(ordered + PASS_INPUT_BYTES + BLIND_RSA_BYTES, order.blinded, BLIND_RSA_BYTES);
        v->key = buf_view(&spki);
        v->ordered = bytes_of(ordered, sizeof ordered);
        err = body_set(task, v);
        pass_voucher_order_clear(&order);
    }
    bytes_wipe(ordered, sizeof ordered);
    buf_clear(&spki);
    return err;
}

static void ordered_read(const struct body *v, struct pass_voucher_order *order)
{
    memcpy(order->input, v->ordered.data, PASS_INPUT_BYTES);
    memcpy(order->inverse, v->ordered.data + PASS_INPUT_BYTES, BLIND_RSA_BYTES);
    memcpy(order->blinded, v->ordered.data + PASS_INPUT_BYTES + BLIND_RSA_BYTES, BLIND_RSA_BYTES);
}

static struct err ask_voucher(struct core *c, const struct body *v, struct task_call *call)
{
    Hearth__V1__IssueVouchersRequest in = HEARTH__V1__ISSUE_VOUCHERS_REQUEST__INIT;
    struct pass_voucher_order order;
    struct buf request = BUF_INIT;
    ordered_read(v, &order);
    pass_voucher_order_write(&order, &request);
    pass_voucher_order_clear(&order);
    ProtobufCBinaryData one = core_out(buf_view(&request));
    in.token_class = v->class;
    in.requests = &one;
    in.n_requests = 1;
    struct err err = buf_check(&request);
    if (err_is_ok(err))
        err = task_call_request(call, "Auth", "IssueVouchers", &in.base);
    buf_clear(&request);
    TRY(err);
    return call_as_client(&c->account, call);
}

static struct err take_voucher(struct task *task, struct body *v,
                               const Hearth__V1__IssueVouchersResponse *in)
{
    struct blind_rsa_public key;
    struct pass_voucher_order order;
    uint8_t voucher[PASS_VOUCHER_BYTES];
    if (in->n_signatures != 1)
        return ERR(WIRE_VALUE);
    TRY(blind_rsa_public_init(v->key, &key));
    ordered_read(v, &order);
    struct err err = pass_voucher_order_finish(&order, &key, core_in(in->signatures[0]), voucher);
    pass_voucher_order_clear(&order);
    blind_rsa_public_clear(&key);
    if (err_is_ok(err)) {
        v->ordered = bytes_of(NULL, 0);
        v->voucher = bytes_of(voucher, sizeof voucher);
        task->state = VOUCHER_EXCHANGE;
        err = body_set(task, v);
    }
    bytes_wipe(voucher, sizeof voucher);
    return err;
}

/* ---- what it buys */

static struct err order_make(struct core *c, struct db_txn *t, struct task *task, struct body *v)
{
    struct buf b = BUF_INIT;
    TRY(token_gate(c, t, v->domain, PASS_TYPE_TOKEN, v->class, v->period));
    struct err err = token_order_make(c, t, v->domain, v->class, v->period, v->count, &b);
    v->order = buf_view(&b);
    if (err_is_ok(err))
        err = body_set(task, v);
    buf_clear(&b);
    return err;
}

static struct err ask_exchange(struct core *c, const struct body *v, struct task_call *call)
{
    Hearth__V1__ExchangeVoucherRequest in;
    hearth__v1__exchange_voucher_request__init(&in);
    struct buf request = BUF_INIT;
    struct err err =
        token_order_request(v->domain, v->class, v->period, v->count, v->order, &request);
    if (err_is_ok(err)) {
        in.voucher = core_out(v->voucher);
        in.issuer = c->account.domain;
        in.token_class = v->class;
        in.period = v->period;
        in.request = core_out(buf_view(&request));
        err = task_call_request(call, "Auth", "ExchangeVoucher", &in.base);
    }
    buf_clear(&request);
    memcpy(call->domain, v->domain, sizeof call->domain);
    call->anonymous = true;
    return err;
}

/* ---- the task */

static struct err make(struct core *c, struct db_txn *t, struct task *task, struct body *v)
{
    if (task->state == VOUCHER_ORDER)
        return v->ordered.len != 0 ? ERR_OK : ordered_make(c, t, task, v);
    return v->order.len != 0 ? ERR_OK : order_make(c, t, task, v);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct body v;
    TRY(body_read(buf_view(&task->body), &v));
    if (v.when_ms > core_now_ms(c)) {
        *ret_next = TASK_NEXT_WAIT;
        task->not_before_ms = v.when_ms;
        return ERR_OK;
    }
    if (v.period < token_day(c)) { /* slept over it */
        *ret_next = TASK_NEXT_DONE;
        task_wake(c, NULL);
        return ERR_OK;
    }
    struct err err = make(c, t, task, &v);
    if (err.code == ERR_CLIENT_LOG_LATER || err.code == ERR_WIRE_SHORT) { /* keys are to come */
        *ret_next = TASK_NEXT_WAIT;
        task->not_before_ms = core_now_ms(c) + WAIT_MS;
        return homeserver_want(c, t, task->state == VOUCHER_ORDER ? c->account.domain : v.domain);
    }
    TRY(err);
    *ret_next = TASK_NEXT_CALL;
    return task->state == VOUCHER_ORDER ? ask_voucher(c, &v, call) : ask_exchange(c, &v, call);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct body v;
    TRY(body_read(buf_view(&task->body), &v));
    if (answer->out == NULL) {
        return task_step_refused(c, task, answer, ret_next);
    }
    *ret_next = TASK_NEXT_AGAIN;
    if (task->state == VOUCHER_ORDER)
        return take_voucher(task, &v, (const void *)answer->out);
    const Hearth__V1__ExchangeVoucherResponse *in = (const void *)answer->out;
    TRY(token_order_finish(c, t, v.domain, v.class, v.period, v.count, v.order,
                           core_in(in->response), UINT32_MAX));
    *ret_next = TASK_NEXT_DONE;
    task_wake(c, NULL);
    return token_plan_abroad(c, t);
}

const struct task_steps task_steps_VOUCHER = {
    .prepare = prepare, .settle = settle, .failed = token_task_failed};
