/* CreateQueueClient: a further client with a queue of its own. */
#include "server/queue/job.h"
#include "server/queue/record.h"

struct create {
    struct queue_job job;
    struct queue_client client;
};

static struct err effect(struct store_txn *txn, struct queue_job *job)
{
    struct create *c = (struct create *)job;
    struct queue_user user;
    struct err err =
        queue_user_by_id(txn, job->q, bytes_of(job->caller, sizeof job->caller), &user);
    if (err.code == ERR_NOT_FOUND)
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(err);
    err = queue_client_add(txn, job->q, job->now_s, &user, &c->client);
    if (err_is_ok(err))
        err = queue_user_set(txn, job->q, &user);
    queue_user_clear(&user);
    TRY(err);
    Hearth__V1__CreateQueueClientResponse out = HEARTH__V1__CREATE_QUEUE_CLIENT_RESPONSE__INIT;
    out.queue_client_id = (ProtobufCBinaryData){sizeof c->client.id, c->client.id};
    return queue_job_answer(job, &out.base);
}

static void clear(struct queue_job *job)
{
    queue_client_clear(&((struct create *)job)->client);
}

enum hearth_code queue_create_client(struct hearth_call *call,
                                     const Hearth__V1__CreateQueueClientRequest *in,
                                     Hearth__V1__CreateQueueClientResponse *out, void *self)
{
    enum hearth_code code;
    (void)out;
    struct create *c = queue_job_new(self, call, sizeof *c, &code);
    if (c == NULL)
        return code;
    c->job.id = in->idempotency;
    c->job.effect = effect;
    c->job.clear = clear;
    struct err err = queue_client_settings(in->client, &c->client);
    return err_is_ok(err) ? queue_job_run(&c->job) : queue_job_fail(&c->job, err);
}
