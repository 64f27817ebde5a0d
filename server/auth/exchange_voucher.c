/* ExchangeVoucher: a batch of our tokens for a voucher that another homeserver gave its user
 * (tokens.md 5). We learn "some user of A"; what A can give away here in a day is bounded by
 * EXCHANGE_PEER. The voucher is marked before the batch is evaluated; the same request again is
 * answered anew, for nothing, as in IssueTokens, but a few times only: who asks is not known. */
#include "pass/redeem.h"
#include "server/auth/inside.h"

enum { REQUEST_BYTES = 8, GRACE_S = PASS_DAY_S };

struct exchange_job {
    struct auth_job job;
    struct pass_token voucher;   /* views into the job's copy */
    struct pass_request request; /* likewise */
    struct bytes issuer;
    uint8_t class;
    uint32_t week;
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
    uint8_t id[AUTH_ID_BYTES]; /* of issuer and nonce, at rest */
    uint8_t tag[REQUEST_BYTES];
    struct pass_issuer_key key;
};

/* ---- the voucher: whose key is it under? */

static struct err find_key(struct exchange_job *e)
{
    const struct auth_options *options = &e->job.auth->options;
    uint64_t now_s = e->job.now_s;
    uint32_t week = (uint32_t)(now_s / PASS_WEEK_S);
    struct err err = ERR(PASS_KEY);
    uint32_t most_back = now_s % PASS_WEEK_S < GRACE_S ? 1 : 0;
    for (uint32_t back = 0; back <= most_back; back++) {
        struct digest id;
        err =
            options->voucher_key(options->voucher_self, e->issuer, e->class, week - back, e->spki);
        if (err.code == ERR_PASS_KEY || err.code == ERR_PASS_KEY_UNKNOWN)
            continue;
        TRY(err);
        hash_once(&hash_sha256, bytes_of(e->spki, sizeof e->spki), &id);
        e->week = week - back;
        err = ERR(PASS_KEY);
        if (bytes_equal(digest_view(&id), e->voucher.key_id))
            return ERR_OK;
    }
    return err;
}

static struct err verify(struct exchange_job *e)
{
    struct blind_rsa_public key;
    uint8_t digest[PASS_DIGEST_BYTES];
    TRY(pass_voucher_digest(e->issuer, e->job.auth->domain, e->class, e->week, digest));
    TRY(blind_rsa_public_init(bytes_of(e->spki, sizeof e->spki), &key));
    struct err err = pass_voucher_check(&key, digest, &e->voucher);
    blind_rsa_public_clear(&key);
    return err;
}

/* ---- spending it */

static struct err map_request(struct stmt *row, void *arg)
{
    stmt_fixed(row, 0, arg, REQUEST_BYTES);
    return stmt_row_check(row);
}

/* *ret_repeated: by this request. ERR_PASS_SPENT: by another. */
static struct err find_spent(struct store_txn *txn, struct exchange_job *e, bool *ret_repeated)
{
    uint8_t by[REQUEST_BYTES];
    struct stmt *s = stmt_use(txn, VOUCHER_SPENT_FIND);
    stmt_bind_blob(s, 1, bytes_of(e->id, sizeof e->id));
    struct err err = stmt_first(s, map_request, by);
    *ret_repeated = err_is_ok(err);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    return memcmp(by, e->tag, sizeof by) == 0 ? ERR_OK : ERR(PASS_SPENT);
}

static struct err check(struct store_txn *txn, struct auth_job *job)
{
    struct exchange_job *e = (struct exchange_job *)job;
    bool repeated;
    TRY(find_spent(txn, e, &repeated));
    return verify(e);
}

static struct err spend(struct store_txn *txn, struct auth_job *job)
{
    struct exchange_job *e = (struct exchange_job *)job;
    bool repeated;
    TRY(find_spent(txn, e, &repeated));
    struct limits *limits = front_limits(job->auth->env->front);
    if (repeated)
        return limit_take(limits, LIMIT_EXCHANGE_REPEATS, bytes_of(e->id, sizeof e->id), 1, NULL);
    TRY(limit_take(limits, LIMIT_EXCHANGE_PEER, e->issuer, 1, NULL));
    struct stmt *s = stmt_use(txn, VOUCHER_SPENT_PUT);
    stmt_bind_blob(s, 1, bytes_of(e->id, sizeof e->id));
    stmt_bind_blob(s, 2, bytes_of(e->tag, sizeof e->tag));
    stmt_bind_u64(s, 3, e->week);
    return stmt_run(s, NULL);
}

static struct err evaluate(struct store_txn *txn, struct auth_job *job)
{
    struct exchange_job *e = (struct exchange_job *)job;
    (void)txn;
    return pass_issue(&e->key, job->auth->env->rng, &e->request, &job->answer);
}

static void spent(struct auth_job *job)
{
    job->then = NULL;
    job->effect = evaluate;
    (void)auth_job_read(job);
}

static void checked(struct auth_job *job)
{
    job->then = spent;
    job->effect = spend;
    (void)auth_job_write(job, 2);
}

/* ---- the call */

static void reply(struct auth_job *job)
{
    Hearth__V1__ExchangeVoucherResponse out;
    hearth__v1__exchange_voucher_response__init(&out);
    out.response = auth_out(buf_view(&job->answer));
    hearth_auth_exchange_voucher_reply(job->call, &out);
}

static void clear(struct auth_job *job)
{
    pass_issuer_key_clear(&((struct exchange_job *)job)->key);
}

static struct err prepare(struct exchange_job *e)
{
    const Hearth__V1__ExchangeVoucherRequest *in = (const void *)e->job.in;
    struct auth *auth = e->job.auth;
    uint8_t nonce[PASS_NONCE_BYTES + 253], mark[AUTH_ID_BYTES];
    e->class = (uint8_t)in->token_class;
    e->issuer = bytes_str(in->issuer);
    if (!pass_issuable(in->period, e->job.now_s))
        return ERR(PASS_KEY);
    TRY(domain_check(e->issuer, auth->env->development));
    if (bytes_equal(e->issuer, auth->domain) || e->issuer.len > 253)
        return ERR(ARGUMENT); /* our own users ask IssueTokens */
    TRY(pass_token_parse(auth_in(in->voucher), &e->voucher));
    TRY(pass_request_parse(auth_in(in->request), &e->request));
    TRY(front_token_key(auth->env->front, e->class, in->period, &e->key));
    if (e->request.key_tag != pass_issuer_key_tag(&e->key))
        return ERR(PASS_KEY);
    if (e->voucher.token_type != PASS_TYPE_VOUCHER)
        return ERR(PASS_TYPE);
    memcpy(nonce, e->voucher.nonce.data, PASS_NONCE_BYTES);
    memcpy(nonce + PASS_NONCE_BYTES, e->issuer.data, e->issuer.len);
    auth_id(auth, "voucher", bytes_of(nonce, PASS_NONCE_BYTES + e->issuer.len), e->id);
    /* keyed: else requests with the same first bytes could be looked for, at home */
    auth_id(auth, "voucher request",
            bytes_of(front_caller(e->job.call)->body_hash, REQUEST_BODY_HASH_BYTES), mark);
    memcpy(e->tag, mark, sizeof e->tag);
    return find_key(e);
}

AUTH_HANDLER(exchange_voucher, ExchangeVoucher)
{
    struct auth *auth = self;
    (void)out;
    if (auth->options.voucher_key == NULL)
        return front_fail(call, ERR(FRONT_FORBIDDEN));
    struct exchange_job *e = auth_job_new(auth, call, sizeof *e, &in->base, NULL);
    if (e == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    e->job.effect = check;
    e->job.then = checked;
    e->job.reply = reply;
    e->job.clear = clear;
    struct err err = prepare(e);
    return err_is_ok(err) ? auth_job_read(&e->job) : auth_job_fail(&e->job, err);
}
