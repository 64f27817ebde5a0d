/* The log behind the callbacks of lib/tlog/prove.h. */
#include "server/transparency/inside.h"

static struct err source_tree(void *self, uint64_t epoch, struct prefix_store *ret_store)
{
    struct kt_log_at *at = self;
    if (epoch == 0)
        return ERR(NOT_FOUND);
    TRY(kt_tree_kept(at->txn, epoch));
    at->epoch = epoch;
    *ret_store = kt_nodes(at);
    ret_store->put = NULL;
    return ERR_OK;
}

static struct err source_entry(void *self, uint64_t epoch, struct log_entry *ret_entry)
{
    const struct kt_log_at *at = self;
    return kt_entry(at->txn, epoch, ret_entry);
}

static struct err map_u64(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err source_dist(void *self, uint64_t epoch, uint64_t *ret_epoch)
{
    const struct kt_log_at *at = self;
    struct stmt *s = stmt_use(at->txn, EPOCH_DIST);
    stmt_bind_u64(s, 1, epoch);
    return stmt_first(s, map_u64, ret_epoch);
}

static struct err source_next_dist(void *self, uint64_t epoch, uint64_t last, uint64_t *ret_epoch)
{
    const struct kt_log_at *at = self;
    struct stmt *s = stmt_use(at->txn, EPOCH_NEXT_DIST);
    stmt_bind_u64(s, 1, epoch);
    stmt_bind_u64(s, 2, last);
    *ret_epoch = 0;
    struct err err = stmt_first(s, map_u64, ret_epoch);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err source_greatest(void *self, struct bytes label, uint64_t epoch,
                                  uint32_t *ret_version)
{
    const struct kt_log_at *at = self;
    uint8_t id[AT_REST_ID_BYTES];
    kt_label_id(at->log, label, id);
    return kt_version_greatest(at->log, at->txn, id, epoch, ret_version);
}

static struct err source_pair(void *self, struct bytes label, uint32_t version,
                              struct kt_pair *ret_pair)
{
    const struct kt_log_at *at = self;
    uint8_t id[AT_REST_ID_BYTES];
    struct kt_version row;
    bool kept;
    kt_label_id(at->log, label, id);
    struct err err = kt_version_get(at->log, at->txn, id, version, &row);
    if (err.code == ERR_NOT_FOUND)
        return kt_proof_get(at->log, at->txn, label, id, version, ret_pair, &kept);
    TRY(err);
    *ret_pair = row.pair;
    buf_clear(&row.value);
    return ERR_OK;
}

static struct err source_open(void *self, struct bytes label, uint32_t version,
                              uint8_t ret_opening[OPENING_BYTES], struct buf *value)
{
    const struct kt_log_at *at = self;
    uint8_t id[AT_REST_ID_BYTES];
    struct kt_version row;
    kt_label_id(at->log, label, id);
    TRY(kt_version_get(at->log, at->txn, id, version, &row));
    memcpy(ret_opening, row.opening, OPENING_BYTES);
    buf_append_bytes(value, buf_view(&row.value));
    buf_clear(&row.value);
    return buf_check(value);
}

struct newest_note {
    struct buf *note;
    uint64_t size;
};

static struct err map_note(struct stmt *row, void *arg)
{
    struct newest_note *n = arg;
    n->size = stmt_u64(row, 0);
    struct bytes note = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    buf_append_bytes(n->note, note);
    return buf_check(n->note);
}

static struct err source_checkpoint(void *self, struct buf *note, uint64_t *ret_size)
{
    const struct kt_log_at *at = self;
    struct newest_note n = {.note = note};
    TRY(stmt_first(stmt_use(at->txn, CHECKPOINT_NEWEST), map_note, &n));
    *ret_size = n.size;
    return ERR_OK;
}

struct kt_source kt_log_source(const struct kt_log *log, struct store_txn *txn,
                               struct kt_log_at *ret_at)
{
    *ret_at = (struct kt_log_at){.log = log, .txn = txn};
    struct log_store hashes = kt_hashes(txn);
    hashes.put = NULL;
    return (struct kt_source){
        .self = ret_at,
        .config = &log->config,
        .log = hashes,
        .tree = source_tree,
        .entry = source_entry,
        .dist = source_dist,
        .next_dist = source_next_dist,
        .greatest = source_greatest,
        .pair = source_pair,
        .open = source_open,
        .checkpoint = source_checkpoint,
    };
}
