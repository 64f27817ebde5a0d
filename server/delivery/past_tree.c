#include "server/delivery/past_tree.h"

#include "seal/at_rest.h"
#include "seal/pad.h"
#include "server/delivery/group_lock.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { PAST_LEAST_BYTES = 8192, JOINS_LEAST_BYTES = 512 };

static void row_id(const struct delivery *d, struct bytes group_id, uint64_t epoch,
                   uint8_t ret_id[ROW_ID_BYTES])
{
    uint8_t number[8];
    for (int i = 0; i < 8; i++)
        number[i] = (uint8_t)(epoch >> (56 - 8 * i));
    at_rest_prf(d->ids_key,
                BYTES_LIST(bytes_str("past"), group_id, bytes_of(number, sizeof number)), ret_id);
}

void past_tree_clear(struct past_tree *past)
{
    buf_clear(&past->tree);
    buf_clear(&past->joins);
    buf_clear(&past->lock);
}

static struct err seal_padded(const struct delivery *d, const uint8_t state_key[STATE_KEY_BYTES],
                              const char *what, struct bytes group_id, uint64_t epoch,
                              struct bytes plain, size_t least, struct buf *sealed)
{
    struct buf aad = BUF_INIT;
    struct at_rest_mark mark;
    size_t padded = pad_padme_bytes(plain.len, least);
    TRY(group_aad_write(&aad, what, group_id, epoch));
    buf_reserve(sealed, padded + AT_REST_OVERHEAD_BYTES);
    struct err err = at_rest_begin(sealed, d->env.rng, &mark);
    if (err_is_ok(err)) {
        pad_write(sealed, plain, padded);
        err = at_rest_end(sealed, mark, state_key, buf_view(&aad));
    }
    buf_clear(&aad);
    return err;
}

/* Appends to plain; ret_content is a view into it. */
static struct err open_padded(const uint8_t state_key[STATE_KEY_BYTES], const char *what,
                              struct bytes group_id, uint64_t epoch, struct bytes sealed,
                              struct buf *plain, struct bytes *ret_content)
{
    struct buf aad = BUF_INIT;
    struct err err = group_aad_write(&aad, what, group_id, epoch);
    if (err_is_ok(err))
        err = at_rest_open(plain, state_key, buf_view(&aad), sealed);
    buf_clear(&aad);
    TRY(err);
    TRY(buf_check(plain));
    return pad_read(buf_view(plain), ret_content);
}

struct err past_tree_seal(const struct delivery *d, struct bytes group_id,
                          const uint8_t state_key[STATE_KEY_BYTES], uint64_t epoch,
                          struct bytes answer, const struct joiner *joiners, size_t count,
                          struct past_tree *ret_past)
{
    struct past_tree past = {.epoch = epoch};
    struct buf joins = BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        wire_write_vector(&joins, joiners[i].ref);
        wire_write_vector(&joins, joiners[i].signature_key);
        wire_write_u8(&joins, 0);
    }
    struct err err = buf_check(&joins);
    if (err_is_ok(err))
        err = seal_padded(d, state_key, "past-joins", group_id, epoch, buf_view(&joins),
                          JOINS_LEAST_BYTES, &past.joins);
    if (err_is_ok(err))
        err = group_lock_seal(d, "past-lock", group_id, state_key, epoch, &past.lock);
    if (err_is_ok(err))
        err = seal_padded(d, state_key, "past-tree", group_id, epoch, answer, PAST_LEAST_BYTES,
                          &past.tree);
    buf_clear(&joins);
    if (!err_is_ok(err)) {
        past_tree_clear(&past);
        return err;
    }
    *ret_past = past;
    return ERR_OK;
}

static struct stmt *keep(struct store_txn *txn, unsigned statement, const uint8_t id[ROW_ID_BYTES],
                         uint64_t expires_day, struct bytes sealed)
{
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_blob(s, 1, bytes_of(id, ROW_ID_BYTES));
    stmt_bind_u64(s, 2, expires_day);
    stmt_bind_blob(s, 3, sealed);
    return s;
}

struct err past_tree_ready(struct store_txn *txn, void *unused)
{
    static const uint8_t no_lock[AT_REST_OVERHEAD_BYTES];
    uint8_t last[ROW_ID_BYTES];
    (void)unused;
    memset(last, 0xff, sizeof last);
    struct stmt *s = keep(txn, PAST_JOIN_KEEP, last, INT64_MAX, bytes_of(no_lock, sizeof no_lock));
    stmt_bind_blob(s, 4, bytes_of(no_lock, sizeof no_lock));
    return stmt_run(s, NULL);
}

struct err past_tree_keep(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                          const struct past_tree *past, uint64_t now_s)
{
    uint8_t id[ROW_ID_BYTES];
    /* as long as the Welcome may lie in a queue */
    uint64_t day = now_s / DAY_S + delivery_limit(d, LIMIT_QUEUE_DAYS) + 1;
    row_id(d, group_id, past->epoch, id);
    struct stmt *s = keep(txn, PAST_JOIN_KEEP, id, day, buf_view(&past->joins));
    stmt_bind_blob(s, 4, buf_view(&past->lock));
    TRY(stmt_run(s, NULL));
    return stmt_run(keep(txn, PAST_TREE_KEEP, id, day, buf_view(&past->tree)), NULL);
}

static struct err drop(struct store_txn *txn, unsigned statement, const uint8_t id[ROW_ID_BYTES])
{
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_blob(s, 1, bytes_of(id, ROW_ID_BYTES));
    return stmt_run(s, NULL);
}

struct err past_tree_drop(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                          uint64_t epoch)
{
    uint8_t id[ROW_ID_BYTES];
    row_id(d, group_id, epoch, id);
    TRY(drop(txn, PAST_JOIN_DROP, id));
    return drop(txn, PAST_TREE_DROP, id);
}

static struct err load_row(struct store_txn *txn, unsigned statement,
                           const uint8_t id[ROW_ID_BYTES], struct stmt **ret_row, bool *ret_found)
{
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_blob(s, 1, bytes_of(id, ROW_ID_BYTES));
    *ret_row = s;
    return stmt_step(s, ret_found);
}

/* Is there such a row, and does the key open it? The lock of the next row is tried where there is
 * none, as in group_store.c. Rows of before there were locks have none. */
static struct err try_lock(struct store_txn *txn, const uint8_t id[ROW_ID_BYTES],
                           struct bytes group_id, const uint8_t state_key[STATE_KEY_BYTES],
                           uint64_t epoch)
{
    static const uint8_t no_lock[AT_REST_OVERHEAD_BYTES];
    struct stmt *s;
    bool found = false;
    TRY(load_row(txn, PAST_JOIN_LOCK, id, &s, &found));
    if (!found)
        return ERR(DELIVERY_STATE); /* not even the last, see past_tree_ready() */
    bool locked = !stmt_is_null(s, 0);
    struct bytes lock = locked ? stmt_blob(s, 0) : bytes_of(no_lock, sizeof no_lock);
    bool ours = bytes_equal(stmt_blob(s, 1), bytes_of(id, ROW_ID_BYTES));
    TRY(stmt_row_check(s));
    if (ours && !locked)
        return ERR_OK;
    TRY(group_lock_open("past-lock", group_id, state_key, epoch, lock));
    return ours ? ERR_OK : ERR(NOT_FOUND);
}

/* Opens the list of joiners; its lock is tried first (P5). */
static struct err load_joins(struct store_txn *txn, const uint8_t id[ROW_ID_BYTES],
                             struct bytes group_id, const uint8_t state_key[STATE_KEY_BYTES],
                             uint64_t epoch, struct buf *plain, struct bytes *ret_joins,
                             uint64_t *ret_day)
{
    struct stmt *s;
    bool found = false;
    TRY(try_lock(txn, id, group_id, state_key, epoch));
    TRY(load_row(txn, PAST_JOIN_LOAD, id, &s, &found));
    if (!found)
        return ERR(NOT_FOUND);
    *ret_day = stmt_u64(s, 0);
    struct bytes sealed = stmt_blob(s, 1);
    TRY(stmt_row_check(s));
    struct err err =
        open_padded(state_key, "past-joins", group_id, epoch, sealed, plain, ret_joins);
    return err.code == ERR_CRYPTO_TAG ? ERR(NOT_FOUND) : err;
}

static struct err find_joiner(struct bytes joins, struct bytes ref, struct public_key *ret_key)
{
    struct wire_reader r = wire_reader_of(joins);
    while (wire_reader_more(&r)) {
        struct bytes at = wire_read_vector(&r);
        struct bytes key = wire_read_vector(&r);
        (void)wire_read_u8(&r);
        if (!bytes_equal(at, ref))
            continue;
        if (key.len > PUBLIC_KEY_MAX_BYTES)
            return ERR(DELIVERY_STATE);
        memcpy(ret_key->data, key.data, key.len);
        ret_key->len = key.len;
        return ERR_OK;
    }
    return err_is_ok(wire_reader_end(&r)) ? ERR(NOT_FOUND) : ERR(DELIVERY_STATE);
}

struct err past_tree_load(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                          const uint8_t state_key[STATE_KEY_BYTES], uint64_t epoch,
                          struct bytes ref, struct buf *answer, struct public_key *ret_key)
{
    uint8_t id[ROW_ID_BYTES];
    uint64_t day;
    struct bytes joins;
    struct buf plain = BUF_INIT;
    row_id(d, group_id, epoch, id);
    struct err err = load_joins(txn, id, group_id, state_key, epoch, &plain, &joins, &day);
    if (err_is_ok(err))
        err = find_joiner(joins, ref, ret_key);
    buf_clear(&plain);
    TRY(err);
    struct stmt *s;
    struct bytes tree;
    bool found = false;
    TRY(load_row(txn, PAST_TREE_LOAD, id, &s, &found));
    if (!found)
        return ERR(NOT_FOUND);
    err = open_padded(state_key, "past-tree", group_id, epoch, stmt_blob(s, 0), &plain, &tree);
    if (err_is_ok(err))
        buf_append_bytes(answer, tree);
    buf_clear(&plain);
    TRY(err);
    return buf_check(answer);
}

/* The list with ref's mark set; *ret_all: every mark is. */
static struct err mark(struct bytes joins, struct bytes ref, struct buf *out, bool *ret_all)
{
    struct wire_reader r = wire_reader_of(joins);
    *ret_all = true;
    while (wire_reader_more(&r)) {
        struct bytes at = wire_read_vector(&r);
        struct bytes key = wire_read_vector(&r);
        uint8_t fetched = wire_read_u8(&r);
        if (bytes_equal(at, ref))
            fetched = 1;
        if (fetched == 0)
            *ret_all = false;
        wire_write_vector(out, at);
        wire_write_vector(out, key);
        wire_write_u8(out, fetched);
    }
    TRY(wire_reader_end(&r));
    return buf_check(out);
}

static struct err write_mark(struct store_txn *txn, const uint8_t id[ROW_ID_BYTES], uint64_t day,
                             bool shorten, struct bytes sealed)
{
    struct stmt *s = stmt_use(txn, PAST_JOIN_MARK);
    stmt_bind_u64(s, 1, day);
    stmt_bind_blob(s, 2, sealed);
    stmt_bind_blob(s, 3, bytes_of(id, ROW_ID_BYTES));
    TRY(stmt_run(s, NULL));
    if (!shorten)
        return ERR_OK;
    s = stmt_use(txn, PAST_TREE_SHORTEN);
    stmt_bind_u64(s, 1, day);
    stmt_bind_blob(s, 2, bytes_of(id, ROW_ID_BYTES));
    return stmt_run(s, NULL);
}

struct err past_tree_fetched(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                             const uint8_t state_key[STATE_KEY_BYTES], uint64_t epoch,
                             struct bytes ref, uint64_t now_s)
{
    uint8_t id[ROW_ID_BYTES];
    uint64_t day = 0;
    bool all = false;
    struct bytes joins;
    struct buf plain = BUF_INIT;
    struct buf marked = BUF_INIT;
    struct buf sealed = BUF_INIT;
    row_id(d, group_id, epoch, id);
    struct err err = load_joins(txn, id, group_id, state_key, epoch, &plain, &joins, &day);
    if (err_is_ok(err))
        err = mark(joins, ref, &marked, &all);
    if (err_is_ok(err))
        err = seal_padded(d, state_key, "past-joins", group_id, epoch, buf_view(&marked),
                          JOINS_LEAST_BYTES, &sealed);
    if (all && day > now_s / DAY_S + 1)
        day = now_s / DAY_S + 1;
    if (err_is_ok(err))
        err = write_mark(txn, id, day, all, buf_view(&sealed));
    buf_clear(&plain);
    buf_clear(&marked);
    buf_clear(&sealed);
    return err;
}
