/* UpdateBlocklist: tags whose items are dropped from now on. Senders don't learn of it. */
#include "server/front/limit.h"
#include "server/queue/job.h"
#include "server/queue/state.h"
#include "server/queue/tag.h"

struct update {
    struct queue_job job;
    const uint8_t *tags; /* block_count, then unblock_count, QUEUE_TAG_BYTES each; in the arena */
    size_t block_count, unblock_count;
};

static struct err set_tag(struct store_txn *txn, struct update *u, struct queue_state *state,
                          const uint8_t *raw, bool blocked)
{
    struct queue *q = u->job.q;
    struct queue_tag tag;
    uint8_t id[QUEUE_PRF_BYTES];
    queue_tag_id(q, bytes_of(u->job.caller, sizeof u->job.caller), bytes_of(raw, QUEUE_TAG_BYTES),
                 id);
    TRY(queue_tag_get(txn, q, state->client, id, &tag));
    if (tag.blocked == blocked)
        return ERR_OK;
    if (blocked && state->blocked >= limit_value(q->limits, LIMIT_BLOCKED_TAGS))
        return ERR(QUOTA);
    state->tags += !tag.stored;
    if (blocked)
        state->blocked++;
    else if (state->blocked != 0)
        state->blocked--;
    tag.blocked = blocked;
    return queue_tag_set(txn, q, state->client, &tag, u->job.now_s);
}

static struct err set_tags(struct store_txn *txn, struct update *u, struct queue_state *state)
{
    for (size_t i = 0; i < u->block_count + u->unblock_count; i++)
        TRY(set_tag(txn, u, state, u->tags + i * QUEUE_TAG_BYTES, i < u->block_count));
    return queue_state_set(txn, u->job.q, state);
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
    err = set_tags(txn, (struct update *)job, &state);
    queue_state_clear(&state);
    TRY(err);
    Hearth__V1__UpdateBlocklistResponse out = HEARTH__V1__UPDATE_BLOCKLIST_RESPONSE__INIT;
    return queue_job_answer(job, &out.base);
}

enum hearth_code queue_update_blocklist(struct hearth_call *call,
                                        const Hearth__V1__UpdateBlocklistRequest *in,
                                        Hearth__V1__UpdateBlocklistResponse *out, void *self)
{
    enum hearth_code code;
    (void)out;
    struct update *u = queue_job_new(self, call, sizeof *u, &code);
    if (u == NULL)
        return code;
    size_t count = in->n_block + in->n_unblock; /* 128 each at most, by the row's rules */
    uint8_t *tags = arena_alloc(&u->job.arena, count * QUEUE_TAG_BYTES);
    if (tags == NULL)
        return queue_job_fail(&u->job, ERR(NO_MEMORY));
    for (size_t i = 0; i < count; i++)
        memcpy(tags + i * QUEUE_TAG_BYTES,
               i < in->n_block ? in->block[i].data : in->unblock[i - in->n_block].data,
               QUEUE_TAG_BYTES);
    u->tags = tags;
    u->block_count = in->n_block;
    u->unblock_count = in->n_unblock;
    u->job.id = in->idempotency;
    u->job.cost = count == 0 ? 1 : (uint32_t)count;
    u->job.effect = effect;
    return queue_job_run(&u->job);
}
