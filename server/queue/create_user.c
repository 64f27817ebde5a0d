/* CreateQueueUser: a record with its first client. */
#include "server/queue/job.h"
#include "server/queue/record.h"

struct create {
    struct queue_job job;
    struct queue_user user;
    struct queue_client client;
};

static struct err effect(struct store_txn *txn, struct queue_job *job)
{
    struct create *c = (struct create *)job;
    TRY(queue_user_add(txn, job->q, &c->user));
    TRY(queue_client_add(txn, job->q, job->now_s, &c->user, &c->client));
    TRY(queue_user_set(txn, job->q, &c->user));
    Hearth__V1__CreateQueueUserResponse out = HEARTH__V1__CREATE_QUEUE_USER_RESPONSE__INIT;
    out.queue_user_id = (ProtobufCBinaryData){sizeof c->user.id, c->user.id};
    out.queue_client_id = (ProtobufCBinaryData){sizeof c->client.id, c->client.id};
    return queue_job_answer(job, &out.base);
}

static void clear(struct queue_job *job)
{
    struct create *c = (struct create *)job;
    queue_user_clear(&c->user);
    queue_client_clear(&c->client);
}

enum hearth_code queue_create_user(struct hearth_call *call,
                                   const Hearth__V1__CreateQueueUserRequest *in,
                                   Hearth__V1__CreateQueueUserResponse *out, void *self)
{
    struct queue *q = self;
    enum hearth_code code;
    (void)out;
    uint64_t principal = front_caller(call)->principal; /* the source */
    if (queue_limited(q, call, LIMIT_CREATE_QUEUE_PREFIX, bytes_of(&principal, sizeof principal),
                      &code))
        return code;
    struct create *c = queue_job_new(q, call, sizeof *c, &code);
    if (c == NULL)
        return code;
    c->job.id = in->idempotency;
    c->job.effect = effect;
    c->job.clear = clear;
    struct err err = queue_check_auth_key(in->auth_key);
    if (err_is_ok(err))
        err = queue_client_settings(in->client, &c->client);
    if (!err_is_ok(err))
        return queue_job_fail(&c->job, err);
    memcpy(c->user.auth_key, in->auth_key.data, in->auth_key.len);
    c->user.auth_key_len = in->auth_key.len;
    memcpy(c->user.contact_key, in->contact_key.data, sizeof c->user.contact_key);
    return queue_job_run(&c->job);
}
