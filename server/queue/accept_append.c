/* The transaction of accepting: rows of one client together, its state read and written once. */
#include "server/front/limit.h"
#include "server/queue/accept.h"
#include "server/queue/state.h"

/* The tag as it is now; may it take this row? Outcome 0: yes. */
static enum queue_outcome tag_outcome(const struct accept *a, const struct accept_row *row,
                                      const struct queue_tag *tag, const struct queue_state *state)
{
    if (tag->blocked)
        return QUEUE_OK; /* who is blocked does not learn it */
    if (!tag->used)
        return tag->stored || state->tags < limit_value(a->q->limits, LIMIT_QUEUE_TAGS)
                   ? (enum queue_outcome)0
                   : QUEUE_REFUSED;
    if (!bytes_equal_ct(bytes_of(tag->origin, sizeof tag->origin),
                        bytes_of(a->origin, sizeof a->origin)))
        return QUEUE_REFUSED;
    return row->in->sequence <= tag->last ? QUEUE_OK : (enum queue_outcome)0;
}

static struct err append_row(struct store_txn *txn, struct accept *a, struct accept_row *row,
                             struct queue_state *state, bool *ret_changed)
{
    struct queue_tag tag;
    TRY(queue_tag_get(txn, a->q, row->client, row->tag.id, &tag));
    row->outcome = tag_outcome(a, row, &tag, state);
    if (row->outcome != 0)
        return ERR_OK;
    struct queue_item item = {.kind = QUEUE_ITEM_DELIVERY,
                              .hour = (uint32_t)(a->now_s / QUEUE_HOUR_S),
                              .body = row->in->payload};
    memcpy(item.tag, row->raw_tag, sizeof item.tag);
    struct err err =
        queue_append(txn, a->q, state, &item, row->in->control, a->now_s, &row->stored);
    if (err.code == ERR_TOO_LARGE || err.code == ERR_QUOTA) {
        row->outcome = QUEUE_REFUSED;
        return ERR_OK;
    }
    TRY(err);
    *ret_changed = true;
    state->tags += !tag.stored;
    tag.used = true;
    tag.last = row->in->sequence;
    memcpy(tag.origin, a->origin, sizeof tag.origin);
    memcpy(tag.print, row->tag.print, sizeof tag.print);
    TRY(queue_tag_set(txn, a->q, row->client, &tag, a->now_s));
    row->outcome = QUEUE_OK;
    return ERR_OK;
}

/* Rows [from, to) are one client's. */
static struct err append_client(struct store_txn *txn, struct accept *a, size_t from, size_t to)
{
    struct queue_state state = {0};
    struct err err = queue_state_get(txn, a->q, a->rows[from].client, &state);
    if (err.code == ERR_NOT_FOUND) { /* deleted since the check */
        for (size_t i = from; i < to; i++)
            a->rows[i].outcome = QUEUE_GONE;
        return ERR_OK;
    }
    bool changed = false;
    for (size_t i = from; i < to && err_is_ok(err); i++)
        if (a->rows[i].outcome == 0)
            err = append_row(txn, a, &a->rows[i], &state, &changed);
    if (err_is_ok(err) && changed)
        err = queue_state_set(txn, a->q, &state);
    queue_state_clear(&state);
    return err;
}

struct err accept_append(struct store_txn *txn, struct accept *a)
{
    size_t from = a->chunk_from;
    while (from < a->chunk_to) {
        size_t to = from + 1;
        while (to < a->chunk_to && a->rows[to].client == a->rows[from].client)
            to++;
        if (a->rows[from].client != 0)
            TRY(append_client(txn, a, from, to));
        from = to;
    }
    return ERR_OK;
}
