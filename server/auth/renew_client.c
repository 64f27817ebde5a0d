/* RenewClient: a fresh credential for the same key, so the set does not change. A client whose
 * credential has ended, but which is still in the set, may do this and nothing else (keys.c). */
#include "server/auth/inside.h"
#include "wire/reader.h"

struct renew_job {
    struct auth_job job;
    struct client_caller caller;
    struct credential_request request;
    struct buf issued;
};

static void clear(struct auth_job *job)
{
    buf_clear(&((struct renew_job *)job)->issued);
}

static struct err renew(struct store_txn *txn, const struct renew_job *r, struct client *client)
{
    struct wire_reader issued = wire_reader_of(buf_view(&r->issued));
    if (!bytes_equal(bytes_of(client->key, CREDENTIAL_KEY_BYTES), r->request.public_key))
        return ERR(FRONT_FORBIDDEN);
    TRY(client_add_credential(client, wire_read_vector(&issued), r->job.now_s));
    return client_update(txn, r->job.auth, client);
}

static struct err effect(struct store_txn *txn, struct auth_job *job)
{
    struct renew_job *r = (struct renew_job *)job;
    struct client client = {0};
    TRY(client_seen(txn, r->caller.id, r->caller.user_id, job->now_s));
    TRY(client_load(txn, job->auth, r->caller.id, &client));
    struct err err = renew(txn, r, &client);
    client_clear(&client);
    TRY(err);
    buf_append_bytes(&job->answer, buf_view(&r->issued));
    return ERR_OK;
}

static void reply(struct auth_job *job)
{
    Hearth__V1__RenewClientResponse out;
    struct wire_reader r = wire_reader_of(buf_view(&job->answer));
    hearth__v1__renew_client_response__init(&out);
    out.credential = auth_out(wire_read_vector(&r));
    out.signing_credential = auth_out(wire_read_vector(&r));
    hearth_auth_renew_client_reply(job->call, &out);
}

static struct err prepare(struct renew_job *r, const Hearth__V1__RenewClientRequest *in)
{
    struct client_id id;
    TRY(client_caller(r->job.auth, r->job.call, &r->caller));
    TRY(auth_request_read(r->job.auth, auth_in(in->credential_request), &r->request, &id));
    if (!bytes_equal(r->request.client_id, front_caller(r->job.call)->id))
        return ERR(FRONT_FORBIDDEN);
    return auth_issue(r->job.auth, &r->request, &r->issued);
}

AUTH_HANDLER(renew_client, RenewClient)
{
    struct auth *auth = self;
    (void)out;
    enum hearth_code code = auth_take_principal(call, LIMIT_CLIENT_CHANGES);
    if (code != HEARTH_OK)
        return code;
    struct renew_job *r = auth_job_new(auth, call, sizeof *r, &in->base, in->idempotency);
    if (r == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)r->job.in;
    r->job.effect = effect;
    r->job.reply = reply;
    r->job.clear = clear;
    struct err err = prepare(r, in);
    if (!err_is_ok(err))
        return auth_job_fail(&r->job, err);
    return auth_job_write(&r->job, 3);
}
