/* IssueTokens: a batch is evaluated (grant_job.c: charged first). */
#include "pass/redeem.h"
#include "server/auth/inside.h"

struct issue_job {
    struct grant_job grant;
    struct pass_request request; /* views into the job's copy */
    struct pass_issuer_key key;
};

static struct err evaluate(struct store_txn *txn, struct auth_job *job)
{
    struct issue_job *i = (struct issue_job *)job;
    (void)txn;
    return pass_issue(&i->key, job->auth->env->rng, &i->request, &job->answer);
}

static void reply(struct auth_job *job)
{
    Hearth__V1__IssueTokensResponse out;
    hearth__v1__issue_tokens_response__init(&out);
    out.response = auth_out(buf_view(&job->answer));
    out.allowance_left = ((struct grant_job *)job)->left;
    hearth_auth_issue_tokens_reply(job->call, &out);
}

static void clear(struct auth_job *job)
{
    pass_issuer_key_clear(&((struct issue_job *)job)->key);
}

static struct err prepare(struct issue_job *i)
{
    struct auth_job *job = &i->grant.job;
    const Hearth__V1__IssueTokensRequest *in = (const void *)job->in;
    const uint8_t class = (uint8_t)in->token_class;
    if (!pass_issuable(in->period, job->now_s))
        return ERR(PASS_KEY);
    TRY(pass_request_parse(auth_in(in->request), &i->request));
    TRY(front_token_key(job->auth->env->front, class, in->period, &i->key));
    if (i->request.key_tag != pass_issuer_key_tag(&i->key))
        return ERR(PASS_KEY);
    grant_job_order(&i->grant, class, in->period, i->request.count);
    return ERR_OK;
}

AUTH_HANDLER(issue_tokens, IssueTokens)
{
    static const struct grant_kind kind = {evaluate, reply, clear};
    enum hearth_code code;
    (void)out;
    struct issue_job *i = grant_job_new(self, call, sizeof *i, &in->base, &kind, &code);
    return i != NULL ? grant_job_run(&i->grant, prepare(i)) : code;
}
