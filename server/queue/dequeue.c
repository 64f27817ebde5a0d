/* Dequeue: acknowledges and fetches a batch in one transaction. */
#include "server/front/limit.h"
#include "server/queue/desk.h"
#include "server/queue/job.h"
#include "server/queue/state.h"

enum {
    /* One item at least. Far below the response's cap: an answer waits in memory until its reader
     * has taken it, and there may be many readers who take their time. */
    FETCH_BYTES = 256 * 1024,
    FETCH_ITEMS = 256,
};

struct dequeue {
    struct queue_job job;
    uint64_t ack_up_to;
    uint64_t most;
    bool more; /* to delete */
};

/* The batch, as a response under construction: items lie in the job's arena. */
struct fetched {
    struct queue_job *job;
    Hearth__V1__QueueItem items[FETCH_ITEMS];
    Hearth__V1__QueueItem *list[FETCH_ITEMS];
    size_t count, bytes;
};

static struct err add_item(struct fetched *f, struct stmt *row, bool *ret_full)
{
    uint64_t number = queue_row_sequence(stmt_u64(row, 0));
    struct bytes sealed = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    *ret_full = f->count != 0 && f->bytes + sealed.len > FETCH_BYTES;
    if (*ret_full)
        return ERR_OK;
    uint8_t *copy = arena_alloc(&f->job->arena, sealed.len);
    if (copy == NULL)
        return ERR(NO_MEMORY);
    if (sealed.len != 0)
        memcpy(copy, sealed.data, sealed.len);
    Hearth__V1__QueueItem *item = &f->items[f->count];
    hearth__v1__queue_item__init(item);
    item->sequence = number;
    item->sealed = (ProtobufCBinaryData){sealed.len, copy};
    f->list[f->count++] = item;
    f->bytes += sealed.len;
    return ERR_OK;
}

static struct err fetch(struct store_txn *txn, const struct queue_state *state, uint64_t most,
                        struct fetched *f)
{
    struct stmt *s = stmt_use(txn, SQL_ITEM_RANGE);
    stmt_bind_u64(s, 1, queue_row_key(state->client, state->acked_end));
    stmt_bind_u64(s, 2, queue_row_key(state->client, QUEUE_SEQUENCE_MOST));
    stmt_bind_u64(s, 3, most);
    bool row = false, full = false;
    TRY(stmt_step(s, &row));
    while (row && !full) {
        TRY(add_item(f, s, &full));
        if (!full)
            TRY(stmt_step(s, &row));
    }
    return ERR_OK;
}

static struct err take(struct store_txn *txn, struct dequeue *d, struct queue_state *state,
                       struct fetched *f)
{
    struct queue *q = d->job.q;
    bool changed = false, marked = false;
    TRY(queue_acknowledge(txn, q, state, d->ack_up_to, 0, d->job.now_s, &changed, &d->more));
    TRY(fetch(txn, state, d->most, f));
    uint64_t end = f->count == 0 ? 0 : f->items[f->count - 1].sequence + 1;
    bool more = false;
    TRY(queue_acknowledge(txn, q, state, 0, end, d->job.now_s, &marked, &more));
    uint64_t today = d->job.now_s / QUEUE_DAY_S;
    if (state->active_day < today) {
        state->active_day = today;
        changed = true;
    }
    return changed || marked ? queue_state_set(txn, q, state) : ERR_OK;
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
    struct fetched *f = calloc(1, sizeof *f);
    if (f == NULL)
        return ERR(NO_MEMORY);
    f->job = job;
    TRY_OR(queue_state_get(txn, job->q, row, &state), err, out);
    err = take(txn, (struct dequeue *)job, &state, f);
    if (err_is_ok(err)) {
        Hearth__V1__DequeueResponse out = HEARTH__V1__DEQUEUE_RESPONSE__INIT;
        out.n_items = f->count;
        out.items = f->list;
        uint64_t end = f->count == 0 ? state.acked_end : f->items[f->count - 1].sequence + 1;
        out.left = (uint32_t)(state.ratchet.sequence - end);
        err = queue_job_answer(job, &out.base);
    }
    queue_state_clear(&state);
out:
    bytes_wipe(f, sizeof *f); /* ME4 */
    free(f);
    return err;
}

enum hearth_code queue_dequeue(struct hearth_call *call, const Hearth__V1__DequeueRequest *in,
                               Hearth__V1__DequeueResponse *out, void *self)
{
    enum hearth_code code;
    (void)out;
    struct dequeue *d = queue_job_new(self, call, sizeof *d, &code);
    if (d == NULL)
        return code;
    arena_clear(&d->job.arena);
    arena_init(&d->job.arena, FETCH_BYTES + QUEUE_ITEM_MAX_BYTES + 64 * 1024);
    d->ack_up_to = in->ack_up_to;
    d->most = in->most == 0 || in->most > FETCH_ITEMS ? FETCH_ITEMS : in->most;
    d->job.cost = (uint32_t)(d->most < 16 ? d->most : 16);
    d->job.frees = true;
    d->job.effect = effect;
    return queue_job_run(&d->job);
}
