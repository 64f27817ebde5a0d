/* RegisterUser: a permit is spent and an account made, in one transaction (T1, A1). Whatever stands
 * in the way of it - no permit, a spent one, a UserId or profile index that is taken - answers
 * alike. */
#include "server/auth/inside.h"
#include "wire/reader.h"

struct register_job {
    struct auth_job job;
    struct credential_request request;
    struct bytes user; /* UserId */
    struct bytes uuid; /* of the client */
    struct bytes key_set, profile, profile_index;
    struct buf issued; /* auth_issue */
    bool permitted;    /* as far as that can be said without the store */
    bool invitation;
    uint8_t permit_id[AUTH_ID_BYTES];
};

static void clear(struct auth_job *job)
{
    struct register_job *r = (struct register_job *)job;
    buf_clear(&r->issued);
}

static struct err spend(struct store_txn *txn, const struct register_job *r)
{
    const uint64_t hour = auth_hour(r->job.now_s);
    uint64_t changes = 0;
    struct stmt *s = stmt_use(txn, r->invitation ? INVITATION_SPEND : PUZZLE_SPEND);
    stmt_bind_blob(s, 1, bytes_of(r->permit_id, AUTH_ID_BYTES));
    /* By then the challenge is too old: PUZZLE_MINUTES is at most 60, and a clock may be off. */
    stmt_bind_u64(s, 2, r->invitation ? hour : hour + 3);
    TRY(stmt_run(s, &changes));
    return changes == 1 ? ERR_OK : ERR(AUTH_PERMIT);
}

static struct err put_profile(struct store_txn *txn, const struct register_job *r,
                              struct user *user)
{
    if (r->profile.len == 0)
        return ERR_OK;
    const struct auth *auth = r->job.auth;
    struct buf sealed = BUF_INIT;
    uint64_t changes = 0;
    auth_id(auth, "profile", r->profile_index, user->profile);
    user->has_profile = true;
    struct err err =
        auth_seal(auth, "profile", bytes_of(user->profile, AUTH_ID_BYTES), r->profile, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, PROFILE_INSERT);
        stmt_bind_blob(s, 1, bytes_of(user->profile, AUTH_ID_BYTES));
        stmt_bind_blob(s, 2, buf_view(&sealed));
        stmt_bind_u64(s, 3, 1);
        err = stmt_run(s, &changes);
    }
    buf_clear(&sealed);
    TRY(err);
    return changes == 1 ? ERR_OK : ERR(AUTH_PERMIT);
}

static struct err put_user(struct store_txn *txn, const struct register_job *r, struct user *user)
{
    const struct auth *auth = r->job.auth;
    user_id(auth, r->user, user->id);
    buf_append_bytes(&user->name, r->user);
    buf_append_bytes(&user->key_set, r->key_set);
    TRY(buf_check(&user->name));
    TRY(buf_check(&user->key_set));
    TRY(put_profile(txn, r, user));
    return user_insert(txn, auth, user, auth_hour(r->job.now_s));
}

static struct err put_client(struct store_txn *txn, const struct register_job *r,
                             const struct user *user, struct client *client)
{
    const struct auth *auth = r->job.auth;
    struct wire_reader issued = wire_reader_of(buf_view(&r->issued));
    bool fresh = false;
    auth_id(auth, "client", r->request.client_id, client->id);
    memcpy(client->user, user->id, AUTH_ID_BYTES);
    memcpy(client->uuid, r->uuid.data, UUID_BYTES);
    memcpy(client->key, r->request.public_key.data, CREDENTIAL_KEY_BYTES);
    TRY(client_add_credential(client, wire_read_vector(&issued), r->job.now_s));
    TRY(client_insert(txn, auth, client, &fresh));
    return fresh ? ERR_OK : ERR(AUTH_PERMIT);
}

static struct err effect(struct store_txn *txn, struct auth_job *job)
{
    struct register_job *r = (struct register_job *)job;
    if (!r->permitted)
        return ERR(AUTH_PERMIT);
    TRY(spend(txn, r));
    struct key_set set;
    uint64_t version = 0;
    TRY(key_set_parse(r->key_set, &set));
    /* A label that ever was is never given again: its versions are in the log. */
    struct err err = label_version(txn, job->auth, set.label, &version);
    if (err.code != ERR_NOT_FOUND)
        return err_is_ok(err) ? ERR(AUTH_PERMIT) : err;
    TRY(label_advance(txn, job->auth, &set, r->key_set));
    struct user user = {0};
    struct client client = {0};
    err = put_user(txn, r, &user);
    if (err_is_ok(err))
        err = put_client(txn, r, &user, &client);
    user_clear(&user);
    client_clear(&client);
    TRY(err);
    buf_append_bytes(&job->answer, buf_view(&r->issued));
    return ERR_OK;
}

static void reply(struct auth_job *job)
{
    Hearth__V1__RegisterUserResponse out;
    Hearth__V1__LogReceipt log;
    struct wire_reader r = wire_reader_of(buf_view(&job->answer));
    hearth__v1__register_user_response__init(&out);
    auth_receipt_out(job->receipt, &log);
    out.credential = auth_out(wire_read_vector(&r));
    out.signing_credential = auth_out(wire_read_vector(&r));
    out.receipt = &log;
    hearth_auth_register_user_reply(job->call, &out);
}

/* Version 0 of 0x01 || UserId with exactly this client, which may authorise. */
static struct err check_key_set(const struct register_job *r)
{
    struct key_set set;
    struct buf label = BUF_INIT;
    TRY(key_set_parse(r->key_set, &set));
    user_label(r->user, &label);
    bool fits = err_is_ok(buf_check(&label)) && bytes_equal(buf_view(&label), set.label) &&
                set.version == 0 && !set.reset && set.prev_commitment.len == 0 &&
                set.client_count == 1;
    buf_clear(&label);
    if (!fits)
        return ERR(KEY_SET);
    const struct client_key *client = &set.clients[0];
    if (!bytes_equal(client->client_id, r->uuid) || client->sig_scheme != sig_ed25519.scheme ||
        !bytes_equal(client->public_key, r->request.public_key) ||
        (client->flags & KEY_SET_AUTHORISES) == 0)
        return ERR(KEY_SET);
    return key_set_verify(&set, NULL);
}

/* What can be said of the permit before the transaction. A repeated request passes even when it is
 * spent or too old by now. */
static void check_permit(struct register_job *r, const Hearth__V1__RegistrationPermit *permit)
{
    struct auth *auth = r->job.auth;
    if (permit->permit_case == HEARTH__V1__REGISTRATION_PERMIT__PERMIT_INVITATION) {
        r->invitation = true;
        auth_id(auth, "invitation", auth_in(permit->invitation), r->permit_id);
        r->permitted = auth_mode(auth) != AUTH_CLOSED;
    } else if (permit->permit_case == HEARTH__V1__REGISTRATION_PERMIT__PERMIT_SOLUTION) {
        struct err err =
            puzzle_check(auth, auth_in(permit->solution->challenge), r->request.public_key,
                         auth_in(permit->solution->solution), r->permit_id);
        r->permitted = err_is_ok(err) && auth_mode(auth) == AUTH_OPEN;
    }
}

/* What everybody shares is taken only by what carries a permit, so that bad requests can't use it
 * up: by a puzzle once it is seen to be solved, by an invitation once it was spent. */
static enum hearth_code take_shared(struct hearth_call *call, uint32_t cost)
{
    const struct bytes everybody = bytes_str("all");
    enum hearth_code code = front_limit(call, LIMIT_REGISTER_ALL, everybody, cost);
    return code != HEARTH_OK ? code : front_limit(call, LIMIT_REGISTER_DAY, everybody, cost);
}

static void count(struct register_job *r)
{
    if (!r->invitation) {
        puzzle_count(r->job.auth);
        return;
    }
    struct limits *limits = front_limits(r->job.auth->env->front);
    const struct bytes everybody = bytes_str("all");
    /* Asked before; several at once may go a little below zero, as far as there are invitations. */
    (void)err_is_ok(limit_take(limits, LIMIT_REGISTER_ALL, everybody, 1, NULL));
    (void)err_is_ok(limit_take(limits, LIMIT_REGISTER_DAY, everybody, 1, NULL));
}

static void then(struct auth_job *job)
{
    struct register_job *r = (struct register_job *)job;
    if (!job->repeated)
        count(r);
    auth_log_then_reply(job, r->key_set, true);
}

static struct err prepare(struct register_job *r, const Hearth__V1__RegisterUserRequest *in)
{
    struct auth *auth = r->job.auth;
    struct client_id id;
    TRY(auth_request_read(auth, auth_in(in->credential_request), &r->request, &id));
    r->user = bytes_of(r->request.client_id.data, r->request.client_id.len - UUID_BYTES);
    r->uuid = bytes_of(id.client, UUID_BYTES);
    r->key_set = auth_in(in->key_set);
    r->profile = auth_in(in->profile);
    r->profile_index = auth_in(in->profile_index);
    if (r->profile_index.len != (r->profile.len > 0 ? 32u : 0u))
        return ERR(ARGUMENT);
    TRY(check_key_set(r));
    check_permit(r, in->permit);
    /* Nothing is signed without a permit; a repeat takes its answer from the store. */
    return r->permitted ? auth_issue(auth, &r->request, &r->issued) : ERR_OK;
}

AUTH_HANDLER(register_user, RegisterUser)
{
    struct auth *auth = self;
    (void)out;
    enum hearth_code code = front_limit(call, LIMIT_REGISTER_PREFIX, front_caller(call)->source, 1);
    if (code != HEARTH_OK)
        return code;
    struct register_job *r = auth_job_new(auth, call, sizeof *r, &in->base, in->idempotency);
    if (r == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)r->job.in;
    r->job.effect = effect;
    r->job.then = then;
    r->job.reply = reply;
    r->job.clear = clear;
    struct err err = prepare(r, in);
    if (!err_is_ok(err))
        return auth_job_fail(&r->job, err);
    if (r->permitted)
        code = take_shared(call, r->invitation ? 0 : 1);
    if (code != HEARTH_OK) {
        auth_job_end(&r->job);
        return code;
    }
    return auth_job_write(&r->job, 8);
}
