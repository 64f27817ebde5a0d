/* DeleteUser: the last KeySet is empty, and nothing else remains but the version of the label,
 * which the log commits to, and the fingerprints on the revocation list. */
#include "server/auth/inside.h"

struct delete_job {
    struct auth_job job;
    struct client_caller caller;
    struct bytes key_set;
};

static struct err end_user(struct store_txn *txn, const struct delete_job *d,
                           const struct user *user)
{
    const struct auth *auth = d->job.auth;
    const struct set_change change = {.all = true};
    struct key_set set;
    TRY(client_set_next(buf_view(&user->key_set), d->key_set, &change));
    TRY(key_set_parse(d->key_set, &set));
    TRY(label_advance(txn, auth, &set, d->key_set));
    return user_delete(txn, auth, user, d->job.now_s);
}

static struct err effect(struct store_txn *txn, struct auth_job *job)
{
    struct delete_job *d = (struct delete_job *)job;
    struct user user = {0};
    TRY(user_load(txn, job->auth, d->caller.user_id, &user));
    struct err err = end_user(txn, d, &user);
    user_clear(&user);
    return err;
}

static void reply(struct auth_job *job)
{
    Hearth__V1__DeleteUserResponse out;
    Hearth__V1__LogReceipt log;
    hearth__v1__delete_user_response__init(&out);
    auth_receipt_out(job->receipt, &log);
    out.receipt = &log;
    hearth_auth_delete_user_reply(job->call, &out);
}

static void then(struct auth_job *job)
{
    struct delete_job *d = (struct delete_job *)job;
    revocations_changed(job->auth);
    auth_log_then_reply(job, d->key_set, true);
}

AUTH_HANDLER(delete_user, DeleteUser)
{
    struct auth *auth = self;
    (void)out;
    struct delete_job *d = auth_job_new(auth, call, sizeof *d, &in->base, in->idempotency);
    if (d == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)d->job.in;
    d->job.effect = effect;
    d->job.then = then;
    d->job.reply = reply;
    d->job.frees = true;
    d->key_set = auth_in(in->key_set);
    d->job.chains = d->key_set;
    struct err err = client_caller(auth, call, &d->caller);
    if (!err_is_ok(err))
        return auth_job_fail(&d->job, err);
    return auth_job_leave(&d->job, d->caller.id, LIMITS, 40);
}
