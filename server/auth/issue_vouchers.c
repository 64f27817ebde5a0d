/* IssueVouchers: as IssueTokens, with an allowance of its own and keys of a week. A signature
 * follows from its request, so a repeat gets the same answer without a row of it. */
#include "pass/redeem.h"
#include "server/auth/inside.h"

enum { VOUCHERS_MOST = 64 };

struct issue_job {
    struct auth_job job;
    struct client_caller caller;
    struct token_order order;
    const Hearth__V1__IssueVouchersRequest *in; /* the job's copy */
    struct voucher_signer signer;
    uint32_t left;
};

static struct err charge(struct store_txn *txn, struct auth_job *job)
{
    struct issue_job *i = (struct issue_job *)job;
    TRY(client_seen(txn, i->caller.id, i->caller.user_id, job->now_s));
    return token_grant_take(txn, job->auth, &i->order, job->now_s, &i->left);
}

static struct err sign(struct store_txn *txn, struct auth_job *job)
{
    struct issue_job *i = (struct issue_job *)job;
    (void)txn;
    for (size_t n = 0; n < i->in->n_requests; n++) {
        uint8_t *room = buf_extend(&job->answer, PASS_VOUCHER_RESPONSE_BYTES);
        if (room == NULL)
            return ERR(NO_MEMORY);
        TRY(voucher_signer_sign(job->auth, &i->signer, auth_in(i->in->requests[n]), room));
    }
    return ERR_OK;
}

static void charged(struct auth_job *job)
{
    job->then = NULL;
    job->effect = sign;
    (void)auth_job_read(job);
}

static void reply(struct auth_job *job)
{
    Hearth__V1__IssueVouchersResponse out;
    ProtobufCBinaryData signatures[VOUCHERS_MOST];
    hearth__v1__issue_vouchers_response__init(&out);
    out.signatures = signatures;
    out.n_signatures = job->answer.len / PASS_VOUCHER_RESPONSE_BYTES;
    for (size_t n = 0; n < out.n_signatures; n++)
        signatures[n] = (ProtobufCBinaryData){PASS_VOUCHER_RESPONSE_BYTES,
                                              job->answer.data + n * PASS_VOUCHER_RESPONSE_BYTES};
    hearth_auth_issue_vouchers_reply(job->call, &out);
}

static void clear(struct auth_job *job)
{
    voucher_signer_clear(&((struct issue_job *)job)->signer);
}

/* All requests name one key, by its last byte (RFC 9578 6.1): struct { uint16 type; uint8 tag; ..}
 */
static struct err prepare(struct issue_job *i)
{
    const Hearth__V1__IssueVouchersRequest *in = i->in;
    struct auth *auth = i->job.auth;
    if (in->n_requests == 0 || in->n_requests > VOUCHERS_MOST ||
        in->requests[0].len != PASS_VOUCHER_REQUEST_BYTES)
        return ERR(ARGUMENT); /* the row's rules say so too */
    TRY(voucher_signer_find(auth, (uint8_t)in->token_class, in->requests[0].data[2], i->job.now_s,
                            &i->signer));
    i->order.class = (uint8_t)(in->token_class | TOKEN_ORDER_VOUCHERS);
    i->order.period = pass_period_at(i->job.now_s);
    i->order.count = (uint32_t)in->n_requests;
    memcpy(i->order.user, i->caller.user_id, sizeof i->order.user);
    token_request_id(auth, i->caller.user_id, front_caller(i->job.call)->body_hash,
                     i->order.request);
    return ERR_OK;
}

AUTH_HANDLER(issue_vouchers, IssueVouchers)
{
    struct auth *auth = self;
    struct client_caller caller;
    (void)out;
    if (auth->options.voucher_key == NULL)
        return front_fail(call, ERR(FRONT_FORBIDDEN));
    struct err err = client_caller(auth, call, &caller);
    if (!err_is_ok(err))
        return front_fail(call, err);
    enum hearth_code code =
        front_limit(call, LIMIT_TOKEN_BATCHES, bytes_of(caller.user_id, AUTH_ID_BYTES), 1);
    if (code != HEARTH_OK)
        return code;
    struct issue_job *i = auth_job_new(auth, call, sizeof *i, &in->base, NULL);
    if (i == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    i->caller = caller;
    i->in = (const void *)i->job.in;
    i->job.effect = charge;
    i->job.then = charged;
    i->job.reply = reply;
    i->job.clear = clear;
    err = prepare(i);
    return err_is_ok(err) ? auth_job_write(&i->job, 3) : auth_job_fail(&i->job, err);
}
