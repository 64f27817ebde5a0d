#include "server/auth/inside.h"

static struct err make_scope(struct auth_job *job)
{
    const struct front_caller *caller = front_caller(job->call);
    buf_append_bytes(&job->scope, bytes_str(hearth_call_endpoint(job->call)->path));
    buf_append_byte(&job->scope, 0);
    buf_append_byte(&job->scope, (uint8_t)caller->kind);
    buf_append_bytes(&job->scope, caller->id);
    return buf_check(&job->scope);
}

void *auth_job_new(struct auth *auth, struct hearth_call *call, size_t size,
                   const Hearth__V1__Idempotency *idempotency)
{
    struct auth_job *job = hearth_call_alloc(call, size);
    if (job == NULL)
        return NULL;
    job->auth = auth;
    job->call = call;
    job->now_s = auth_now_s(auth);
    if (idempotency != NULL) {
        job->once_id = idempotency->id.data;
        if (!err_is_ok(make_scope(job))) {
            buf_clear(&job->scope);
            return NULL;
        }
    }
    hearth_call_ref(call);
    return job;
}

void auth_job_end(struct auth_job *job)
{
    if (job->clear != NULL)
        job->clear(job);
    buf_clear(&job->scope);
    buf_clear(&job->answer);
    hearth_call_unref(job->call); /* and with it, perhaps, the job */
}

/* Refused registrations are told what would help, whatever was wrong. */
static enum hearth_code refuse(struct auth *auth, struct hearth_call *call, struct err err)
{
    if (err.code != ERR_AUTH_PERMIT || auth->options.mode != AUTH_OPEN)
        return front_fail(call, err);
    Hearth__V1__ProofOfWorkRequired detail;
    hearth__v1__proof_of_work_required__init(&detail);
    detail.bits = puzzle_bits(auth);
    return front_fail_detail(call, err, &detail.base);
}

enum hearth_code auth_job_fail(struct auth_job *job, struct err err)
{
    enum hearth_code code = refuse(job->auth, job->call, err);
    auth_job_end(job);
    return code;
}

static struct err run(struct store_txn *txn, void *arg)
{
    struct auth_job *job = arg;
    if (job->once_id == NULL)
        return job->effect(txn, job);
    const struct once once = {
        .statements = AUTH_ONCE,
        .key = job->auth->once_key,
        .scope = buf_view(&job->scope),
        .id = job->once_id,
        .body_hash = front_caller(job->call)->body_hash,
    };
    TRY(once_find(txn, &once, &job->answer, &job->repeated));
    if (job->repeated)
        return ERR_OK;
    if (job->only_repeats)
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(job->effect(txn, job));
    TRY(buf_check(&job->answer));
    return once_keep(txn, &once, job->auth->env->rng, buf_view(&job->answer), job->now_s);
}

static void done(void *arg, struct err result)
{
    struct auth_job *job = arg;
    if (!err_is_ok(result)) {
        (void)auth_job_fail(job, result);
        return;
    }
    job->reply(job);
}

static enum hearth_code submit(struct auth_job *job, bool write, uint32_t cost)
{
    struct inbox *inbox = NULL;
    const struct front_caller *caller = front_caller(job->call);
    /* Nothing gets here unverified: the front sees to it, but for what keys.c leaves to handlers.
     */
    if (caller->kind != 0 && !caller->verified && !job->only_repeats)
        return auth_job_fail(job, ERR(FRONT_UNAUTHENTICATED));
    struct err err = front_inbox(job->auth->env->front, hearth_call_loop(job->call), &inbox);
    if (err_is_ok(err)) {
        const struct store_work work = {
            .principal = caller->principal,
            .cost = cost,
            .frees = job->frees,
            .run = run,
            .done = done,
            .arg = job,
        };
        err = write ? store_submit(job->auth->store, inbox, &work)
                    : store_read(job->auth->store, inbox, &work);
    }
    return err_is_ok(err) ? HEARTH_LATER : auth_job_fail(job, err);
}

enum hearth_code auth_job_write(struct auth_job *job, uint32_t cost)
{
    return submit(job, true, cost);
}

enum hearth_code auth_job_read(struct auth_job *job)
{
    return submit(job, false, 1);
}

enum hearth_code auth_take_principal(struct hearth_call *call, enum limit limit)
{
    const uint64_t principal = front_caller(call)->principal;
    return front_limit(call, limit, bytes_of(&principal, sizeof principal), 1);
}

/* ---- the log */

static void logged_done(void *arg, struct err result, const struct auth_receipt *receipt)
{
    struct auth_logged *logged = arg;
    struct auth_job *job = logged->job;
    if (!err_is_ok(result))
        (void)auth_job_fail(job, result); /* it is committed: a repeat asks the log again */
    else
        logged->finish(job, receipt);
}

void auth_log_then(struct auth_logged *logged, struct bytes key_set)
{
    struct auth_job *job = logged->job;
    const struct auth_log *log = job->auth->options.log;
    if (log == NULL) {
        const struct auth_receipt none = {0};
        logged->finish(job, &none);
        return;
    }
    /* The label is a view into the request, which lives as long as the call. */
    struct key_set set;
    struct err err = key_set_parse(key_set, &set);
    if (!err_is_ok(err)) {
        logged_done(logged, err, NULL);
        return;
    }
    log->append(log->self, set.label, set.version, key_set, hearth_call_loop(job->call),
                logged_done, logged);
}

void auth_receipt_out(const struct auth_receipt *receipt, Hearth__V1__LogReceipt *ret_receipt)
{
    hearth__v1__log_receipt__init(ret_receipt);
    ret_receipt->checkpoint = auth_out(receipt->checkpoint);
    ret_receipt->proof = auth_out(receipt->proof);
}
