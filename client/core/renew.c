/* TASK_RENEW: a fresh ClientCredential for the same key; and what happens daily. */
#include "client/core/renew.h"

#include "client/core/handle.h"
#include "client/core/homeserver.h"
#include "client/core/log.h"
#include "client/core/register.h"
#include "client/core/task.h"
#include "client/core/token.h"
#include "hearth/v1/auth.pb-c.h"
#include "seal/credential_chain.h"

static const uint8_t renew_lane[16] = "renew";

uint64_t account_credential_end(const struct account *a)
{
    struct credential credential;
    if (a->credential.len == 0 ||
        !err_is_ok(credential_parse(buf_view(&a->credential), &credential)))
        return 0;
    return credential.not_after;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    const struct account *a = &c->account;
    Hearth__V1__RenewClientRequest in = HEARTH__V1__RENEW_CLIENT_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    struct buf request = BUF_INIT;
    (void)t;
    *ret_next = TASK_NEXT_CALL;
    TRY(call_as_client(a, call));
    TRY(credential_request_make(&request, buf_view(&a->client_id), &a->client_key));
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.credential_request = core_out(buf_view(&request));
    struct err err = task_call_request(call, "Auth", "RenewClient", &in.base);
    buf_clear(&request);
    return err;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    const Hearth__V1__RenewClientResponse *in = (const void *)answer->out;
    if (in == NULL) {
        return task_step_refused(c, task, answer, ret_next);
    }
    *ret_next = TASK_NEXT_DONE;
    TRY(account_take_credential(c, t, &c->account, core_in(in->credential),
                                core_in(in->signing_credential)));
    TRY(account_write(&c->account, t));
    return renew_leaves(c, t);
}

const struct task_steps task_steps_RENEW = {.prepare = prepare, .settle = settle};

/* ---- daily */

static struct err look_at_credential(struct core *c, struct db_txn *t)
{
    uint64_t end = account_credential_end(&c->account), now = core_now_ms(c) / 1000;
    bool there = false;
    if (now + (uint64_t)RENEW_BEFORE_DAYS * 24 * 3600 < end)
        return ERR_OK;
    TRY(task_in_lane(c, t, renew_lane, TASK_RENEW, &there));
    return there ? ERR_OK : task_add(c, t, TASK_RENEW, renew_lane, NULL, bytes_of(NULL, 0), NULL);
}

struct err upkeep_run(struct core *c, struct db_txn *t)
{
    if (!c->account.registered)
        return ERR_OK;
    TRY(homeservers_upkeep(c, t));
    TRY(look_at_credential(c, t));
    TRY(handle_upkeep(c, t));
    TRY(token_plan(c, t));
    TRY(log_upkeep(c, t));
    return renew_key_packages(c, t);
}

static struct err run(struct core *c, struct db_txn *t, void *arg)
{
    (void)arg;
    return upkeep_run(c, t);
}

static void on_timer(void *arg)
{
    struct core *c = arg;
    (void)hearth_timer_set(c->upkeep, UPKEEP_MS); /* set anew first thing: can't fail */
    struct err err = core_step(c, run, NULL);
    (void)err; /* tomorrow */
}

struct err upkeep_begin(struct core *c)
{
    c->upkeep = hearth_timer_new(c->loop, on_timer, c);
    return c->upkeep != NULL && hearth_timer_set(c->upkeep, 0) ? ERR_OK : ERR(NO_MEMORY);
}

void upkeep_end(struct core *c)
{
    hearth_timer_free(c->upkeep);
    c->upkeep = NULL;
}
