#include <stdlib.h>

#include "server/auth/inside.h"

/* ---- a copy of the request, because the job may outlive its call */

static void *copy_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void copy_free(void *arena, void *pointer)
{
    (void)arena; /* all at once, wiped */
    (void)pointer;
}

static struct err copy_request(struct auth_job *job, const ProtobufCMessage *in)
{
    ProtobufCAllocator allocator = {copy_alloc, copy_free, &job->arena};
    struct buf packed = BUF_INIT;
    size_t len = protobuf_c_message_get_packed_size(in);
    uint8_t *out = buf_extend(&packed, len + 1); /* a message may be empty */
    if (out != NULL) {
        (void)protobuf_c_message_pack(in, out);
        job->in = protobuf_c_message_unpack(in->descriptor, &allocator, len, out);
    }
    buf_clear(&packed);
    return job->in != NULL ? ERR_OK : ERR(NO_MEMORY);
}

/* ---- begin and end */

static struct err make_scope(struct auth_job *job, const Hearth__V1__Idempotency *idempotency)
{
    const struct front_caller *caller = front_caller(job->call);
    if (idempotency->id.len != sizeof job->once_id)
        return ERR(ARGUMENT);
    memcpy(job->once_id, idempotency->id.data, sizeof job->once_id);
    memcpy(job->body_hash, caller->body_hash, sizeof job->body_hash);
    job->keeps = true;
    buf_append_bytes(&job->scope, bytes_str(hearth_call_endpoint(job->call)->path));
    buf_append_byte(&job->scope, 0);
    buf_append_byte(&job->scope, (uint8_t)caller->kind);
    buf_append_bytes(&job->scope, caller->id);
    return buf_check(&job->scope);
}

/* Client, deadline or server: nobody waits any more. What was begun goes on. */
static void on_cancel(struct hearth_call *call, void *arg)
{
    struct auth_job *job = arg;
    job->call = NULL;
    (void)hearth_call_fail(call, HEARTH_CANCELLED, "cancelled");
}

void *auth_job_new(struct auth *auth, struct hearth_call *call, size_t size,
                   const ProtobufCMessage *in, const Hearth__V1__Idempotency *idempotency)
{
    enum { ARENA_BYTES = 512 * 1024 };
    struct auth_job *job = calloc(1, size);
    if (job == NULL)
        return NULL;
    auth_ref(auth);
    job->size = size;
    job->auth = auth;
    job->call = call;
    job->loop = hearth_call_loop(call);
    job->principal = front_caller(call)->principal;
    job->now_s = auth_now_s(auth);
    arena_init(&job->arena, ARENA_BYTES);
    struct err err = in != NULL ? copy_request(job, in) : ERR_OK;
    if (err_is_ok(err) && idempotency != NULL)
        err = make_scope(job, idempotency);
    if (!err_is_ok(err)) {
        auth_job_end(job);
        return NULL;
    }
    hearth_call_on_cancel(call, on_cancel, job);
    return job;
}

void auth_job_attach(struct auth_job *job, struct hearth_call *call)
{
    if (job->call != NULL)
        hearth_call_on_cancel(job->call, NULL, NULL);
    job->call = call;
    if (call != NULL)
        hearth_call_on_cancel(call, on_cancel, job);
}

void auth_job_end(struct auth_job *job)
{
    struct auth *auth = job->auth;
    if (job->call != NULL)
        hearth_call_on_cancel(job->call, NULL, NULL);
    if (job->clear != NULL)
        job->clear(job);
    charge_clear(&job->charge);
    buf_clear(&job->scope);
    buf_clear(&job->answer);
    arena_clear(&job->arena);
    bytes_wipe(job, job->size);
    free(job);
    auth_unref(auth);
}

/* Refused registrations are told what would help, whatever was wrong. */
static enum hearth_code refuse(const struct auth_job *job, struct hearth_call *call, struct err err)
{
    struct auth *auth = job->auth;
    if (err.code != ERR_AUTH_PERMIT || auth_mode(auth) != AUTH_OPEN)
        return charge_fail(call, &job->charge, err);
    Hearth__V1__ProofOfWorkRequired detail;
    hearth__v1__proof_of_work_required__init(&detail);
    detail.bits = puzzle_bits(auth);
    return front_fail_detail(call, err, &detail.base);
}

enum hearth_code auth_job_fail(struct auth_job *job, struct err err)
{
    enum hearth_code code = HEARTH_CANCELLED;
    struct hearth_call *call = job->call;
    if (call != NULL) {
        hearth_call_on_cancel(call, NULL, NULL);
        job->call = NULL;
        code = refuse(job, call, err);
    }
    auth_job_end(job);
    return code;
}

void auth_job_reply(struct auth_job *job, void (*reply)(struct auth_job *job))
{
    if (job->call != NULL) {
        hearth_call_on_cancel(job->call, NULL, NULL);
        reply(job);
        job->call = NULL; /* answered; it may be gone */
    }
    auth_job_end(job);
}

/* ---- the transaction */

static struct once once_of(const struct auth_job *job)
{
    return (struct once){
        .statements = AUTH_ONCE,
        .key = job->auth->once_key,
        .scope = buf_view(&job->scope),
        .id = job->once_id,
        .body_hash = job->body_hash,
    };
}

struct err auth_job_find_kept(struct store_txn *txn, struct auth_job *job, bool *ret_found)
{
    const struct once once = once_of(job);
    return once_find(txn, &once, &job->answer, ret_found);
}

static struct err run(struct store_txn *txn, void *arg)
{
    struct auth_job *job = arg;
    const struct purse purse = auth_purse(job->auth);
    if (!job->keeps) {
        TRY(charge_take(txn, &purse, &job->charge));
        return job->effect(txn, job);
    }
    const struct once once = once_of(job);
    TRY(auth_job_find_kept(txn, job, &job->repeated));
    if (job->repeated)
        return ERR_OK;
    TRY(charge_take(txn, &purse, &job->charge));
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
    charge_clear(&job->charge); /* what else the job does is paid */
    job->charged = false;
    if (job->then != NULL)
        job->then(job);
    else
        auth_job_reply(job, job->reply);
}

static enum hearth_code submit(struct auth_job *job, bool write, uint32_t cost,
                               struct err (*step)(struct store_txn *txn, void *arg),
                               void (*then)(void *arg, struct err result))
{
    struct inbox *inbox = NULL;
    if (job->call == NULL)
        return auth_job_fail(job, ERR(CANCELLED)); /* nothing has happened yet */
    const struct front_caller *caller = front_caller(job->call);
    /* Nothing writes unverified: the front sees to it, but for what keys.c leaves to handlers. */
    if (caller->kind != 0 && !caller->verified && !(job->unverified && !write))
        return auth_job_fail(job, ERR(FRONT_UNAUTHENTICATED));
    struct err err = front_inbox(job->auth->env->front, job->loop, &inbox);
    if (err_is_ok(err)) {
        const struct store_work work = {
            .principal = job->principal,
            .cost = cost,
            .frees = job->frees,
            .run = step,
            .done = then,
            .arg = job,
        };
        err = write ? auth_write(job->auth, inbox, &work) : auth_read(job->auth, inbox, &work);
    }
    return err_is_ok(err) ? HEARTH_LATER : auth_job_fail(job, err);
}

void auth_charge(struct auth_job *job, struct hearth_call *call, const char *what, struct bytes id,
                 bool whole)
{
    uint8_t account[AUTH_ID_BYTES];
    charge_begin(job->auth->env->front, call, PASS_AUTH, &job->charge);
    auth_id(job->auth, what, id, account);
    charge_account(&job->charge, account, whole);
}

/* ---- paying first: is it paid, as far as reading tells? Then it is written, with the effect */

static struct err run_charge(struct store_txn *txn, void *arg)
{
    struct auth_job *job = arg;
    const struct purse purse = auth_purse(job->auth);
    if (job->keeps)
        TRY(auth_job_find_kept(txn, job, &job->repeated));
    /* who has an answer has paid, with tokens that may be worth nothing by now */
    return job->repeated ? ERR_OK : charge_check(txn, &purse, &job->charge);
}

static void charge_done(void *arg, struct err result)
{
    struct auth_job *job = arg;
    if (!err_is_ok(result) || job->repeated) {
        done(job, result);
        return;
    }
    job->charged = true;
    (void)submit(job, true, job->cost, run, done);
}

static bool pays_first(const struct auth_job *job)
{
    return charge_brings(&job->charge) && !job->charged;
}

static enum hearth_code write_checked(struct auth_job *job)
{
    return pays_first(job) ? submit(job, false, 1, run_charge, charge_done)
                           : submit(job, true, job->cost, run, done);
}

enum hearth_code auth_job_write(struct auth_job *job, uint32_t cost)
{
    job->cost = cost;
    return auth_log_check(job, write_checked);
}

/* One that only reads has no answer to find again: what it costs is known at once, and where the
 * allowance doesn't cover it it is a write. */
enum hearth_code auth_job_read(struct auth_job *job)
{
    charge_allowance(&job->charge);
    return charge_owes(&job->charge) ? auth_job_write(job, 1) : submit(job, false, 1, run, done);
}

enum hearth_code auth_take_principal(struct hearth_call *call, enum limit limit)
{
    const uint64_t principal = front_caller(call)->principal;
    return front_limit(call, limit, bytes_of(&principal, sizeof principal), 1);
}
