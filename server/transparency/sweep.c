/* What trees of long ago leave behind (transparency.md 14): a node that another one has taken the
 * place of, when no tree that is kept has it any more. All trees of the last KT_KEEP_MS are, of
 * every epoch and not of distinguished ones alone: receipts are proved from their version's epoch,
 * and who repeats a call asks for his late.
 *
 * Nodes that an epoch has put hang together from the root down, since each of its leaves changes
 * the whole path. So epoch after epoch is walked, following only what it has put, and where it has
 * put a node, those of before are removed: no index tells what is old, and none has to be written
 * when epochs are closed. What one step removes lies left of `place`; the next one goes on from
 * there.
 */
#include "server/transparency/inside.h"

/* More than the longest path, which the next piece has to walk again. */
enum { NODES_MOST = 1024 };

struct swept {
    uint64_t epoch; /* 0: nothing was removed yet */
    bool done;      /* with this epoch's */
    uint8_t place[INDEX_BYTES];
};

static struct err map_swept(struct stmt *row, void *arg)
{
    struct swept *s = arg;
    s->epoch = stmt_u64(row, 0);
    struct bytes place = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    s->done = place.len == 0;
    if (!s->done && place.len != INDEX_BYTES)
        return ERR(TLOG_STORE);
    if (!s->done)
        memcpy(s->place, place.data, INDEX_BYTES);
    return ERR_OK;
}

static struct err swept_get(struct store_txn *txn, struct swept *ret_swept)
{
    *ret_swept = (struct swept){.done = true};
    struct err err = stmt_first(stmt_use(txn, SWEPT_GET), map_swept, ret_swept);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err swept_put(struct store_txn *txn, const struct swept *swept)
{
    struct stmt *s = stmt_use(txn, SWEPT_PUT);
    stmt_bind_u64(s, 1, swept->epoch);
    stmt_bind_blob(s, 2, bytes_of(swept->place, swept->done ? 0 : INDEX_BYTES));
    return stmt_run(s, NULL);
}

struct err kt_tree_kept(struct store_txn *txn, uint64_t epoch)
{
    struct swept swept;
    TRY(swept_get(txn, &swept));
    return epoch < swept.epoch ? ERR(TLOG_GONE) : ERR_OK;
}

/* ---- from which epoch on trees are kept */

/* 0: from the first one on. Of what is signed alone: proofs are made of that. */
static struct err first_kept(const struct kt_log *log, struct store_txn *txn, uint64_t keep_ms,
                             uint64_t *ret_epoch)
{
    struct kt_log_at at;
    struct kt_source source = kt_log_source(log, txn, &at);
    struct log_entry entry;
    uint64_t size, from = 0;
    *ret_epoch = 0;
    struct err err = kt_signed_size(&source, &size);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    TRY(kt_entry(txn, size - 1, &entry));
    if (entry.timestamp < keep_ms)
        return ERR_OK;
    const uint64_t until = entry.timestamp - keep_ms;
    for (uint64_t to = size - 1; from < to;) { /* the last entry that is not later than until */
        const uint64_t middle = to - (to - from) / 2;
        TRY(kt_entry(txn, middle, &entry));
        if (entry.timestamp <= until)
            from = middle;
        else
            to = middle - 1;
    }
    return from == 0 ? ERR_OK : source.dist(source.self, from, ret_epoch);
}

struct err kt_log_sweep_due(const struct kt_log *log, struct store_txn *txn, uint64_t keep_ms,
                            bool *ret_due)
{
    struct swept swept;
    uint64_t first;
    TRY(swept_get(txn, &swept));
    TRY(first_kept(log, txn, keep_ms, &first));
    *ret_due = !swept.done || swept.epoch < first;
    return ERR_OK;
}

/* ---- the walk */

struct walk {
    struct store_txn *txn;
    struct swept *swept;
    unsigned left; /* nodes that may still be looked at */
    bool stopped;  /* swept->place is where the next piece begins */
};

struct born {
    uint64_t epoch, kind;
};

static struct err map_born(struct stmt *row, void *arg)
{
    struct born *born = arg;
    born->epoch = stmt_u64(row, 0);
    born->kind = stmt_u64(row, 1);
    return stmt_row_check(row);
}

/* All that is below it lies left of the place. */
static bool is_past(const struct prefix_position *at, const uint8_t place[INDEX_BYTES])
{
    for (unsigned i = 0; i < at->depth; i++) {
        const unsigned here = prefix_bit(at->bits, i), there = prefix_bit(place, i);
        if (here != there)
            return here < there;
    }
    return false;
}

/* Goes one bit deeper each time, 256 deep at most. */
static struct err walk_at(struct walk *w, const struct prefix_position *at)
{
    uint8_t room[KT_POS_MAX_BYTES];
    struct born born = {0, PREFIX_EMPTY};
    if (at->depth > UINT8_MAX || w->stopped || is_past(at, w->swept->place))
        return ERR_OK;
    if (w->left == 0) {
        w->stopped = true;
        memcpy(w->swept->place, at->bits, INDEX_BYTES);
        return ERR_OK;
    }
    w->left--;
    const struct bytes pos = kt_pos(at, room);
    struct stmt *s = stmt_use(w->txn, NODE_BORN);
    stmt_bind_blob(s, 1, pos);
    stmt_bind_u64(s, 2, w->swept->epoch);
    struct err err = stmt_first(s, map_born, &born);
    if (err.code == ERR_NOT_FOUND || (err_is_ok(err) && born.epoch < w->swept->epoch))
        return ERR_OK; /* it has put nothing here */
    TRY(err);
    s = stmt_use(w->txn, NODE_DROP);
    stmt_bind_blob(s, 1, pos);
    stmt_bind_u64(s, 2, w->swept->epoch);
    TRY(stmt_run(s, NULL));
    for (unsigned side = 0; side < 2 && born.kind == PREFIX_PARENT; side++) {
        struct prefix_position child = *at;
        if (side)
            child.bits[at->depth / 8] |= (uint8_t)(0x80 >> at->depth % 8);
        child.depth++;
        TRY(walk_at(w, &child));
    }
    return ERR_OK;
}

struct err kt_log_sweep(const struct kt_log *log, struct store_txn *txn, uint64_t keep_ms,
                        bool *ret_more)
{
    const struct prefix_position root = {0};
    struct swept swept;
    uint64_t first;
    struct walk w = {.txn = txn, .swept = &swept, .left = NODES_MOST};
    TRY(swept_get(txn, &swept));
    TRY(first_kept(log, txn, keep_ms, &first));
    if (swept.done && swept.epoch >= first) {
        *ret_more = false;
        return ERR_OK;
    }
    while (w.left > 0 && !w.stopped && (!swept.done || swept.epoch < first)) {
        if (swept.done) {
            swept.epoch++;
            memset(swept.place, 0, sizeof swept.place);
        }
        TRY(walk_at(&w, &root));
        swept.done = !w.stopped;
    }
    *ret_more = !swept.done || swept.epoch < first;
    return swept_put(txn, &swept);
}
