/* IssueVouchers: as IssueTokens, with an allowance of its own and keys of a week. A signature
 * follows from its request, so a repeat gets the same answer without a row of it. */
#include "pass/redeem.h"
#include "server/auth/inside.h"

enum { VOUCHERS_MOST = 64 };

struct issue_job {
    struct grant_job grant;
    struct voucher_signer signer;
};

static const Hearth__V1__IssueVouchersRequest *request_of(const struct auth_job *job)
{
    return (const void *)job->in; /* the job's copy */
}

static struct err sign(struct store_txn *txn, struct auth_job *job)
{
    struct issue_job *i = (struct issue_job *)job;
    const Hearth__V1__IssueVouchersRequest *in = request_of(job);
    (void)txn;
    for (size_t n = 0; n < in->n_requests; n++) {
        uint8_t *room = buf_extend(&job->answer, PASS_VOUCHER_RESPONSE_BYTES);
        if (room == NULL)
            return ERR(NO_MEMORY);
        TRY(voucher_signer_sign(job->auth, &i->signer, auth_in(in->requests[n]), room));
    }
    return ERR_OK;
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
    struct auth_job *job = &i->grant.job;
    const Hearth__V1__IssueVouchersRequest *in = request_of(job);
    if (in->n_requests == 0 || in->n_requests > VOUCHERS_MOST ||
        in->requests[0].len != PASS_VOUCHER_REQUEST_BYTES)
        return ERR(ARGUMENT); /* the row's rules say so too */
    TRY(voucher_signer_find(job->auth, (uint8_t)in->token_class, in->requests[0].data[2],
                            job->now_s, &i->signer));
    grant_job_order(&i->grant, (uint8_t)(in->token_class | TOKEN_ORDER_VOUCHERS),
                    pass_period_at(job->now_s), in->n_requests);
    return ERR_OK;
}

AUTH_HANDLER(issue_vouchers, IssueVouchers)
{
    static const struct grant_kind kind = {sign, reply, clear};
    struct auth *auth = self;
    enum hearth_code code;
    (void)out;
    if (auth->options.voucher_key == NULL)
        return front_fail(call, ERR(FRONT_FORBIDDEN));
    struct issue_job *i = grant_job_new(auth, call, sizeof *i, &in->base, &kind, &code);
    return i != NULL ? grant_job_run(&i->grant, prepare(i)) : code;
}
