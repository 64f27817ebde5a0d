#include "server/queue/job.h"

#include "server/front/limit.h"

void queue_ref(struct queue *q)
{
    (void)atomic_fetch_add(&q->refs, 1);
}

static void job_free(struct queue_job *job)
{
    struct queue *q = job->q;
    if (job->clear != NULL)
        job->clear(job);
    charge_clear(&job->charge);
    arena_clear(&job->arena);
    buf_clear(&job->answer);
    bytes_wipe(job, job->size); /* ME4 */
    free(job);
    queue_unref(q);
}

static void set_caller(struct queue_job *job)
{
    const struct front_caller *caller = front_caller(job->call);
    job->principal = caller->principal;
    memcpy(job->body_hash, caller->body_hash, sizeof job->body_hash);
    job->scope[job->scope_len++] = (uint8_t)caller->kind;
    if (caller->id.len == sizeof job->caller) {
        job->has_caller = true;
        job->is_client = caller->kind == REQUEST_QUEUE_CLIENT;
        memcpy(job->caller, caller->id.data, sizeof job->caller);
        memcpy(job->scope + 1, job->caller, sizeof job->caller);
        job->scope_len += sizeof job->caller;
    }
    /* bodies of two rpcs may be the same bytes: an id alone, say */
    struct bytes path = bytes_str(hearth_call_endpoint(job->call)->path);
    size_t len = path.len < QUEUE_PATH_BYTES ? path.len : QUEUE_PATH_BYTES;
    memcpy(job->scope + job->scope_len, path.data, len);
    job->scope_len += len;
}

void *queue_job_new(struct queue *q, struct hearth_call *call, size_t size,
                    enum hearth_code *ret_code)
{
    struct queue_job *job = calloc(1, size);
    if (job == NULL) {
        *ret_code = front_fail(call, ERR(NO_MEMORY));
        return NULL;
    }
    queue_ref(q);
    job->q = q;
    job->call = call;
    job->size = size;
    job->cost = 1;
    job->now_s = queue_now_s(q);
    arena_init(&job->arena, QUEUE_JOB_ARENA_BYTES);
    set_caller(job);
    charge_begin(q->env->front, call, PASS_QUEUE, &job->charge);
    return job;
}

enum hearth_code queue_job_fail(struct queue_job *job, struct err err)
{
    enum hearth_code code = front_fail(job->call, err);
    job_free(job);
    return code;
}

struct err queue_job_answer(struct queue_job *job, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *out = buf_extend(&job->answer, len);
    if (out != NULL)
        (void)protobuf_c_message_pack(message, out);
    return buf_check(&job->answer);
}

/* ---- on the store's thread */

static struct once once_of(const struct queue_job *job)
{
    return (struct once){.statements = SQL_ONCE,
                         .key = job->q->once_key,
                         .scope = bytes_of(job->scope, job->scope_len),
                         .id = job->once_id,
                         .body_hash = job->body_hash};
}

static struct err run_write(struct store_txn *txn, struct queue_job *job)
{
    struct once once = once_of(job);
    if (job->id == NULL)
        return job->effect(txn, job);
    TRY(once_find(txn, &once, &job->answer, &job->repeated));
    if (job->repeated)
        return ERR_OK;
    const struct purse purse = queue_purse(job->q);
    TRY(charge_take(txn, &purse, &job->charge));
    TRY(job->effect(txn, job));
    return once_keep(txn, &once, job->q->env->rng, buf_view(&job->answer), job->now_s);
}

static struct err run(struct store_txn *txn, void *arg)
{
    struct queue_job *job = arg;
    return job->read ? job->effect(txn, job) : run_write(txn, job);
}

/* What is dear to find out before the writer's turn. Who has had an answer pays nothing for it. */
static struct err run_check(struct store_txn *txn, void *arg)
{
    struct queue_job *job = arg;
    if (charge_brings(&job->charge)) {
        const struct purse purse = queue_purse(job->q);
        struct once once = once_of(job);
        if (job->id != NULL)
            TRY(once_find(txn, &once, &job->answer, &job->repeated));
        if (job->repeated)
            return ERR_OK;
        TRY(charge_check(txn, &purse, &job->charge));
    }
    return job->check != NULL ? job->check(job) : ERR_OK;
}

/* ---- on the loop */

static void on_cancel(struct hearth_call *call, void *arg)
{
    struct queue_job *job = arg;
    job->call = NULL;
    (void)hearth_call_fail(call, HEARTH_CANCELLED, "cancelled");
}

/* Unpacked again, because a repeated request has nothing but these bytes. */
static struct err reply(struct queue_job *job)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(hearth_call_endpoint(job->call)->response,
                                                          NULL, job->answer.len, job->answer.data);
    if (message == NULL)
        return ERR(NO_MEMORY);
    hearth_call_reply(job->call, message);
    protobuf_c_message_free_unpacked(message, NULL);
    return ERR_OK;
}

static void end(struct queue_job *job, struct err result)
{
    if (err_is_ok(result) && !job->repeated && job->after != NULL)
        job->after(job);
    if (job->call != NULL) {
        if (err_is_ok(result))
            result = reply(job);
        if (!err_is_ok(result))
            (void)charge_fail(job->call, &job->charge, result);
    }
    job_free(job);
}

static void done(void *arg, struct err result)
{
    end(arg, result);
}

static struct err submit(struct queue_job *job, struct inbox *inbox)
{
    struct store_work work = {.principal = job->principal,
                              .cost = job->cost,
                              .frees = job->frees,
                              .run = run,
                              .done = done,
                              .arg = job};
    return job->read ? queue_read(job->q, inbox, &work) : queue_write(job->q, inbox, &work);
}

static void check_done(void *arg, struct err result)
{
    struct queue_job *job = arg;
    struct inbox *inbox = NULL;
    if (err_is_ok(result) && job->repeated) {
        end(job, result);
        return;
    }
    if (err_is_ok(result) && job->call == NULL)
        result = ERR(CANCELLED); /* nothing has happened yet */
    if (err_is_ok(result))
        result = front_inbox(job->q->env->front, hearth_call_loop(job->call), &inbox);
    if (err_is_ok(result))
        result = submit(job, inbox);
    if (!err_is_ok(result))
        end(job, result);
}

enum hearth_code queue_job_run(struct queue_job *job)
{
    struct inbox *inbox;
    if (job->id != NULL) {
        if (job->id->id.len != sizeof job->once_id)
            return queue_job_fail(job, ERR(ARGUMENT));
        memcpy(job->once_id, job->id->id.data, sizeof job->once_id);
    }
    struct err err = front_inbox(job->q->env->front, hearth_call_loop(job->call), &inbox);
    if (!err_is_ok(err))
        return queue_job_fail(job, err);
    hearth_call_on_cancel(job->call, on_cancel, job);
    struct store_work check = {
        .principal = job->principal, .cost = 1, .run = run_check, .done = check_done, .arg = job};
    bool dear = job->check != NULL || charge_brings(&job->charge);
    err = dear ? queue_read(job->q, inbox, &check) : submit(job, inbox);
    if (!err_is_ok(err))
        return queue_job_fail(job, err);
    return HEARTH_LATER;
}

bool queue_limited(struct queue *q, struct hearth_call *call, enum limit limit,
                   struct bytes principal, enum hearth_code *ret_code)
{
    uint32_t seconds = 1;
    struct err err = limit_take(q->limits, limit, principal, 1, &seconds);
    if (err_is_ok(err))
        return false;
    Hearth__V1__RetryAfter detail = HEARTH__V1__RETRY_AFTER__INIT;
    detail.seconds = seconds;
    *ret_code = front_fail_detail(call, err, &detail.base);
    return true;
}
