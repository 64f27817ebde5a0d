/* The calls that only read: one job each, on a snapshot, as of the newest signed checkpoint. */
#include <stdlib.h>

#include "server/transparency/service.h"

struct job {
    struct transparency *t;
    struct hearth_call *call; /* NULL: cancelled; what is under way goes on without it */
    struct buf in;            /* of the request, which goes with the call */
    uint64_t a, b;            /* sizes; of a tile: index and width */
    unsigned level;
    bool entries;
    struct err (*prove)(struct job *job, const struct kt_source *source);
    void (*reply)(struct job *job);
    struct buf answer;
    struct log_proof proof;
    uint32_t cost; /* rows read, about */
    bool missed;   /* a handle was asked for that the log does not have */
};

static struct err run(struct store_txn *txn, void *arg)
{
    struct job *job = arg;
    struct kt_log_at at;
    struct kt_source source = kt_log_source(job->t->options.log, txn, &at);
    return job->prove(job, &source);
}

static void job_free(struct job *job)
{
    buf_clear(&job->in);
    buf_clear(&job->answer);
    free(job);
}

static void done(void *arg, struct err result)
{
    struct job *job = arg;
    if (job->call != NULL && err_is_ok(result))
        job->reply(job);
    else if (job->call != NULL)
        (void)front_fail(job->call, result);
    job_free(job);
}

/* Also at the server's end, which waits for no job. */
static void on_cancel(struct hearth_call *call, void *arg)
{
    struct job *job = arg;
    job->call = NULL;
    (void)hearth_call_fail(call, HEARTH_CANCELLED, "cancelled");
}

/* in is copied. NULL: no memory. */
static struct job *job_new(struct transparency *t, struct hearth_call *call, struct bytes in)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->t = t;
    job->call = call;
    buf_append_bytes(&job->in, in);
    if (err_is_ok(buf_check(&job->in)))
        return job;
    job_free(job);
    return NULL;
}

static enum hearth_code submit(struct job *job)
{
    struct hearth_call *call = job->call;
    struct inbox *inbox = NULL;
    struct err err = front_inbox(job->t->env->front, hearth_call_loop(call), &inbox);
    const struct store_work work = {.principal = front_caller(call)->principal,
                                    .cost = job->cost,
                                    .run = run,
                                    .done = done,
                                    .arg = job};
    if (err_is_ok(err))
        err = store_read(job->t->store, inbox, &work);
    if (err_is_ok(err)) {
        hearth_call_on_cancel(call, on_cancel, job);
        return HEARTH_LATER;
    }
    job_free(job);
    return front_fail(call, err);
}

/* ---- handles: whoever looks for those that there are asks for many that there are not. A miss is
 * counted for the source; where it has none left, it is answered about no handle, or the refusal
 * itself would tell (transparency.md 18). Ids of users are too long to be guessed. */

static bool is_handle(struct bytes label)
{
    return label.len > 0 && label.data[0] == LABEL_HANDLE;
}

/* Are there any left? HEARTH_OK, or the call has ended. */
static enum hearth_code may_miss(struct hearth_call *call, struct bytes label)
{
    return is_handle(label) ? front_limit(call, LIMIT_HANDLE_MISSES, front_caller(call)->source, 0)
                            : HEARTH_OK;
}

static struct err look_for_miss(struct job *job, const struct kt_source *source, struct bytes label)
{
    uint32_t greatest;
    if (!is_handle(label))
        return ERR_OK;
    TRY(source->greatest(source->self, label, UINT64_MAX, &greatest));
    job->missed = greatest == LADDER_NONE;
    return ERR_OK;
}

/* On the call's loop, before the reply. What others of the source used up meanwhile does not
 * matter: at least one was left. */
static void count_miss(const struct job *job)
{
    if (!job->missed)
        return;
    struct err err = limit_take(front_limits(job->t->env->front), LIMIT_HANDLE_MISSES,
                                front_caller(job->call)->source, 1, NULL);
    (void)err;
}

/* ---- what it costs: a token beyond the allowance of the source; who asks is nobody's to know */

static void ref(void *service)
{
    transparency_ref(service);
}

static void unref(void *service)
{
    transparency_unref(service);
}

static struct err till_submit(void *service, bool write, struct inbox *inbox,
                              const struct store_work *work)
{
    struct transparency *t = service;
    (void)pthread_mutex_lock(&t->lock);
    bool closing = t->closing;
    (void)pthread_mutex_unlock(&t->lock);
    if (closing)
        return ERR(STORE_STOPPED);
    return write ? store_submit(t->store, inbox, work) : store_read(t->store, inbox, work);
}

static void paid(struct hearth_call *call, void *arg)
{
    if (call != NULL)
        (void)submit(arg);
    else
        job_free(arg);
}

/* cost: rows read, about. */
static enum hearth_code job_run(struct job *job, uint32_t cost)
{
    struct transparency *t = job->t;
    struct charge charge;
    const struct charge_till till = {purse_at(KT_PURSE, t->spent_key), t, ref, unref, till_submit};
    job->cost = cost;
    charge_begin(t->env->front, job->call, PASS_TRANSPARENCY, &charge);
    charge_source(&charge, front_caller(job->call)->source);
    return charge_owes(&charge) ? charge_call(job->call, &till, &charge, paid, job) : submit(job);
}

static ProtobufCBinaryData answer_of(const struct job *job)
{
    return (ProtobufCBinaryData){job->answer.len, job->answer.data};
}

/* ---- the checkpoint */

static struct err prove_checkpoint(struct job *job, const struct kt_source *source)
{
    uint64_t size;
    const struct kt_log_at *at = source->self;
    if (job->in.len > 0) {
        struct err err = kt_log_check_outside(at->log, at->txn, buf_view(&job->in));
        transparency_judge(job->t, err);
        TRY(err);
    }
    if (job->a > 0)
        return kt_note(at->txn, job->a, &job->answer);
    struct buf newest = BUF_INIT;
    struct err err = source->checkpoint(source->self, &newest, &size);
    buf_clear(&newest);
    TRY(err);
    return kt_note(at->txn, size, &job->answer);
}

static void reply_checkpoint(struct job *job)
{
    Hearth__V1__GetCheckpointResponse out = HEARTH__V1__GET_CHECKPOINT_RESPONSE__INIT;
    out.checkpoint = answer_of(job);
    hearth_transparency_get_checkpoint_reply(job->call, &out);
}

static enum hearth_code get_checkpoint(struct hearth_call *call,
                                       const Hearth__V1__GetCheckpointRequest *in,
                                       Hearth__V1__GetCheckpointResponse *out, void *self)
{
    struct job *job = job_new(self, call, bytes_of(in->known.data, in->known.len));
    (void)out;
    if (job == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    job->a = in->size;
    job->prove = prove_checkpoint;
    job->reply = reply_checkpoint;
    return job_run(job, 1);
}

/* ---- looking up */

static struct err prove_lookup(struct job *job, const struct kt_source *source)
{
    struct search_request request;
    TRY(search_request_parse(buf_view(&job->in), &request));
    TRY(look_for_miss(job, source, request.label));
    return kt_prove_search(source, &request, &job->answer);
}

static void reply_lookup(struct job *job)
{
    Hearth__V1__LookupResponse out = HEARTH__V1__LOOKUP_RESPONSE__INIT;
    count_miss(job);
    out.search = answer_of(job);
    hearth_transparency_lookup_reply(job->call, &out);
}

static enum hearth_code lookup(struct hearth_call *call, const Hearth__V1__LookupRequest *in,
                               Hearth__V1__LookupResponse *out, void *self)
{
    struct search_request request;
    (void)out;
    struct err err = search_request_parse(bytes_of(in->search.data, in->search.len), &request);
    if (!err_is_ok(err))
        return front_fail(call, err);
    enum hearth_code code = may_miss(call, request.label);
    if (code != HEARTH_OK)
        return code;
    struct job *job = job_new(self, call, bytes_of(in->search.data, in->search.len));
    if (job == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    job->prove = prove_lookup;
    job->reply = reply_lookup;
    return job_run(job, STORE_COST_MAX / 2);
}

static struct err prove_many(struct job *job, const struct kt_source *source)
{
    struct search_many_request *request = malloc(sizeof *request);
    struct err err =
        request != NULL ? search_many_request_parse(buf_view(&job->in), request) : ERR(NO_MEMORY);
    if (err_is_ok(err))
        err = kt_prove_many(source, request, &job->answer);
    free(request);
    return err;
}

static void reply_many(struct job *job)
{
    Hearth__V1__LookupManyResponse out = HEARTH__V1__LOOKUP_MANY_RESPONSE__INIT;
    out.search = answer_of(job);
    hearth_transparency_lookup_many_reply(job->call, &out);
}

/* Each handle of many counts as missed, whether it is there or not: a refusal after looking would
 * tell of several at the price of one. */
static enum hearth_code may_miss_many(struct hearth_call *call, struct bytes in)
{
    uint32_t handles = 0;
    struct search_many_request *request = malloc(sizeof *request);
    struct err err = request != NULL ? search_many_request_parse(in, request) : ERR(NO_MEMORY);
    for (size_t i = 0; err_is_ok(err) && i < request->count; i++)
        handles += is_handle(request->items[i].label);
    free(request);
    if (!err_is_ok(err))
        return front_fail(call, err);
    return handles > 0 ? front_limit(call, LIMIT_HANDLE_MISSES, front_caller(call)->source, handles)
                       : HEARTH_OK;
}

static enum hearth_code lookup_many(struct hearth_call *call,
                                    const Hearth__V1__LookupManyRequest *in,
                                    Hearth__V1__LookupManyResponse *out, void *self)
{
    (void)out;
    enum hearth_code code = may_miss_many(call, bytes_of(in->search.data, in->search.len));
    if (code != HEARTH_OK)
        return code;
    struct job *job = job_new(self, call, bytes_of(in->search.data, in->search.len));
    if (job == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    job->prove = prove_many;
    job->reply = reply_many;
    return job_run(job, STORE_COST_MAX);
}

/* ---- monitoring */

static struct err prove_monitor(struct job *job, const struct kt_source *source)
{
    struct owner_request owner;
    if (job->in.len > 0 && job->in.data[0] == MONITOR_OWNER) {
        TRY(owner_request_parse(buf_view(&job->in), &owner));
        TRY(look_for_miss(job, source, owner.label));
        return kt_prove_owner(source, &owner, &job->answer);
    }
    struct sight_request sight;
    if (job->in.len > 0 && job->in.data[0] == MONITOR_SIGHT) {
        TRY(sight_request_parse(buf_view(&job->in), &sight));
        return kt_prove_sight(source, &sight, &job->answer);
    }
    FILLED_LATER struct contact_request contact;
    TRY(contact_request_parse(buf_view(&job->in), &contact));
    return kt_prove_contacts(source, &contact, &job->answer);
}

static void reply_monitor(struct job *job)
{
    Hearth__V1__MonitorResponse out = HEARTH__V1__MONITOR_RESPONSE__INIT;
    count_miss(job);
    out.monitor = answer_of(job);
    hearth_transparency_monitor_reply(job->call, &out);
}

static enum hearth_code monitor(struct hearth_call *call, const Hearth__V1__MonitorRequest *in,
                                Hearth__V1__MonitorResponse *out, void *self)
{
    struct owner_request owner;
    (void)out;
    struct bytes request = bytes_of(in->monitor.data, in->monitor.len);
    if (request.len > 0 && request.data[0] == MONITOR_OWNER) {
        struct err err = owner_request_parse(request, &owner);
        if (!err_is_ok(err))
            return front_fail(call, err);
        enum hearth_code code = may_miss(call, owner.label);
        if (code != HEARTH_OK)
            return code;
    }
    struct job *job = job_new(self, call, bytes_of(in->monitor.data, in->monitor.len));
    if (job == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    job->prove = prove_monitor;
    job->reply = reply_monitor;
    return job_run(job, STORE_COST_MAX);
}

/* ---- consistency and tiles */

static struct err prove_consistency(struct job *job, const struct kt_source *source)
{
    uint64_t size;
    TRY(kt_signed_size(source, &size));
    if (job->a > job->b || job->b > size)
        return ERR(ARGUMENT);
    return log_prove_consistency(&source->log, job->a, job->b, &job->proof);
}

static void reply_consistency(struct job *job)
{
    Hearth__V1__GetConsistencyResponse out = HEARTH__V1__GET_CONSISTENCY_RESPONSE__INIT;
    ProtobufCBinaryData hashes[LOG_PATH_MAX];
    for (size_t i = 0; i < job->proof.count; i++)
        hashes[i] = (ProtobufCBinaryData){HASH_VALUE_BYTES, job->proof.at[i].data};
    out.n_hashes = job->proof.count;
    out.hashes = hashes;
    hearth_transparency_get_consistency_reply(job->call, &out);
}

static enum hearth_code get_consistency(struct hearth_call *call,
                                        const Hearth__V1__GetConsistencyRequest *in,
                                        Hearth__V1__GetConsistencyResponse *out, void *self)
{
    struct job *job = job_new(self, call, bytes_of(NULL, 0));
    (void)out;
    if (job == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    job->a = in->old_size;
    job->b = in->new_size;
    job->prove = prove_consistency;
    job->reply = reply_consistency;
    return job_run(job, LOG_PATH_MAX);
}

static struct err prove_tile(struct job *job, const struct kt_source *source)
{
    const struct kt_tile tile = {job->level, job->entries, job->a, (unsigned)job->b};
    return kt_tile(source, &tile, &job->answer);
}

static void reply_tile(struct job *job)
{
    Hearth__V1__GetTileResponse out = HEARTH__V1__GET_TILE_RESPONSE__INIT;
    out.tile = answer_of(job);
    hearth_transparency_get_tile_reply(job->call, &out);
}

static enum hearth_code get_tile(struct hearth_call *call, const Hearth__V1__GetTileRequest *in,
                                 Hearth__V1__GetTileResponse *out, void *self)
{
    struct job *job = job_new(self, call, bytes_of(NULL, 0));
    (void)out;
    if (job == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    job->level = in->level;
    job->a = in->index;
    job->b = in->width;
    job->entries = in->entries;
    job->prove = prove_tile;
    job->reply = reply_tile;
    return job_run(job, STORE_COST_MAX);
}

const struct hearth_transparency_service transparency_calls = {
    .get_checkpoint = get_checkpoint,
    .lookup = lookup,
    .lookup_many = lookup_many,
    .monitor = monitor,
    .get_consistency = get_consistency,
    .get_tile = get_tile,
    .add_cosignature = transparency_add_cosignature,
};
