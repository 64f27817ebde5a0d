/* UpdateQueueUser: new keys, revoked contacts. A new contact key ends all tokens made before, so
 * the list of revoked ones starts anew with it. */
#include "server/queue/job.h"
#include "server/queue/record.h"
#include "server/queue/revoked.h"

struct update {
    struct queue_job job;
    uint8_t auth_key[QUEUE_AUTH_KEY_BYTES];
    size_t auth_key_len; /* 0: as it is */
    uint8_t contact_key[CONTACT_KEY_BYTES];
    bool new_contact_key;
    struct bytes revoked; /* in the job's arena */
};

static struct err apply(struct store_txn *txn, struct update *u, struct queue_user *user)
{
    if (u->auth_key_len != 0) {
        memcpy(user->auth_key, u->auth_key, u->auth_key_len);
        user->auth_key_len = u->auth_key_len;
    }
    if (u->new_contact_key) {
        memcpy(user->contact_key, u->contact_key, sizeof user->contact_key);
        TRY(queue_revoked_forget(txn, user->row));
    }
    TRY(queue_user_set(txn, u->job.q, user));
    return u->revoked.len == 0 ? ERR_OK : queue_revoke(txn, u->job.q, user->row, u->revoked);
}

static struct err effect(struct store_txn *txn, struct queue_job *job)
{
    struct queue_user user;
    struct err err =
        queue_user_by_id(txn, job->q, bytes_of(job->caller, sizeof job->caller), &user);
    if (err.code == ERR_NOT_FOUND)
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(err);
    err = apply(txn, (struct update *)job, &user);
    queue_user_clear(&user);
    TRY(err);
    Hearth__V1__UpdateQueueUserResponse out = HEARTH__V1__UPDATE_QUEUE_USER_RESPONSE__INIT;
    return queue_job_answer(job, &out.base);
}

static void clear(struct queue_job *job)
{
    struct update *u = (struct update *)job;
    bytes_wipe(u->contact_key, sizeof u->contact_key);
}

static struct err take(struct update *u, const Hearth__V1__UpdateQueueUserRequest *in)
{
    if (in->auth_key.len != 0) {
        TRY(queue_check_auth_key(in->auth_key));
        memcpy(u->auth_key, in->auth_key.data, in->auth_key.len);
        u->auth_key_len = in->auth_key.len;
    }
    if (in->contact_key.len != 0) {
        if (in->contact_key.len != sizeof u->contact_key)
            return ERR(ARGUMENT);
        memcpy(u->contact_key, in->contact_key.data, sizeof u->contact_key);
        u->new_contact_key = true;
    }
    uint8_t *ids = arena_alloc(&u->job.arena, in->n_revoked_contact_ids * CONTACT_ID_BYTES);
    if (ids == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < in->n_revoked_contact_ids; i++)
        memcpy(ids + i * CONTACT_ID_BYTES, in->revoked_contact_ids[i].data, CONTACT_ID_BYTES);
    u->revoked = bytes_of(ids, in->n_revoked_contact_ids * CONTACT_ID_BYTES);
    return ERR_OK;
}

enum hearth_code queue_update_user(struct hearth_call *call,
                                   const Hearth__V1__UpdateQueueUserRequest *in,
                                   Hearth__V1__UpdateQueueUserResponse *out, void *self)
{
    enum hearth_code code;
    (void)out;
    struct update *u = queue_job_new(self, call, sizeof *u, &code);
    if (u == NULL)
        return code;
    u->job.id = in->idempotency;
    u->job.effect = effect;
    u->job.clear = clear;
    struct err err = take(u, in);
    return err_is_ok(err) ? queue_job_run(&u->job) : queue_job_fail(&u->job, err);
}
