#include "client/core/token_pay.h"

#include <stdio.h>

#include "client/core/token.h"
#include "hearth/options.pb-c.h"
#include "hearth/v1/common.pb-c.h"

enum { PATIENCE_MS = 60 * 1000, FREE_AGAIN_MS = 10 * 60 * 1000 };

static void hash_call(const struct task_call *call, uint8_t ret_hash[16])
{
    struct digest d;
    const uint8_t named = call->anonymous ? 0 : 1;
    hash_list(&hash_sha256,
              BYTES_LIST(bytes_str("Hearth 1 paid call"), bytes_str(call->domain), bytes_str("/"),
                         bytes_str(call->endpoint->path), bytes_of(&named, 1),
                         bytes_of(call->purpose, named != 0 ? sizeof call->purpose : 0)),
              &d);
    memcpy(ret_hash, d.data, 16);
}

static void over(struct task_payment *p)
{
    buf_clear(&p->tokens);
    *p = (struct task_payment){0};
}

/* ---- what they say */

/* Tokens that were brought and not taken are not brought again; others may be, a few times. */
static bool refused_what_came(struct task_payment *p)
{
    if (p->tokens.len == 0)
        return true;
    buf_clear(&p->tokens);
    return ++p->refusals < TOKEN_REFUSALS_MOST;
}

bool token_demand(const struct hearth_status *status, uint8_t *ret_class, uint32_t *ret_tokens)
{
    ProtobufCMessage *detail = hearth_status_find(status, &hearth__v1__tokens_required__descriptor);
    if (detail == NULL)
        return false;
    const Hearth__V1__TokensRequired *in = (const void *)detail;
    const bool good = in->token_class >= PASS_DELIVERY && in->token_class < PASS_CLASS_END &&
                      in->tokens > 0 && in->tokens <= TOKEN_LIST_MOST;
    *ret_class = good ? (uint8_t)in->token_class : 0;
    *ret_tokens = in->tokens;
    protobuf_c_message_free_unpacked(detail, NULL);
    return good;
}

bool token_demanded(struct task *task, const struct hearth_status *status)
{
    struct task_payment *p = &task->payment;
    bool again = false;
    uint8_t class;
    uint32_t wanted;
    if (status->code != HEARTH_UNAUTHENTICATED) {
        over(p);
        return false;
    }
    if (token_demand(status, &class, &wanted)) {
        again = refused_what_came(p);
        p->class = class;
        p->wanted = wanted;
    } else if (p->tokens.len > 0) { /* spent, or of a key that is gone: others then */
        again = refused_what_came(p);
    }
    if (!again)
        over(p);
    return again;
}

/* ---- paying */

/* No tokens, and none to come today. What pseudonyms and cheap calls get for nothing grows again,
 * so these are made again without any; for all others it is over. */
static void do_without(struct core *c, struct task *task, const struct task_call *call,
                       const char *cause, const char *hint, enum task_next *next)
{
    struct task_payment *p = &task->payment;
    struct hearth_error error = {.result = HEARTH_FAILED, .name = "TOKENS"};
    (void)snprintf(error.text, sizeof error.text, "this call costs tokens, and there are none");
    (void)snprintf(error.cause, sizeof error.cause, "%s", cause);
    (void)snprintf(error.hint, sizeof error.hint, "%s", hint);
    const bool something_free = call->caller != 0 || call->endpoint->cost == HEARTH__COST__COST_LOW;
    if (!something_free || ++p->refusals > TOKEN_FREE_TRIES) {
        task_fail(c, task, &error);
        *next = TASK_NEXT_FAILED;
        return;
    }
    c->trouble = error;
    p->class = 0;
    *next = TASK_NEXT_WAIT;
    task->not_before_ms = core_now_ms(c) + FREE_AGAIN_MS;
}

/* Another homeserver's are bought, a few times: ours may give no vouchers, or that one take none.
 */
static struct err abroad(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_call *call, enum task_next *next)
{
    struct task_payment *p = &task->payment;
    bool there = false;
    TRY(token_buying(c, t, call->domain, p->class, &there));
    if (!there && p->refusals >= TOKEN_REFUSALS_MOST) {
        do_without(c, task, call, "they are of another homeserver, and none could be bought",
                   "wait for what it gives for nothing", next);
        return ERR_OK;
    }
    if (!there) {
        p->refusals++;
        TRY(token_buy(c, t, call->domain, p->class));
    }
    *next = TASK_NEXT_WAIT;
    task->not_before_ms = core_now_ms(c) + PATIENCE_MS;
    return ERR_OK;
}

/* Fewer than are wanted: more of today's are fetched, unless that was all for today. */
static struct err shortage(struct core *c, struct db_txn *t, struct task *task,
                           const struct task_call *call, enum task_next *next)
{
    const struct task_payment *p = &task->payment;
    struct token_pile pile;
    bool there = false;
    if (strcmp(call->domain, c->account.domain) != 0)
        return abroad(c, t, task, call, next);
    TRY(token_facts_set(t, call->domain, true));
    TRY(token_fetching(c, t, p->class, token_day(c), &there));
    struct err err = token_pile_get(t, call->domain, p->class, token_day(c), &pile);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    const uint32_t left = err_is_ok(err) ? pile.left : UINT32_MAX;
    if (!there && left == 0) {
        do_without(c, task, call, "today's allowance is used up", "tomorrow there are new ones",
                   next);
        return ERR_OK;
    }
    if (!there)
        TRY(token_want(c, t, p->class, left < TOKEN_GRANT ? left : TOKEN_GRANT));
    TRY(token_plan(c, t));
    *next = TASK_NEXT_WAIT;
    task->not_before_ms = core_now_ms(c) + PATIENCE_MS;
    return ERR_OK;
}

static struct err take(struct core *c, struct db_txn *t, struct task *task,
                       const struct task_call *call, enum task_next *next)
{
    struct task_payment *p = &task->payment;
    uint64_t wait_ms = 0;
    struct err err = token_take(c, t, call->domain, p->class, p->wanted, &p->tokens, &wait_ms);
    if (err.code == ERR_NOT_FOUND)
        return shortage(c, t, task, call, next);
    TRY(err);
    if (wait_ms > 0) {
        *next = TASK_NEXT_WAIT;
        task->not_before_ms = core_now_ms(c) + wait_ms;
    }
    return ERR_OK;
}

struct err token_pay(struct core *c, struct db_txn *t, struct task *task, struct task_call *call,
                     enum task_next *next)
{
    struct task_payment *p = &task->payment;
    uint8_t hash[16];
    if (p->class == 0 || call->endpoint == NULL)
        return ERR_OK;
    hash_call(call, hash);
    if (p->tokens.len > 0 && memcmp(hash, p->call_hash, sizeof hash) != 0) {
        over(p); /* another call than they were brought for */
        return ERR_OK;
    }
    if (p->tokens.len == 0) {
        TRY(take(c, t, task, call, next));
        memcpy(p->call_hash, hash, sizeof hash);
    }
    if (*next == TASK_NEXT_CALL)
        buf_append_bytes(&call->tokens, buf_view(&p->tokens));
    return buf_check(&call->tokens);
}
