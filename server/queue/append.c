/* Appending to a queue and deleting from its front. */
#include "seal/pad.h"
#include "server/front/limit.h"
#include "server/queue/state.h"
#include "wire/writer.h"

/* Stores the sealed item that has the number `number`. */
static struct err store_item(struct store_txn *txn, struct queue_state *state, uint64_t number,
                             struct bytes sealed, uint64_t now_s)
{
    struct stmt *s = stmt_use(txn, SQL_ITEM_ADD);
    stmt_bind_u64(s, 1, queue_row_key(state->client, number));
    stmt_bind_u64(s, 2, now_s / QUEUE_DAY_S);
    stmt_bind_blob(s, 3, sealed);
    TRY(stmt_run(s, NULL));
    state->bytes += sealed.len;
    return ERR_OK;
}

struct err queue_refresh(struct store_txn *txn, const struct queue *q, struct queue_state *state,
                         struct bytes queue_key, uint64_t now_s)
{
    struct buf sealed = BUF_INIT;
    uint64_t number = state->ratchet.sequence;
    if (number >= QUEUE_SEQUENCE_MOST)
        return ERR(QUOTA);
    struct err err = queue_ratchet_refresh(&state->ratchet, q->env->rng, queue_key, &sealed);
    if (err_is_ok(err))
        err = store_item(txn, state, number, buf_view(&sealed), now_s);
    state->since_refresh = 0;
    state->refresh_hour = (uint32_t)(now_s / QUEUE_HOUR_S);
    buf_clear(&sealed);
    return err;
}

static bool refresh_due(const struct queue_state *state, uint64_t now_s)
{
    uint32_t hour = (uint32_t)(now_s / QUEUE_HOUR_S);
    return state->since_refresh >= QUEUE_REFRESH_ITEMS ||
           hour >= state->refresh_hour + QUEUE_REFRESH_HOURS;
}

static struct err refresh_if_due(struct store_txn *txn, const struct queue *q,
                                 struct queue_state *state, uint64_t now_s)
{
    if (!refresh_due(state, now_s))
        return ERR_OK;
    struct queue_client client; /* its key as it is now */
    TRY(queue_client_by_row(txn, q, state->client, &client));
    struct err err =
        queue_refresh(txn, q, state, bytes_of(client.queue_key, client.queue_key_len), now_s);
    queue_client_clear(&client);
    return err;
}

/* Room is the caller's matter. */
static struct err append(struct store_txn *txn, const struct queue *q, struct queue_state *state,
                         const struct queue_item *item, uint64_t now_s)
{
    TRY(refresh_if_due(txn, q, state, now_s));
    uint64_t number = state->ratchet.sequence;
    if (number >= QUEUE_SEQUENCE_MOST)
        return ERR(QUOTA);
    struct buf sealed = BUF_INIT;
    struct err err = queue_ratchet_seal(&state->ratchet, item, &sealed);
    if (err_is_ok(err))
        err = store_item(txn, state, number, buf_view(&sealed), now_s);
    state->since_refresh++;
    buf_clear(&sealed);
    return err;
}

/* The item that says what did not fit. */
static struct err append_gap(struct store_txn *txn, const struct queue *q,
                             struct queue_state *state, uint64_t now_s)
{
    struct buf body = BUF_INIT;
    wire_write_u64(&body, state->gap_items);
    wire_write_u64(&body, state->gap_bytes);
    struct queue_item item = {
        .kind = QUEUE_ITEM_GAP, .hour = (uint32_t)(now_s / QUEUE_HOUR_S), .body = buf_view(&body)};
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = append(txn, q, state, &item, now_s);
    buf_clear(&body);
    if (err_is_ok(err))
        state->gap_items = state->gap_bytes = 0;
    return err;
}

/* Is there room for that many more rows and bytes, as items of this sort count? */
static bool has_room(const struct queue *q, const struct queue_state *state, bool control,
                     uint64_t rows, uint64_t bytes)
{
    uint64_t items_most = limit_value(q->limits, LIMIT_QUEUE_ITEMS);
    uint64_t bytes_most = limit_value(q->limits, LIMIT_QUEUE_BYTES);
    if (!control) { /* the last tenth */
        items_most -= items_most / 10;
        bytes_most -= bytes_most / 10;
    }
    return state->ratchet.sequence - state->first + rows <= items_most &&
           state->bytes + bytes <= bytes_most;
}

/* What an item becomes, and a gap item before it, and refreshes: at most. */
static size_t sealed_bytes(size_t body)
{
    return pad_bucket_bytes(body + QUEUE_ITEM_HEAD_BYTES - PAD_HEAD_BYTES) +
           QUEUE_ITEM_OVERHEAD_BYTES;
}

bool queue_is_full(const struct queue *q, const struct queue_state *state)
{
    return !has_room(q, state, true, 1, sealed_bytes(0));
}

struct err queue_append(struct store_txn *txn, const struct queue *q, struct queue_state *state,
                        const struct queue_item *item, bool control, uint64_t now_s,
                        bool *ret_stored)
{
    if (item->body.len > QUEUE_BODY_MAX_BYTES)
        return ERR(TOO_LARGE);
    bool gap = state->gap_items != 0;
    uint64_t rows = 1 + (uint64_t)gap + (uint64_t)refresh_due(state, now_s);
    uint64_t bytes = sealed_bytes(item->body.len) + (rows - 1) * sealed_bytes(16);
    bool room = has_room(q, state, control, rows, bytes);
    if (!room) {
        state->gap_items++;
        state->gap_bytes += item->body.len;
    } else {
        if (gap)
            TRY(append_gap(txn, q, state, now_s));
        TRY(append(txn, q, state, item, now_s));
    }
    if (ret_stored != NULL)
        *ret_stored = room;
    return ERR_OK;
}

/* ---- the front */

static struct err map_length(struct stmt *row, void *arg)
{
    *(uint64_t *)arg += stmt_u64(row, 0);
    return stmt_row_check(row);
}

/* Deletes rows [first, end), at most QUEUE_DELETE_ROWS of them. */
static struct err delete_front(struct store_txn *txn, struct queue_state *state, uint64_t end)
{
    if (end - state->first > QUEUE_DELETE_ROWS)
        end = state->first + QUEUE_DELETE_ROWS;
    struct stmt *s = stmt_use(txn, SQL_ITEM_DELETE);
    stmt_bind_u64(s, 1, queue_row_key(state->client, state->first));
    stmt_bind_u64(s, 2, queue_row_key(state->client, end - 1));
    uint64_t bytes = 0;
    TRY(stmt_each(s, map_length, &bytes));
    state->first = end;
    state->bytes -= bytes < state->bytes ? bytes : state->bytes;
    return ERR_OK;
}

struct err queue_acknowledge(struct store_txn *txn, const struct queue *q,
                             struct queue_state *state, uint64_t up_to, uint64_t delivered_end,
                             uint64_t now_s, bool *ret_changed, bool *ret_more)
{
    bool changed = false;
    if (delivered_end > state->ratchet.sequence)
        delivered_end = state->ratchet.sequence;
    if (delivered_end > state->delivered_end) {
        state->delivered_end = delivered_end;
        changed = true;
    }
    uint64_t end = up_to < state->delivered_end ? up_to + 1 : state->delivered_end;
    /* 0 is "none" on the wire; item 0 goes with the first that is acknowledged after it */
    if (up_to != 0 && end > state->acked_end) {
        state->acked_end = end;
        changed = true;
    }
    if (state->first < state->acked_end) {
        TRY(delete_front(txn, state, state->acked_end));
        changed = true;
    }
    if (state->gap_items != 0 && has_room(q, state, false, 2, 2 * sealed_bytes(16))) {
        TRY(append_gap(txn, q, state, now_s));
        changed = true;
    }
    *ret_changed = changed;
    *ret_more = state->first < state->acked_end;
    return ERR_OK;
}
