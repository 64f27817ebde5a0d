/* RemoveClient: takes one client out of the set; its credentials are revoked. The last one goes
 * with DeleteUser only. A client may remove itself: when that was done and the answer got lost, the
 * repeated request comes from a caller that is gone (leave.c). */
#include "server/auth/inside.h"

struct remove_job {
    struct auth_job job;
    struct client_caller caller;
    struct bytes uuid;
    struct bytes key_set;
};

/* Of the caller's user only: its UserId and the uuid make the ClientId. */
static struct err drop_client(struct store_txn *txn, const struct remove_job *m,
                              const struct user *user)
{
    const struct auth *auth = m->job.auth;
    struct buf name = BUF_INIT;
    uint8_t id[AUTH_ID_BYTES];
    buf_append_bytes(&name, buf_view(&user->name));
    buf_append_bytes(&name, m->uuid);
    struct err err = buf_check(&name);
    if (err_is_ok(err))
        auth_id(auth, "client", buf_view(&name), id);
    buf_clear(&name);
    TRY(err);
    struct client client = {0};
    TRY(client_load(txn, auth, id, &client));
    err = client_delete(txn, auth, &client, m->job.now_s);
    client_clear(&client);
    return err;
}

static struct err effect(struct store_txn *txn, struct auth_job *job)
{
    struct remove_job *m = (struct remove_job *)job;
    const struct set_change change = {.removed = m->uuid};
    struct user user = {0};
    TRY(client_seen(txn, m->caller.id, m->caller.user_id, job->now_s));
    TRY(user_load(txn, job->auth, m->caller.user_id, &user));
    struct err err = client_set_next(buf_view(&user.key_set), m->key_set, &change);
    if (err_is_ok(err))
        err = client_set_store(txn, job->auth, &user, m->key_set);
    if (err_is_ok(err))
        err = drop_client(txn, m, &user);
    user_clear(&user);
    return err;
}

static void reply(struct auth_job *job)
{
    Hearth__V1__RemoveClientResponse out;
    Hearth__V1__LogReceipt log;
    hearth__v1__remove_client_response__init(&out);
    auth_receipt_out(job->receipt, &log);
    out.receipt = &log;
    hearth_auth_remove_client_reply(job->call, &out);
}

static void then(struct auth_job *job)
{
    struct remove_job *m = (struct remove_job *)job;
    revocations_changed(job->auth);
    auth_log_then_reply(job, m->key_set, true);
}

AUTH_HANDLER(remove_client, RemoveClient)
{
    struct auth *auth = self;
    (void)out;
    struct remove_job *m = auth_job_new(auth, call, sizeof *m, &in->base, in->idempotency);
    if (m == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)m->job.in;
    m->job.effect = effect;
    m->job.then = then;
    m->job.reply = reply;
    m->uuid = auth_in(in->client_id);
    m->key_set = auth_in(in->key_set);
    m->job.chains = m->key_set;
    struct err err = client_caller(auth, call, &m->caller);
    if (!err_is_ok(err))
        return auth_job_fail(&m->job, err);
    return auth_job_leave(&m->job, m->caller.id, LIMIT_CLIENT_CHANGES, 6);
}
