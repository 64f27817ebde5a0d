/* RotateHandle: a handle gets another key, as the next version of its label, signed by the one
 * before; and packages under it in the same transaction, so that it can be connected to all the
 * time. Who listens under the key before is ended.
 *
 * The request is verified under the key in force. So when the answer to one that was done got lost,
 * its repeat is signed by the new key, and finds the kept answer. */
#include "server/auth/inside.h"

struct rotate_job {
    struct auth_job job;
    uint8_t id[AUTH_ID_BYTES];
    struct bytes hash, key_set;
    struct package_list packages;
};

/* ---- on a reader: the packages are the new key's */

static struct err verify(struct store_txn *txn, struct auth_job *job)
{
    struct rotate_job *r = (struct rotate_job *)job;
    struct key_set set;
    (void)txn;
    TRY(key_set_parse(r->key_set, &set));
    if (!handle_set_is(&set, r->hash) || set.reset || set.recovery_key.len != 0)
        return ERR(KEY_SET);
    return packages_verify(&r->packages, r->hash, set.clients[0].public_key, job->now_s);
}

/* ---- on the writer */

static struct err follows(const struct key_set *set, struct bytes current)
{
    struct key_set before;
    if (!err_is_ok(key_set_parse(current, &before)))
        return ERR(STORE_CORRUPT);
    if (set->version != before.version + 1)
        return ERR(AUTH_LABEL_VERSION);
    return key_set_verify(set, &before);
}

static struct err change(struct store_txn *txn, const struct rotate_job *r,
                         const struct key_set *set, struct handle *handle)
{
    const struct auth *auth = r->job.auth;
    TRY(follows(set, buf_view(&handle->key_set)));
    if (bytes_equal(set->clients[0].public_key, bytes_of(handle->key, CREDENTIAL_KEY_BYTES)))
        return ERR(KEY_SET); /* it changes nothing */
    TRY(label_advance(txn, auth, set, r->key_set));
    memcpy(handle->key, set->clients[0].public_key.data, CREDENTIAL_KEY_BYTES);
    handle->key_set.len = 0;
    buf_append_bytes(&handle->key_set, r->key_set);
    TRY(buf_check(&handle->key_set));
    TRY(handle_update(txn, auth, handle));
    return packages_put(txn, auth, r->id, &r->packages);
}

static struct err rotate(struct store_txn *txn, struct auth_job *job)
{
    const struct rotate_job *r = (struct rotate_job *)job;
    struct handle handle = {0};
    struct key_set set;
    TRY(key_set_parse(r->key_set, &set));
    struct err err = handle_load(txn, job->auth, r->id, job->now_s, &handle);
    if (err.code == ERR_NOT_FOUND)
        return ERR(FRONT_UNAUTHENTICATED); /* deleted since */
    TRY(err);
    err = change(txn, r, &set, &handle);
    handle_clear(&handle);
    return err;
}

static void reply(struct auth_job *job)
{
    Hearth__V1__RotateHandleResponse out;
    Hearth__V1__LogReceipt log;
    hearth__v1__rotate_handle_response__init(&out);
    auth_receipt_out(job->receipt, &log);
    out.receipt = &log;
    hearth_auth_rotate_handle_reply(job->call, &out);
}

static void then_rotated(struct auth_job *job)
{
    struct rotate_job *r = (struct rotate_job *)job;
    listeners_wake(job->auth->listeners, r->id); /* they find that the key is another */
    auth_log_then_reply(job, r->key_set, true);
}

static void then_write(struct auth_job *job)
{
    struct rotate_job *r = (struct rotate_job *)job;
    job->keeps = true;
    job->effect = rotate;
    job->then = then_rotated;
    job->chains = r->key_set;
    (void)auth_job_write(job, (uint32_t)r->packages.count + 8);
}

AUTH_HANDLER(rotate_handle, RotateHandle)
{
    struct auth *auth = self;
    (void)out;
    if (in->n_packages > HANDLE_PACKAGES_MOST)
        return front_fail(call, ERR(QUOTA));
    enum hearth_code code = auth_take_principal(call, LIMIT_HANDLE_KEYS);
    if (code != HEARTH_OK)
        return code;
    struct rotate_job *r = auth_job_new(auth, call, sizeof *r, &in->base, in->idempotency);
    if (r == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)r->job.in;
    r->job.keeps = false; /* the verification is a read */
    r->job.effect = verify;
    r->job.then = then_write;
    r->job.reply = reply;
    r->hash = auth_in(in->handle_hash);
    r->key_set = auth_in(in->key_set);
    r->packages.items = in->packages;
    r->packages.count = in->n_packages;
    struct err err = handle_caller(auth, call, r->hash, r->id);
    return err_is_ok(err) ? auth_job_read(&r->job) : auth_job_fail(&r->job, err);
}
