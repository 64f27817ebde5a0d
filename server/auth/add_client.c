/* AddClient: a further client of the caller's user. The next KeySet, signed by a client that may
 * authorise, is the approval; the credential request proves that the new client has its key. */
#include "server/auth/inside.h"
#include "wire/reader.h"

struct add_job {
    struct auth_job job;
    struct client_caller caller;
    struct credential_request request;
    struct bytes uuid; /* of the new client */
    struct bytes key_set;
    struct buf issued;
};

static void clear(struct auth_job *job)
{
    buf_clear(&((struct add_job *)job)->issued);
}

static struct err put_client(struct store_txn *txn, const struct add_job *a)
{
    const struct auth *auth = a->job.auth;
    struct client client = {0};
    struct wire_reader issued = wire_reader_of(buf_view(&a->issued));
    bool fresh = false;
    auth_id(auth, "client", a->request.client_id, client.id);
    memcpy(client.user, a->caller.user_id, AUTH_ID_BYTES);
    memcpy(client.uuid, a->uuid.data, UUID_BYTES);
    memcpy(client.key, a->request.public_key.data, CREDENTIAL_KEY_BYTES);
    struct err err = client_add_credential(&client, wire_read_vector(&issued), a->job.now_s);
    if (err_is_ok(err))
        err = client_insert(txn, auth, &client, &fresh);
    client_clear(&client);
    TRY(err);
    return fresh ? ERR_OK : ERR(KEY_SET);
}

static struct err change_set(struct store_txn *txn, const struct add_job *a, struct user *user)
{
    const struct auth *auth = a->job.auth;
    const struct set_change change = {.added = a->uuid, .added_key = a->request.public_key};
    struct key_set set;
    TRY(key_set_parse(a->key_set, &set));
    if (set.client_count > auth_limit(auth, LIMIT_CLIENTS_PER_USER))
        return ERR(QUOTA);
    TRY(client_set_next(buf_view(&user->key_set), a->key_set, &change));
    return client_set_store(txn, auth, user, a->key_set);
}

static struct err effect(struct store_txn *txn, struct auth_job *job)
{
    struct add_job *a = (struct add_job *)job;
    struct user user = {0};
    TRY(client_seen(txn, a->caller.id, a->caller.user_id, job->now_s));
    TRY(user_load(txn, job->auth, a->caller.user_id, &user));
    struct err err = change_set(txn, a, &user);
    user_clear(&user);
    TRY(err);
    TRY(put_client(txn, a));
    buf_append_bytes(&job->answer, buf_view(&a->issued));
    return ERR_OK;
}

static void reply(struct auth_job *job)
{
    Hearth__V1__AddClientResponse out;
    Hearth__V1__LogReceipt log;
    struct wire_reader r = wire_reader_of(buf_view(&job->answer));
    hearth__v1__add_client_response__init(&out);
    auth_receipt_out(job->receipt, &log);
    out.credential = auth_out(wire_read_vector(&r));
    out.signing_credential = auth_out(wire_read_vector(&r));
    out.receipt = &log;
    hearth_auth_add_client_reply(job->call, &out);
}

static void then(struct auth_job *job)
{
    struct add_job *a = (struct add_job *)job;
    auth_log_then_reply(job, a->key_set, true);
}

static struct err prepare(struct add_job *a, const Hearth__V1__AddClientRequest *in)
{
    struct client_id id;
    TRY(client_caller(a->job.auth, a->job.call, &a->caller));
    TRY(auth_request_read(a->job.auth, auth_in(in->credential_request), &a->request, &id));
    a->uuid = bytes_of(id.client, UUID_BYTES);
    a->key_set = auth_in(in->key_set);
    struct bytes user = bytes_of(a->request.client_id.data, a->request.client_id.len - UUID_BYTES);
    if (!bytes_equal(user, a->caller.user))
        return ERR(FRONT_FORBIDDEN);
    return auth_issue(a->job.auth, &a->request, &a->issued);
}

AUTH_HANDLER(add_client, AddClient)
{
    struct auth *auth = self;
    (void)out;
    enum hearth_code code = auth_take_principal(call, LIMIT_CLIENT_CHANGES);
    if (code != HEARTH_OK)
        return code;
    struct add_job *a = auth_job_new(auth, call, sizeof *a, &in->base, in->idempotency);
    if (a == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)a->job.in;
    a->job.effect = effect;
    a->job.then = then;
    a->job.reply = reply;
    a->job.clear = clear;
    a->job.chains = auth_in(in->key_set);
    struct err err = prepare(a, in);
    if (!err_is_ok(err))
        return auth_job_fail(&a->job, err);
    return auth_job_write(&a->job, 6);
}
