#include "server/auth/inside.h"

static struct err charge(struct store_txn *txn, struct auth_job *job)
{
    struct grant_job *g = (struct grant_job *)job;
    TRY(client_seen(txn, g->caller.id, g->caller.user_id, job->now_s));
    return token_grant_take(txn, job->auth, &g->order, job->now_s, &g->left);
}

static void charged(struct auth_job *job)
{
    job->then = NULL;
    job->effect = ((struct grant_job *)job)->make;
    (void)auth_job_read(job);
}

void *grant_job_new(struct auth *auth, struct hearth_call *call, size_t size,
                    const ProtobufCMessage *in, const struct grant_kind *kind,
                    enum hearth_code *ret_code)
{
    struct client_caller caller;
    struct err err = client_caller(auth, call, &caller);
    if (!err_is_ok(err)) {
        *ret_code = front_fail(call, err);
        return NULL;
    }
    *ret_code = front_limit(call, LIMIT_TOKEN_BATCHES, bytes_of(caller.user_id, AUTH_ID_BYTES), 1);
    if (*ret_code != HEARTH_OK)
        return NULL;
    struct grant_job *g = auth_job_new(auth, call, size, in, NULL);
    if (g == NULL) {
        *ret_code = front_fail(call, ERR(NO_MEMORY));
        return NULL;
    }
    g->caller = caller;
    g->make = kind->make;
    g->job.effect = charge;
    g->job.then = charged;
    g->job.reply = kind->reply;
    g->job.clear = kind->clear;
    return g;
}

void grant_job_order(struct grant_job *g, uint8_t class, uint32_t period, size_t count)
{
    g->order.class = class;
    g->order.period = period;
    g->order.count = (uint32_t)count;
    memcpy(g->order.user, g->caller.user_id, sizeof g->order.user);
    token_request_id(g->job.auth, g->caller.user_id, front_caller(g->job.call)->body_hash,
                     g->order.request);
}

enum hearth_code grant_job_run(struct grant_job *g, struct err err)
{
    return err_is_ok(err) ? auth_job_write(&g->job, 3) : auth_job_fail(&g->job, err);
}
