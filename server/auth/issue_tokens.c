/* IssueTokens: charged in a transaction, then evaluated on a reader's thread, since a batch takes
 * up to 20 ms. Between the two a crash leaves a charge without an answer; the same request again is
 * answered without a second one, and nothing of an answer is kept for that. */
#include "pass/redeem.h"
#include "server/auth/inside.h"

struct issue_job {
    struct auth_job job;
    struct client_caller caller;
    struct token_order order;
    struct pass_request request; /* views into the job's copy */
    struct pass_issuer_key key;
    uint32_t left;
};

static struct err charge(struct store_txn *txn, struct auth_job *job)
{
    struct issue_job *i = (struct issue_job *)job;
    TRY(client_seen(txn, i->caller.id, i->caller.user_id, job->now_s));
    return token_grant_take(txn, job->auth, &i->order, job->now_s, &i->left);
}

static struct err evaluate(struct store_txn *txn, struct auth_job *job)
{
    struct issue_job *i = (struct issue_job *)job;
    (void)txn;
    return pass_issue(&i->key, job->auth->env->rng, &i->request, &job->answer);
}

static void charged(struct auth_job *job)
{
    job->then = NULL;
    job->effect = evaluate;
    (void)auth_job_read(job);
}

static void reply(struct auth_job *job)
{
    Hearth__V1__IssueTokensResponse out;
    hearth__v1__issue_tokens_response__init(&out);
    out.response = auth_out(buf_view(&job->answer));
    out.allowance_left = ((struct issue_job *)job)->left;
    hearth_auth_issue_tokens_reply(job->call, &out);
}

static struct err prepare(struct issue_job *i, const Hearth__V1__IssueTokensRequest *in)
{
    struct auth *auth = i->job.auth;
    const struct front_caller *caller = front_caller(i->job.call);
    if (!pass_issuable(in->period, i->job.now_s))
        return ERR(PASS_KEY);
    TRY(pass_request_parse(auth_in(in->request), &i->request));
    TRY(front_token_key(auth->env->front, (uint8_t)in->token_class, in->period, &i->key));
    if (i->request.key_tag != pass_issuer_key_tag(&i->key))
        return ERR(PASS_KEY);
    i->order.class = (uint8_t)in->token_class;
    i->order.period = in->period;
    i->order.count = (uint32_t)i->request.count;
    memcpy(i->order.user, i->caller.user_id, sizeof i->order.user);
    token_request_id(auth, i->caller.user_id, caller->body_hash, i->order.request);
    return ERR_OK;
}

AUTH_HANDLER(issue_tokens, IssueTokens)
{
    struct auth *auth = self;
    struct client_caller caller;
    (void)out;
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
    i->job.effect = charge;
    i->job.then = charged;
    i->job.reply = reply;
    err = prepare(i, (const void *)i->job.in);
    if (!err_is_ok(err))
        return auth_job_fail(&i->job, err);
    return auth_job_write(&i->job, 3);
}
