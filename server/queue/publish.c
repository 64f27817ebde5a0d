/* PublishKeyPackages: replaces all of a client's. Two hundred signatures are verified on a reader's
 * thread first; the write only seals and inserts. */
#include "server/front/limit.h"
#include "server/queue/job.h"
#include "server/queue/package.h"
#include "server/queue/state.h"

struct publish {
    struct queue_job job;
    struct package *packages; /* [0] is the last resort; in the arena, like what they point to */
    size_t count;
};

static int by_ref(const void *left, const void *right)
{
    const struct package *a = *(const struct package *const *)left;
    const struct package *b = *(const struct package *const *)right;
    return bytes_compare(a->ref, b->ref);
}

/* K1: the same package twice would go to two requesters. */
static struct err check_different(struct publish *p)
{
    const struct package **sorted =
        arena_alloc(&p->job.arena, p->count * sizeof(const struct package *));
    if (sorted == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < p->count; i++)
        sorted[i] = &p->packages[i];
    qsort(sorted, p->count, sizeof *sorted, by_ref);
    for (size_t i = 1; i < p->count; i++)
        if (bytes_equal(sorted[i - 1]->ref, sorted[i]->ref))
            return ERR(KEY_PACKAGE_TWICE);
    return ERR_OK;
}

static struct err check_one(struct publish *p, size_t i)
{
    struct package *package = &p->packages[i];
    Hearth__V1__KeyPackageBundle *bundle =
        hearth__v1__key_package_bundle__unpack(NULL, package->bundle.len, package->bundle.data);
    if (bundle == NULL)
        return ERR(NO_MEMORY);
    struct err err = package_check(p->job.q, bundle, i == 0, p->job.now_s, &p->job.arena, package);
    hearth__v1__key_package_bundle__free_unpacked(bundle, NULL);
    return err;
}

static struct err check(struct queue_job *job)
{
    struct publish *p = (struct publish *)job;
    for (size_t i = 0; i < p->count; i++)
        TRY(check_one(p, i));
    return check_different(p);
}

static struct err replace(struct store_txn *txn, struct publish *p, struct queue_state *state)
{
    struct queue_job *job = &p->job;
    TRY(package_clear(txn, state->client));
    for (size_t i = 0; i < p->count; i++) {
        p->packages[i].key = queue_row_key(state->client, i);
        p->packages[i].published = (uint32_t)(p->count - 1);
        TRY(package_add(txn, job->q, &p->packages[i]));
    }
    state->told = false;
    state->active_day = job->now_s / QUEUE_DAY_S;
    return queue_state_set(txn, job->q, state);
}

static struct err effect(struct store_txn *txn, struct queue_job *job)
{
    struct queue_client client;
    struct queue_state state;
    struct err err =
        queue_client_by_id(txn, job->q, bytes_of(job->caller, sizeof job->caller), &client);
    if (err.code == ERR_NOT_FOUND)
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(err);
    uint64_t row = client.row;
    queue_client_clear(&client);
    TRY(queue_state_get(txn, job->q, row, &state));
    err = replace(txn, (struct publish *)job, &state);
    queue_state_clear(&state);
    TRY(err);
    Hearth__V1__PublishKeyPackagesResponse out = HEARTH__V1__PUBLISH_KEY_PACKAGES_RESPONSE__INIT;
    return queue_job_answer(job, &out.base);
}

static struct err copy_bundle(struct publish *p, const Hearth__V1__KeyPackageBundle *bundle)
{
    size_t len = protobuf_c_message_get_packed_size(&bundle->base);
    uint8_t *packed = arena_alloc(&p->job.arena, len);
    if (packed == NULL)
        return ERR(NO_MEMORY);
    (void)protobuf_c_message_pack(&bundle->base, packed);
    p->packages[p->count++].bundle = bytes_of(packed, len);
    return ERR_OK;
}

static struct err take(struct publish *p, const Hearth__V1__PublishKeyPackagesRequest *in)
{
    if (in->n_bundles > limit_value(p->job.q->limits, LIMIT_KEY_PACKAGES))
        return ERR(QUOTA);
    p->packages = arena_alloc(&p->job.arena, (in->n_bundles + 1) * sizeof *p->packages);
    if (p->packages == NULL)
        return ERR(NO_MEMORY);
    TRY(copy_bundle(p, in->last_resort));
    for (size_t i = 0; i < in->n_bundles; i++)
        TRY(copy_bundle(p, in->bundles[i]));
    return ERR_OK;
}

enum hearth_code queue_publish(struct hearth_call *call,
                               const Hearth__V1__PublishKeyPackagesRequest *in,
                               Hearth__V1__PublishKeyPackagesResponse *out, void *self)
{
    struct queue *q = self;
    enum hearth_code code;
    (void)out;
    if (queue_limited(q, call, LIMIT_KEY_PACKAGE_UPLOADS, front_caller(call)->id, &code))
        return code;
    struct publish *p = queue_job_new(q, call, sizeof *p, &code);
    if (p == NULL)
        return code;
    arena_clear(&p->job.arena);
    arena_init(&p->job.arena, 2 * QUEUE_JOB_ARENA_BYTES);
    struct err err = take(p, in);
    if (!err_is_ok(err))
        return queue_job_fail(&p->job, err);
    p->job.id = in->idempotency;
    p->job.cost = (uint32_t)(p->count < STORE_COST_MAX ? p->count : STORE_COST_MAX);
    p->job.check = check;
    p->job.effect = effect;
    return queue_job_run(&p->job);
}
