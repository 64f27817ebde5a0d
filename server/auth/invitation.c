/* Invitations: 128-bit codes, kept as PRF values, good once and for INVITATION_DAYS. Whoever reads
 * the database learns neither codes nor who invited whom. */
#include "server/auth/inside.h"

struct err invitation_store(struct store_txn *txn, const struct auth *auth, const uint8_t *codes,
                            uint32_t count, uint64_t expires_hour)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t id[AUTH_ID_BYTES];
        auth_id(auth, "invitation",
                bytes_of(codes + (size_t)i * AUTH_INVITATION_BYTES, AUTH_INVITATION_BYTES), id);
        struct stmt *s = stmt_use(txn, INVITATION_INSERT);
        stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
        stmt_bind_u64(s, 2, expires_hour);
        TRY(stmt_run(s, NULL));
    }
    return ERR_OK;
}

/* ---- CreateInvitations */

enum { CODES_MOST = 16 };
struct create_job {
    struct auth_job job;
    uint32_t count;
};

static struct err create(struct store_txn *txn, struct auth_job *job)
{
    const struct create_job *c = (struct create_job *)job;
    uint64_t hour = auth_hour(job->now_s) + auth_limit(job->auth, LIMIT_INVITATION_DAYS) * 24;
    uint8_t codes[CODES_MOST * AUTH_INVITATION_BYTES];
    size_t len = (size_t)c->count * AUTH_INVITATION_BYTES;
    struct err err = rng_fill(job->auth->env->rng, codes, len);
    if (err_is_ok(err))
        err = invitation_store(txn, job->auth, codes, c->count, hour);
    if (err_is_ok(err))
        buf_append(&job->answer, codes, len);
    bytes_wipe(codes, sizeof codes);
    return err;
}

static void reply_created(struct auth_job *job)
{
    Hearth__V1__CreateInvitationsResponse out;
    ProtobufCBinaryData codes[CODES_MOST];
    hearth__v1__create_invitations_response__init(&out);
    out.codes = codes;
    while (out.n_codes < CODES_MOST &&
           (out.n_codes + 1) * AUTH_INVITATION_BYTES <= job->answer.len) {
        codes[out.n_codes] = auth_out(bytes_of(
            job->answer.data + out.n_codes * AUTH_INVITATION_BYTES, AUTH_INVITATION_BYTES));
        out.n_codes++;
    }
    hearth_auth_create_invitations_reply(job->call, &out);
}

AUTH_HANDLER(create_invitations, CreateInvitations)
{
    struct auth *auth = self;
    (void)out;
    if (!auth->options.user_invitations || auth_mode(auth) == AUTH_CLOSED)
        return front_fail(call, ERR(FRONT_FORBIDDEN));
    struct create_job *c = auth_job_new(auth, call, sizeof *c, &in->base, in->idempotency);
    if (c == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)c->job.in;
    c->job.effect = create;
    c->job.reply = reply_created;
    c->count = in->count < CODES_MOST ? in->count : CODES_MOST; /* the row's rule says so too */
    charge_begin_always(auth->env->front, call, PASS_AUTH, &c->job.charge);
    return auth_job_write(&c->job, c->count + 1);
}

/* ---- CheckInvitation */

struct check_job {
    struct auth_job job;
    uint8_t id[AUTH_ID_BYTES];
    bool valid;
};

static struct err check(struct store_txn *txn, struct auth_job *job)
{
    struct check_job *c = (struct check_job *)job;
    struct stmt *s = stmt_use(txn, INVITATION_FIND);
    stmt_bind_blob(s, 1, bytes_of(c->id, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, auth_hour(job->now_s));
    return stmt_step(s, &c->valid);
}

static void reply_checked(struct auth_job *job)
{
    Hearth__V1__CheckInvitationResponse out;
    hearth__v1__check_invitation_response__init(&out);
    out.valid = ((struct check_job *)job)->valid;
    hearth_auth_check_invitation_reply(job->call, &out);
}

AUTH_HANDLER(check_invitation, CheckInvitation)
{
    struct auth *auth = self;
    (void)out;
    struct check_job *c = auth_job_new(auth, call, sizeof *c, &in->base, NULL);
    if (c == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)c->job.in;
    c->job.effect = check;
    c->job.reply = reply_checked;
    auth_id(auth, "invitation", auth_in(in->code), c->id);
    return auth_job_read(&c->job);
}

/* ---- the operator's */

struct invite {
    const struct auth *auth;
    const uint8_t *codes;
    uint32_t count;
    uint64_t expires_hour;
};

static struct err store_codes(struct store_txn *txn, void *arg)
{
    const struct invite *i = arg;
    return invitation_store(txn, i->auth, i->codes, i->count, i->expires_hour);
}

struct err auth_invite(struct auth *auth, uint32_t count, uint32_t days, struct buf *b)
{
    if (count == 0 || count > AUTH_INVITATIONS_MOST)
        return ERR(ARGUMENT);
    uint64_t keep = days != 0 ? days : auth_limit(auth, LIMIT_INVITATION_DAYS);
    struct buf codes = BUF_INIT;
    uint8_t *room = buf_extend(&codes, (size_t)count * AUTH_INVITATION_BYTES);
    struct err err = buf_check(&codes);
    if (err_is_ok(err))
        err = rng_fill(auth->env->rng, room, codes.len);
    struct invite invite = {auth, room, count, auth_hour(auth_now_s(auth)) + keep * 24};
    if (err_is_ok(err))
        err = store_call_growing(auth->store, store_codes, &invite);
    if (err_is_ok(err)) {
        buf_append_bytes(b, buf_view(&codes));
        err = buf_check(b);
    }
    buf_clear(&codes);
    return err;
}
