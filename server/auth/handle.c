/* Handles: made, kept, given up. The server knows a handle by its hash and its owner by the handle
 * key alone. */
#include "server/auth/inside.h"
#include "wire/writer.h"

struct handle_job {
    struct auth_job job;
    uint8_t id[AUTH_ID_BYTES];
    struct bytes hash, key, key_set;
    uint64_t expires_day;
    bool found;
};

static uint64_t expiry(const struct auth *auth, uint64_t now_s)
{
    return auth_day(now_s) + auth_limit(auth, LIMIT_HANDLE_DAYS);
}

static bool is_label_of(const struct key_set *set, struct bytes hash)
{
    return set->label.len == 1 + hash.len && set->label.data[0] == KEY_SET_LABEL_HANDLE &&
           bytes_equal(bytes_of(set->label.data + 1, hash.len), hash);
}

bool handle_set_is(const struct key_set *set, struct bytes hash)
{
    return is_label_of(set, hash) && set->client_count == 1 &&
           set->clients[0].sig_scheme == sig_ed25519.scheme &&
           (set->clients[0].flags & KEY_SET_AUTHORISES) != 0;
}

/* ---- CreateHandle */

/* A handle that was somebody's before goes on in its label's versions, as a loud reset: the key
 * before is gone, and nobody can sign with it. Otherwise this is version 0. */
static struct err check_chain(struct store_txn *txn, const struct handle_job *h,
                              const struct key_set *set)
{
    uint64_t version = 0;
    struct err err = label_version(txn, h->job.auth, set->label, &version);
    if (err.code == ERR_NOT_FOUND)
        return set->version == 0 && !set->reset ? key_set_verify(set, NULL)
                                                : ERR(AUTH_LABEL_VERSION);
    TRY(err);
    if (set->version != version + 1)
        return ERR(AUTH_LABEL_VERSION);
    const struct key_set before = {.label = set->label, .version = (uint32_t)version};
    return set->reset ? key_set_verify(set, &before) : ERR(KEY_SET);
}

static struct err create(struct store_txn *txn, struct auth_job *job)
{
    const struct handle_job *h = (struct handle_job *)job;
    const struct auth *auth = job->auth;
    struct key_set set;
    bool taken = false;
    TRY(key_set_parse(h->key_set, &set));
    struct stmt *s = stmt_use(txn, HANDLE_TAKEN);
    stmt_bind_blob(s, 1, bytes_of(h->id, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, auth_day(job->now_s));
    TRY(stmt_step(s, &taken));
    if (taken)
        return ERR(AUTH_HANDLE_TAKEN);
    TRY(check_chain(txn, h, &set));
    TRY(handle_delete(txn, h->id)); /* one that is over, but still there */
    TRY(label_advance(txn, auth, &set, h->key_set));
    struct handle handle = {.expires_day = expiry(auth, job->now_s)};
    memcpy(handle.id, h->id, AUTH_ID_BYTES);
    memcpy(handle.key, h->key.data, CREDENTIAL_KEY_BYTES);
    buf_append_bytes(&handle.key_set, h->key_set);
    struct err err = buf_check(&handle.key_set);
    if (err_is_ok(err))
        err = handle_insert(txn, auth, &handle);
    handle_clear(&handle);
    return err;
}

static void reply_created(struct auth_job *job)
{
    Hearth__V1__CreateHandleResponse out;
    Hearth__V1__LogReceipt log;
    hearth__v1__create_handle_response__init(&out);
    auth_receipt_out(job->receipt, &log);
    out.receipt = &log;
    hearth_auth_create_handle_reply(job->call, &out);
}

static void then_created(struct auth_job *job)
{
    struct handle_job *h = (struct handle_job *)job;
    auth_log_then_reply(job, h->key_set, true);
}

/* The key set names the handle's one key, under which the request itself is verified: whoever asks
 * has the key. Nothing else knows it yet. */
static struct err prepare_create(struct handle_job *h)
{
    struct key_set set;
    struct err err = key_set_parse(h->key_set, &set);
    if (!err_is_ok(err) || !handle_set_is(&set, h->hash)) {
        front_verify_dummy();
        return ERR(FRONT_UNAUTHENTICATED);
    }
    h->key = set.clients[0].public_key;
    TRY(front_verify(h->job.call, &sig_ed25519, h->key));
    return handle_caller(h->job.auth, h->job.call, h->hash, h->id);
}

AUTH_HANDLER(create_handle, CreateHandle)
{
    struct auth *auth = self;
    (void)out;
    enum hearth_code code =
        front_limit(call, LIMIT_CREATE_HANDLE_PREFIX, front_caller(call)->source, 1);
    if (code != HEARTH_OK)
        return code;
    struct handle_job *h = auth_job_new(auth, call, sizeof *h, &in->base, in->idempotency);
    if (h == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)h->job.in;
    h->job.effect = create;
    h->job.then = then_created;
    h->job.reply = reply_created;
    h->hash = auth_in(in->handle_hash);
    h->key_set = auth_in(in->key_set);
    /* anybody can make a handle key: whole tokens */
    charge_begin(auth->env->front, call, PASS_AUTH, &h->job.charge);
    struct err err = prepare_create(h);
    return err_is_ok(err) ? auth_job_write(&h->job, 4) : auth_job_fail(&h->job, err);
}

/* ---- RefreshHandle */

static struct err refresh(struct store_txn *txn, struct auth_job *job)
{
    struct handle_job *h = (struct handle_job *)job;
    uint64_t changes = 0;
    h->expires_day = expiry(job->auth, job->now_s);
    struct stmt *s = stmt_use(txn, HANDLE_REFRESH);
    stmt_bind_u64(s, 1, h->expires_day);
    stmt_bind_blob(s, 2, bytes_of(h->id, AUTH_ID_BYTES));
    stmt_bind_u64(s, 3, auth_day(job->now_s));
    TRY(stmt_run(s, &changes));
    return changes == 1 ? ERR_OK : ERR(FRONT_UNAUTHENTICATED);
}

static void reply_refreshed(struct auth_job *job)
{
    const struct handle_job *h = (struct handle_job *)job;
    Hearth__V1__RefreshHandleResponse out;
    hearth__v1__refresh_handle_response__init(&out);
    out.expires_month = auth_month(h->expires_day * 86400);
    hearth_auth_refresh_handle_reply(job->call, &out);
}

AUTH_HANDLER(refresh_handle, RefreshHandle)
{
    struct auth *auth = self;
    (void)out;
    struct handle_job *h = auth_job_new(auth, call, sizeof *h, &in->base, NULL);
    if (h == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)h->job.in;
    h->job.effect = refresh;
    h->job.reply = reply_refreshed;
    struct err err = handle_caller(auth, call, auth_in(in->handle_hash), h->id);
    if (err_is_ok(err))
        auth_charge(&h->job, call, "handle credits", bytes_of(h->id, AUTH_ID_BYTES), false);
    return err_is_ok(err) ? auth_job_write(&h->job, 1) : auth_job_fail(&h->job, err);
}

/* ---- DeleteHandle */

static struct err end_chain(struct bytes current, const struct handle_job *h,
                            const struct key_set *after)
{
    struct key_set before;
    if (!err_is_ok(key_set_parse(current, &before)))
        return ERR(STORE_CORRUPT);
    if (after->version != before.version + 1)
        return ERR(AUTH_LABEL_VERSION);
    if (!is_label_of(after, h->hash) || after->reset || after->client_count != 0 ||
        after->recovery_key.len != 0)
        return ERR(KEY_SET);
    return key_set_verify(after, &before);
}

static struct err give_up(struct store_txn *txn, struct auth_job *job)
{
    const struct handle_job *h = (struct handle_job *)job;
    struct handle handle = {0};
    struct key_set set;
    TRY(key_set_parse(h->key_set, &set));
    TRY(handle_load(txn, job->auth, h->id, job->now_s, &handle));
    struct err err = end_chain(buf_view(&handle.key_set), h, &set);
    handle_clear(&handle);
    TRY(err);
    TRY(label_advance(txn, job->auth, &set, h->key_set));
    return handle_delete(txn, h->id);
}

static void reply_given_up(struct auth_job *job)
{
    Hearth__V1__DeleteHandleResponse out;
    Hearth__V1__LogReceipt log;
    hearth__v1__delete_handle_response__init(&out);
    auth_receipt_out(job->receipt, &log);
    out.receipt = &log;
    hearth_auth_delete_handle_reply(job->call, &out);
}

static void then_given_up(struct auth_job *job)
{
    struct handle_job *h = (struct handle_job *)job;
    listeners_wake(job->auth->listeners, h->id); /* it finds that there is no handle any more */
    auth_log_then_reply(job, h->key_set, true);
}

AUTH_HANDLER(delete_handle, DeleteHandle)
{
    struct auth *auth = self;
    (void)out;
    struct handle_job *h = auth_job_new(auth, call, sizeof *h, &in->base, in->idempotency);
    if (h == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)h->job.in;
    h->job.effect = give_up;
    h->job.then = then_given_up;
    h->job.reply = reply_given_up;
    h->job.frees = true;
    h->hash = auth_in(in->handle_hash);
    h->key_set = auth_in(in->key_set);
    h->job.chains = h->key_set;
    struct err err = handle_caller(auth, call, h->hash, h->id);
    return err_is_ok(err) ? auth_job_leave(&h->job, h->id, LIMITS, 8) : auth_job_fail(&h->job, err);
}

/* ---- CheckHandle */

static struct err check(struct store_txn *txn, struct auth_job *job)
{
    struct handle_job *h = (struct handle_job *)job;
    struct stmt *s = stmt_use(txn, HANDLE_TAKEN);
    stmt_bind_blob(s, 1, bytes_of(h->id, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, auth_day(job->now_s));
    return stmt_step(s, &h->found);
}

static void reply_checked(struct auth_job *job)
{
    Hearth__V1__CheckHandleResponse out;
    hearth__v1__check_handle_response__init(&out);
    out.taken = ((struct handle_job *)job)->found;
    hearth_auth_check_handle_reply(job->call, &out);
}

AUTH_HANDLER(check_handle, CheckHandle)
{
    struct auth *auth = self;
    (void)out;
    enum hearth_code code = front_limit(call, LIMIT_HANDLE_CHECKS, front_caller(call)->source, 1);
    if (code != HEARTH_OK)
        return code;
    struct handle_job *h = auth_job_new(auth, call, sizeof *h, &in->base, NULL);
    if (h == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)h->job.in;
    h->job.effect = check;
    h->job.reply = reply_checked;
    handle_id(auth, auth_in(in->handle_hash), h->id);
    charge_begin(auth->env->front, call, PASS_AUTH, &h->job.charge);
    charge_source(&h->job.charge, front_caller(call)->source);
    return auth_job_read(&h->job);
}
