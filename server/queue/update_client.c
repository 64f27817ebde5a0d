/* UpdateQueueClient: new keys, push token, policy. A new queue key is used at once: the next item
 * is a refresh under it. What was queued before still needs the old one. */
#include "server/queue/desk.h"
#include "server/queue/job.h"
#include "server/queue/state.h"

struct update {
    struct queue_job job;
    struct queue_client settings;
};

static struct err refresh(struct store_txn *txn, struct queue_job *job,
                          const struct queue_client *client)
{
    struct queue_state state;
    TRY(queue_state_get(txn, job->q, client->row, &state));
    struct err err = queue_is_full(job->q, &state) ? ERR(QUOTA) : ERR_OK;
    if (err_is_ok(err))
        err = queue_refresh(txn, job->q, &state, bytes_of(client->queue_key, client->queue_key_len),
                            job->now_s);
    if (err_is_ok(err))
        err = queue_state_set(txn, job->q, &state);
    queue_state_clear(&state);
    return err;
}

static struct err apply(struct store_txn *txn, struct queue_job *job, struct queue_client *client)
{
    struct queue_client *settings = &((struct update *)job)->settings;
    bool new_key = !bytes_equal(bytes_of(client->queue_key, client->queue_key_len),
                                bytes_of(settings->queue_key, settings->queue_key_len));
    settings->row = client->row;
    settings->user = client->user;
    memcpy(settings->id, client->id, sizeof settings->id);
    TRY(queue_client_set(txn, job->q, settings));
    return new_key ? refresh(txn, job, settings) : ERR_OK;
}

static struct err effect(struct store_txn *txn, struct queue_job *job)
{
    struct queue_client client;
    struct err err =
        queue_client_by_id(txn, job->q, bytes_of(job->caller, sizeof job->caller), &client);
    if (err.code == ERR_NOT_FOUND)
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(err);
    err = apply(txn, job, &client);
    queue_client_clear(&client);
    TRY(err);
    Hearth__V1__UpdateQueueClientResponse out = HEARTH__V1__UPDATE_QUEUE_CLIENT_RESPONSE__INIT;
    return queue_job_answer(job, &out.base);
}

static void clear(struct queue_job *job)
{
    queue_client_clear(&((struct update *)job)->settings);
}

static void after(struct queue_job *job)
{
    (void)desks_wake(job->q->desks, ((struct update *)job)->settings.row);
}

enum hearth_code queue_update_client(struct hearth_call *call,
                                     const Hearth__V1__UpdateQueueClientRequest *in,
                                     Hearth__V1__UpdateQueueClientResponse *out, void *self)
{
    enum hearth_code code;
    (void)out;
    struct update *u = queue_job_new(self, call, sizeof *u, &code);
    if (u == NULL)
        return code;
    u->job.id = in->idempotency;
    u->job.effect = effect;
    u->job.after = after;
    u->job.clear = clear;
    struct err err = queue_client_settings(in->client, &u->settings);
    return err_is_ok(err) ? queue_job_run(&u->job) : queue_job_fail(&u->job, err);
}
