/* Profiles in two steps: staged under an index that the new key gives, shown once contacts have the
 * key. The index is the capability; the server keeps its PRF value. */
#include "server/auth/inside.h"

struct profile_job {
    struct auth_job job;
    struct client_caller caller;
    struct bytes index, profile;
};

static void take_off(uint8_t id[AUTH_ID_BYTES], bool *has)
{
    memset(id, 0, AUTH_ID_BYTES);
    *has = false;
}

static struct err insert(struct store_txn *txn, const struct profile_job *p,
                         const uint8_t id[AUTH_ID_BYTES])
{
    struct buf sealed = BUF_INIT;
    uint64_t changes = 0;
    struct err err =
        auth_seal(p->job.auth, "profile", bytes_of(id, AUTH_ID_BYTES), p->profile, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, PROFILE_INSERT);
        stmt_bind_blob(s, 1, bytes_of(id, AUTH_ID_BYTES));
        stmt_bind_blob(s, 2, buf_view(&sealed));
        stmt_bind_u64(s, 3, 0);
        err = stmt_run(s, &changes);
    }
    buf_clear(&sealed);
    TRY(err);
    return changes == 1 ? ERR_OK : ERR(ARGUMENT); /* the index is in use: not a fresh key */
}

static struct err stage_for(struct store_txn *txn, const struct profile_job *p, struct user *user)
{
    if (user->has_staged)
        TRY(auth_run_by_id(txn, PROFILE_DELETE, user->staged));
    auth_id(p->job.auth, "profile", p->index, user->staged);
    user->has_staged = true;
    TRY(insert(txn, p, user->staged));
    return user_update(txn, p->job.auth, user);
}

static struct err commit_for(struct store_txn *txn, const struct profile_job *p, struct user *user)
{
    if (!user->has_staged)
        return ERR(WRONG_STATE);
    if (user->has_profile)
        TRY(auth_run_by_id(txn, PROFILE_DELETE, user->profile));
    memcpy(user->profile, user->staged, AUTH_ID_BYTES);
    user->has_profile = true;
    take_off(user->staged, &user->has_staged);
    TRY(auth_run_by_id(txn, PROFILE_SHOW, user->profile));
    return user_update(txn, p->job.auth, user);
}

static struct err with_user(struct store_txn *txn, const struct profile_job *p,
                            struct err (*change)(struct store_txn *txn, const struct profile_job *p,
                                                 struct user *user))
{
    struct user user = {0};
    TRY(client_seen(txn, p->caller.id, p->caller.user_id, p->job.now_s));
    TRY(user_load(txn, p->job.auth, p->caller.user_id, &user));
    struct err err = change(txn, p, &user);
    user_clear(&user);
    return err;
}

static struct err stage(struct store_txn *txn, struct auth_job *job)
{
    return with_user(txn, (struct profile_job *)job, stage_for);
}

static struct err commit(struct store_txn *txn, struct auth_job *job)
{
    return with_user(txn, (struct profile_job *)job, commit_for);
}

static void reply_staged(struct auth_job *job)
{
    Hearth__V1__StageProfileResponse out;
    hearth__v1__stage_profile_response__init(&out);
    hearth_auth_stage_profile_reply(job->call, &out);
}

static void reply_committed(struct auth_job *job)
{
    Hearth__V1__CommitProfileResponse out;
    hearth__v1__commit_profile_response__init(&out);
    hearth_auth_commit_profile_reply(job->call, &out);
}

AUTH_HANDLER(stage_profile, StageProfile)
{
    struct auth *auth = self;
    (void)out;
    enum hearth_code code = auth_take_principal(call, LIMIT_PROFILE_CHANGES);
    if (code != HEARTH_OK)
        return code;
    struct profile_job *p = auth_job_new(auth, call, sizeof *p, &in->base, in->idempotency);
    if (p == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)p->job.in;
    p->job.effect = stage;
    p->job.reply = reply_staged;
    p->index = auth_in(in->index);
    p->profile = auth_in(in->profile);
    struct err err = client_caller(auth, call, &p->caller);
    return err_is_ok(err) ? auth_job_write(&p->job, 4) : auth_job_fail(&p->job, err);
}

AUTH_HANDLER(commit_profile, CommitProfile)
{
    struct auth *auth = self;
    (void)out;
    struct profile_job *p = auth_job_new(auth, call, sizeof *p, &in->base, in->idempotency);
    if (p == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    p->job.effect = commit;
    p->job.reply = reply_committed;
    struct err err = client_caller(auth, call, &p->caller);
    return err_is_ok(err) ? auth_job_write(&p->job, 4) : auth_job_fail(&p->job, err);
}

/* ---- GetProfile */

static struct err find(struct store_txn *txn, struct auth_job *job)
{
    const struct profile_job *p = (struct profile_job *)job;
    struct buf sealed = BUF_INIT;
    uint8_t id[AUTH_ID_BYTES];
    auth_id(job->auth, "profile", p->index, id);
    struct stmt *s = stmt_use(txn, PROFILE_FIND);
    stmt_bind_blob(s, 1, bytes_of(id, AUTH_ID_BYTES));
    struct err err = stmt_first(s, auth_map_blob, &sealed);
    if (err_is_ok(err))
        err = auth_unseal(job->auth, "profile", bytes_of(id, AUTH_ID_BYTES), buf_view(&sealed),
                          &job->answer);
    buf_clear(&sealed);
    return err;
}

static void reply_found(struct auth_job *job)
{
    Hearth__V1__GetProfileResponse out;
    hearth__v1__get_profile_response__init(&out);
    out.profile = auth_out(buf_view(&job->answer));
    hearth_auth_get_profile_reply(job->call, &out);
}

AUTH_HANDLER(get_profile, GetProfile)
{
    struct auth *auth = self;
    (void)out;
    struct profile_job *p = auth_job_new(auth, call, sizeof *p, &in->base, NULL);
    if (p == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)p->job.in;
    p->job.effect = find;
    p->job.reply = reply_found;
    p->index = auth_in(in->index);
    auth_charge(&p->job, call, "profile credits", p->index, true);
    return auth_job_read(&p->job);
}
