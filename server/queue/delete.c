/* DeleteQueueUser and DeleteQueueClient: gone at once for every caller; what lay in the tables is
 * swept away afterwards. */
#include "server/queue/desk.h"
#include "server/queue/job.h"
#include "server/queue/record.h"
#include "server/queue/revoked.h"

struct deletion {
    struct queue_job job;
    uint8_t client_id[QUEUE_ID_BYTES]; /* of the request */
    uint64_t gone[QUEUE_CLIENTS_MOST];
    size_t gone_count;
};

static struct err delete_client(struct store_txn *txn, struct deletion *d, uint64_t row)
{
    TRY(queue_client_delete(txn, row));
    d->gone[d->gone_count++] = row;
    return ERR_OK;
}

static void after(struct queue_job *job)
{
    struct deletion *d = (struct deletion *)job;
    for (size_t i = 0; i < d->gone_count; i++)
        desks_end(job->q->desks, d->gone[i], ERR(FRONT_UNAUTHENTICATED));
    queue_sweep(job->q);
}

static struct err caller_gone(struct err err)
{
    return err.code == ERR_NOT_FOUND ? ERR(FRONT_UNAUTHENTICATED) : err;
}

/* ---- a user */

static struct err delete_user(struct store_txn *txn, struct queue_job *job)
{
    struct queue_user user;
    TRY(caller_gone(
        queue_user_by_id(txn, job->q, bytes_of(job->caller, sizeof job->caller), &user)));
    struct err err = ERR_OK;
    for (size_t i = 0; i < user.client_count && err_is_ok(err); i++)
        err = delete_client(txn, (struct deletion *)job, user.clients[i]);
    uint64_t row = user.row;
    queue_user_clear(&user);
    TRY(err);
    TRY(queue_user_delete(txn, row));
    Hearth__V1__DeleteQueueUserResponse out = HEARTH__V1__DELETE_QUEUE_USER_RESPONSE__INIT;
    return queue_job_answer(job, &out.base);
}

enum hearth_code queue_delete_user(struct hearth_call *call,
                                   const Hearth__V1__DeleteQueueUserRequest *in,
                                   Hearth__V1__DeleteQueueUserResponse *out, void *self)
{
    enum hearth_code code;
    (void)out;
    struct deletion *d = queue_job_new(self, call, sizeof *d, &code);
    if (d == NULL)
        return code;
    d->job.id = in->idempotency;
    d->job.frees = true;
    d->job.effect = delete_user;
    d->job.after = after;
    return queue_job_run(&d->job);
}

/* ---- a client */

/* The client meant, if the caller may delete it: itself, or one of the user's. */
static struct err find_target(struct store_txn *txn, struct deletion *d, struct queue_user *user,
                              uint64_t *ret_row)
{
    struct queue_job *job = &d->job;
    struct bytes caller = bytes_of(job->caller, sizeof job->caller);
    struct bytes target = bytes_of(d->client_id, sizeof d->client_id);
    struct queue_client client;
    if (job->is_client && !bytes_equal_ct(caller, target))
        return ERR(FRONT_FORBIDDEN);
    if (!job->is_client)
        TRY(caller_gone(queue_user_by_id(txn, job->q, caller, user)));
    struct err err = queue_client_by_id(txn, job->q, target, &client);
    if (err.code == ERR_NOT_FOUND)
        return job->is_client ? ERR(FRONT_UNAUTHENTICATED) : ERR(FRONT_FORBIDDEN);
    TRY(err);
    uint64_t owner = client.user, row = client.row;
    queue_client_clear(&client);
    if (!job->is_client && owner != user->row) /* answers as if there were none */
        return ERR(FRONT_FORBIDDEN);
    if (job->is_client)
        TRY(queue_user_by_row(txn, job->q, owner, user));
    *ret_row = row;
    return ERR_OK;
}

static struct err delete_one(struct store_txn *txn, struct queue_job *job)
{
    struct deletion *d = (struct deletion *)job;
    struct queue_user user = {0};
    uint64_t row = 0;
    struct err err = find_target(txn, d, &user, &row);
    if (err_is_ok(err))
        err = delete_client(txn, d, row);
    if (err_is_ok(err)) {
        queue_user_forget(&user, row);
        err = queue_user_set(txn, job->q, &user);
    }
    queue_user_clear(&user);
    TRY(err);
    Hearth__V1__DeleteQueueClientResponse out = HEARTH__V1__DELETE_QUEUE_CLIENT_RESPONSE__INIT;
    return queue_job_answer(job, &out.base);
}

enum hearth_code queue_delete_client(struct hearth_call *call,
                                     const Hearth__V1__DeleteQueueClientRequest *in,
                                     Hearth__V1__DeleteQueueClientResponse *out, void *self)
{
    enum hearth_code code;
    (void)out;
    struct deletion *d = queue_job_new(self, call, sizeof *d, &code);
    if (d == NULL)
        return code;
    memcpy(d->client_id, in->queue_client_id.data, sizeof d->client_id);
    d->job.id = in->idempotency;
    d->job.frees = true;
    d->job.effect = delete_one;
    d->job.after = after;
    return queue_job_run(&d->job);
}
