/* Epochs and checkpoints: the rules of kt_log.h. */
#include <stdlib.h>

#include "server/transparency/inside.h"

/* ---- rows */

static struct err map_newest(struct stmt *row, void *arg)
{
    struct kt_newest *newest = arg;
    newest->epoch = stmt_u64(row, 0);
    newest->ms = stmt_u64(row, 1);
    return stmt_row_check(row);
}

struct err kt_newest(struct store_txn *txn, struct kt_newest *ret_newest)
{
    *ret_newest = (struct kt_newest){.epoch = 0};
    struct err err = stmt_first(stmt_use(txn, EPOCH_NEWEST), map_newest, ret_newest);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err map_entry(struct stmt *row, void *arg)
{
    struct log_entry *entry = arg;
    entry->timestamp = stmt_u64(row, 0);
    stmt_fixed(row, 1, entry->prefix_root.data, HASH_VALUE_BYTES);
    return stmt_row_check(row);
}

struct err kt_entry(struct store_txn *txn, uint64_t epoch, struct log_entry *ret_entry)
{
    struct stmt *s = stmt_use(txn, EPOCH_GET);
    stmt_bind_u64(s, 1, epoch);
    return stmt_first(s, map_entry, ret_entry);
}

/* ---- start */

struct err kt_log_start(const struct kt_log *log, struct store_txn *txn)
{
    struct buf config = BUF_INIT;
    struct hash_value leaf, stored;
    struct kt_newest newest;
    struct log_store hashes = kt_hashes(txn);
    kt_config_write(&config, &log->config);
    struct err err = buf_check(&config);
    if (err_is_ok(err))
        log_leaf_hash(buf_view(&config), &leaf);
    buf_clear(&config);
    TRY(err);
    TRY(kt_newest(txn, &newest));
    err = hashes.get(hashes.self, 0, 0, &stored);
    if (err.code == ERR_TLOG_STORE && newest.epoch == 0)
        return log_append(&hashes, 0, &leaf);
    TRY(err);
    if (hash_value_equal(&leaf, &stored))
        return ERR_OK;
    if (newest.epoch > 0)
        return ERR(WRONG_STATE);
    TRY(stmt_run(stmt_use(txn, HASH_CLEAR), NULL)); /* nothing stands on it yet */
    return log_append(&hashes, 0, &leaf);
}

struct err kt_log_check_outside(const struct kt_log *log, struct store_txn *txn, struct bytes note)
{
    struct note_key key;
    struct checkpoint c;
    struct kt_newest newest;
    struct hash_value root;
    struct log_store hashes = kt_hashes(txn);
    TRY(kt_config_log_key(&log->config, &key));
    TRY(checkpoint_open(note, &key, &c));
    TRY(kt_newest(txn, &newest));
    if (c.size > newest.epoch + 1)
        return ERR(TLOG_SHRUNK);
    TRY(log_root(&hashes, c.size, &root));
    return hash_value_equal(&root, &c.root) ? ERR_OK : ERR(TLOG_FORK);
}

/* ---- closing */

struct err kt_log_due(const struct kt_log *log, struct store_txn *txn, uint64_t now_ms,
                      uint64_t every_ms, uint64_t heartbeat_ms, bool *ret_due)
{
    struct kt_newest newest;
    bool waiting;
    TRY(kt_newest(txn, &newest));
    TRY(kt_log_waiting(txn, &waiting));
    uint64_t age_ms = now_ms > newest.ms ? now_ms - newest.ms : 0;
    *ret_due = newest.epoch == 0 || (waiting && age_ms >= every_ms) || age_ms >= heartbeat_ms ||
               (age_ms > 0 && kt_window(&log->config, now_ms) > kt_window(&log->config, newest.ms));
    return ERR_OK;
}

/* What an epoch takes in: bounded by rows and by bytes. */
enum { EPOCH_MOST_BYTES = 16 * 1024 * 1024 };

struct taken {
    uint8_t id[AT_REST_ID_BYTES];
    uint32_t version;
    struct buf sealed;
};

struct epoch {
    const struct kt_log *log;
    struct store_txn *txn;
    uint64_t number, ms;
    struct taken *taken;
    size_t count;
    size_t bytes;
    struct prefix_leaf *leaves; /* of what was taken, and of versions from before the log */
    size_t leaf_count;
};

enum { LEAVES_MOST = KT_EPOCH_MOST + KT_LOST_MOST };

static void epoch_clear(struct epoch *e)
{
    for (size_t i = 0; i < e->count; i++)
        buf_clear(&e->taken[i].sealed);
    free(e->taken);
    free(e->leaves);
}

static struct err take_one(struct stmt *row, void *arg)
{
    struct epoch *e = arg;
    struct taken *t = &e->taken[e->count];
    if (e->count == KT_EPOCH_MOST || e->bytes > EPOCH_MOST_BYTES)
        return ERR_OK;
    stmt_fixed(row, 0, t->id, AT_REST_ID_BYTES);
    uint64_t version = stmt_u64(row, 1);
    struct bytes sealed = stmt_blob(row, 2);
    TRY(stmt_row_check(row));
    if (version > LADDER_VERSION_MAX)
        return ERR(TLOG_STORE);
    t->version = (uint32_t)version;
    t->sealed = BUF_INIT;
    buf_append_bytes(&t->sealed, sealed);
    e->count++;
    e->bytes += sealed.len;
    return buf_check(&t->sealed);
}

static struct err take(struct epoch *e)
{
    e->taken = calloc(KT_EPOCH_MOST, sizeof *e->taken);
    e->leaves = calloc(LEAVES_MOST, sizeof *e->leaves);
    if (e->taken == NULL || e->leaves == NULL)
        return ERR(NO_MEMORY);
    struct stmt *s = stmt_use(e->txn, QUEUE_TAKE);
    stmt_bind_u64(s, 1, KT_EPOCH_MOST);
    return stmt_each(s, take_one, e);
}

static struct err drop(struct store_txn *txn, unsigned statement,
                       const uint8_t id[AT_REST_ID_BYTES], uint32_t version)
{
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
    stmt_bind_u64(s, 2, version);
    return stmt_run(s, NULL);
}

/* A new version: index, opening, commitment, and its leaf. */
static struct err add_version(struct epoch *e, const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                              struct bytes label, struct bytes value)
{
    struct kt_version row = {.pair = {.exists = false}};
    bool kept;
    if (e->leaf_count == LEAVES_MOST)
        return ERR(TLOG_STORE);
    TRY(kt_proof_get(e->log, e->txn, label, id, version, &row.pair, &kept));
    TRY(rng_fill(e->log->rng, row.opening, OPENING_BYTES));
    row.pair.exists = true;
    row.pair.epoch = e->number;
    tlog_commit(row.opening, label, version, value, &row.pair.commitment);
    buf_append_bytes(&row.value, value);
    struct err err = buf_check(&row.value);
    if (err_is_ok(err))
        err = kt_version_put(e->log, e->txn, id, version, &row);
    buf_clear(&row.value);
    TRY(err);
    if (kept)
        TRY(drop(e->txn, PROOF_DROP, id, version));
    struct prefix_leaf *leaf = &e->leaves[e->leaf_count++];
    memcpy(leaf->index, row.pair.index, INDEX_BYTES);
    memcpy(leaf->commitment, row.pair.commitment.data, HASH_VALUE_BYTES);
    return ERR_OK;
}

/* A waiting row becomes a version, with the proofs of what stands above it in its ladder. Versions
 * of its label from before the log become empty ones; where there is no room for them it goes on
 * waiting. */
static struct err add_waiting(struct epoch *e, size_t i, struct bytes label, struct bytes value)
{
    const struct taken *t = &e->taken[i];
    uint32_t greatest;
    TRY(kt_version_greatest(e->log, e->txn, t->id, UINT64_MAX, &greatest));
    uint32_t first = greatest == LADDER_NONE ? 0 : t->version;
    if (LEAVES_MOST - e->leaf_count < t->version - first + e->count - i)
        return ERR_OK;
    for (uint32_t lost = first; lost < t->version; lost++)
        TRY(add_version(e, t->id, lost, label, bytes_of(NULL, 0)));
    TRY(add_version(e, t->id, t->version, label, value));
    TRY(kt_ended(e->txn, t->id, label, t->version, value, e->ms));
    TRY(drop(e->txn, QUEUE_DROP, t->id, t->version));
    return kt_proofs_keep(e->log, e->txn, label, t->id, t->version);
}

static struct err add_taken(struct epoch *e, size_t i)
{
    const struct taken *t = &e->taken[i];
    struct buf plain = BUF_INIT;
    struct err err = kt_open(e->log, "queue", t->id, t->version, buf_view(&t->sealed), &plain);
    if (err_is_ok(err)) {
        struct wire_reader r = wire_reader_of(buf_view(&plain));
        struct bytes label = tlog_read_name(&r);
        struct bytes value = tlog_read_vector32(&r, TLOG_VALUE_MAX_BYTES);
        err = wire_reader_end(&r);
        if (err_is_ok(err))
            err = add_waiting(e, i, label, value);
    }
    buf_clear(&plain);
    return err;
}

/* The entry: its tree, its place in the log, its row. */
static struct err append(struct epoch *e, uint64_t ms, bool distinguished)
{
    struct kt_log_at at = {e->log, e->txn, e->number};
    struct prefix_store nodes = kt_nodes(&at);
    struct log_store hashes = kt_hashes(e->txn);
    struct log_entry entry = {.timestamp = ms};
    struct hash_value leaf;
    TRY(prefix_insert(&nodes, e->leaves, e->leaf_count, &entry.prefix_root));
    log_entry_hash(&entry, &leaf);
    TRY(log_append(&hashes, e->number, &leaf));
    struct stmt *s = stmt_use(e->txn, EPOCH_PUT);
    stmt_bind_u64(s, 1, e->number);
    stmt_bind_u64(s, 2, ms);
    stmt_bind_blob(s, 3, hash_value_view(&entry.prefix_root));
    stmt_bind_u64(s, 4, distinguished);
    return stmt_run(s, NULL);
}

struct err kt_log_close(const struct kt_log *log, struct store_txn *txn, uint64_t now_ms,
                        uint64_t *ret_epoch)
{
    struct kt_newest newest;
    TRY(kt_newest(txn, &newest));
    uint64_t ms = now_ms > newest.ms ? now_ms : newest.ms;
    bool distinguished =
        newest.epoch == 0 || kt_window(&log->config, ms) > kt_window(&log->config, newest.ms);
    struct epoch e = {.log = log, .txn = txn, .number = newest.epoch + 1, .ms = ms};
    struct err err = take(&e);
    for (size_t i = 0; i < e.count && err_is_ok(err); i++)
        err = add_taken(&e, i);
    if (err_is_ok(err))
        err = append(&e, ms, distinguished);
    epoch_clear(&e);
    if (err_is_ok(err))
        *ret_epoch = e.number;
    return err;
}

/* ---- signing */

static struct err map_root(struct stmt *row, void *arg)
{
    struct hash_value *root = arg;
    stmt_fixed(row, 0, root->data, HASH_VALUE_BYTES);
    return stmt_row_check(row);
}

static struct err make_note(const struct kt_log *log, const struct checkpoint *c, struct buf *note)
{
    struct buf text = BUF_INIT;
    struct signature signature;
    struct note_key key;
    checkpoint_write(&text, c);
    struct err err = buf_check(&text);
    if (err_is_ok(err))
        err = kt_config_log_key(&log->config, &key);
    if (err_is_ok(err))
        err = log->sign(log->sign_self, buf_view(&text), &signature);
    if (err_is_ok(err))
        err = note_write(note, buf_view(&text), &key, signature_view(&signature));
    buf_clear(&text);
    /* nothing is published that clients would refuse */
    struct checkpoint again;
    return err_is_ok(err) ? checkpoint_open(buf_view(note), &key, &again) : err;
}

struct err kt_log_sign(const struct kt_log *log, struct store_txn *txn)
{
    struct kt_newest newest;
    struct checkpoint c = {.origin = kt_config_origin(&log->config)};
    struct hash_value signed_root;
    struct log_store hashes = kt_hashes(txn);
    TRY(kt_newest(txn, &newest));
    if (newest.epoch == 0)
        return ERR_OK;
    c.size = newest.epoch + 1;
    TRY(log_root(&hashes, c.size, &c.root));
    struct stmt *s = stmt_use(txn, CHECKPOINT_GET);
    stmt_bind_u64(s, 1, c.size);
    struct err err = stmt_first(s, map_root, &signed_root);
    if (err_is_ok(err))
        return hash_value_equal(&signed_root, &c.root) ? ERR_OK : ERR(TLOG_FORK);
    if (err.code != ERR_NOT_FOUND)
        return err;
    struct buf note = BUF_INIT;
    err = make_note(log, &c, &note);
    if (err_is_ok(err) && log->keep != NULL)
        err = log->keep(log->keep_self, buf_view(&note));
    if (err_is_ok(err)) {
        s = stmt_use(txn, CHECKPOINT_PUT);
        stmt_bind_u64(s, 1, c.size);
        stmt_bind_blob(s, 2, hash_value_view(&c.root));
        stmt_bind_blob(s, 3, buf_view(&note));
        err = stmt_run(s, NULL);
    }
    buf_clear(&note);
    return err;
}

struct err kt_log_signed(struct store_txn *txn, bool *ret_signed)
{
    struct kt_newest newest;
    struct hash_value root;
    TRY(kt_newest(txn, &newest));
    struct stmt *s = stmt_use(txn, CHECKPOINT_GET);
    stmt_bind_u64(s, 1, newest.epoch + 1);
    struct err err = stmt_first(s, map_root, &root);
    *ret_signed = err_is_ok(err) || newest.epoch == 0;
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}
