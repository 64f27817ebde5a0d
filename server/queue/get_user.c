/* GetQueueUser: the clients of a record, and how full they are. */
#include "server/queue/job.h"
#include "server/queue/package.h"
#include "server/queue/state.h"

static struct err info_of(struct store_txn *txn, struct queue_job *job, uint64_t row,
                          Hearth__V1__QueueClientInfo *info)
{
    struct queue_client client;
    struct queue_state state;
    TRY(queue_state_get(txn, job->q, row, &state));
    uint64_t items = state.ratchet.sequence - state.acked_end;
    queue_state_clear(&state);
    uint8_t *id = arena_alloc(&job->arena, QUEUE_ID_BYTES);
    if (id == NULL)
        return ERR(NO_MEMORY);
    TRY(queue_client_by_row(txn, job->q, row, &client));
    memcpy(id, client.id, QUEUE_ID_BYTES);
    queue_client_clear(&client);
    uint64_t packages = 0;
    TRY(package_count(txn, row, job->now_s, &packages));
    hearth__v1__queue_client_info__init(info);
    info->queue_client_id = (ProtobufCBinaryData){QUEUE_ID_BYTES, id};
    info->key_packages = (uint32_t)packages;
    info->items = (uint32_t)items;
    return ERR_OK;
}

static struct err effect(struct store_txn *txn, struct queue_job *job)
{
    struct queue_user user;
    struct err err =
        queue_user_by_id(txn, job->q, bytes_of(job->caller, sizeof job->caller), &user);
    if (err.code == ERR_NOT_FOUND)
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(err);
    Hearth__V1__GetQueueUserResponse out = HEARTH__V1__GET_QUEUE_USER_RESPONSE__INIT;
    Hearth__V1__QueueClientInfo infos[QUEUE_CLIENTS_MOST];
    Hearth__V1__QueueClientInfo *list[QUEUE_CLIENTS_MOST];
    for (size_t i = 0; i < user.client_count && err_is_ok(err); i++) {
        list[i] = &infos[i];
        err = info_of(txn, job, user.clients[i], &infos[i]);
    }
    out.n_clients = user.client_count;
    out.clients = list;
    queue_user_clear(&user);
    return err_is_ok(err) ? queue_job_answer(job, &out.base) : err;
}

enum hearth_code queue_get_user(struct hearth_call *call, const Hearth__V1__GetQueueUserRequest *in,
                                Hearth__V1__GetQueueUserResponse *out, void *self)
{
    enum hearth_code code;
    (void)in;
    (void)out;
    struct queue_job *job = queue_job_new(self, call, sizeof *job, &code);
    if (job == NULL)
        return code;
    job->read = true;
    job->effect = effect;
    return queue_job_run(job);
}
