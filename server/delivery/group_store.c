#include "server/delivery/group_store.h"

#include "seal/at_rest.h"
#include "seal/pad.h"
#include "server/delivery/group_lock.h"

/* Smaller states all look alike: a group of a few. */
enum { STATE_LEAST_BYTES = 8192 };

static void row_id(const struct delivery *d, struct bytes group_id, uint8_t ret_id[ROW_ID_BYTES])
{
    at_rest_prf(d->ids_key, BYTES_LIST(bytes_str("group"), group_id), ret_id);
}

static struct bytes id_view(const uint8_t id[ROW_ID_BYTES])
{
    return bytes_of(id, ROW_ID_BYTES);
}

void sealed_group_clear(struct sealed_group *sealed)
{
    buf_clear(&sealed->lock);
    buf_clear(&sealed->sealed);
}

/* Under the limit: room for the largest padding of what is estimated, so that nothing moves. */
static struct err write_state(const struct delivery *d, const struct group_state *state,
                              struct buf *sealed, struct at_rest_mark *ret_mark)
{
    size_t padded = pad_padme_bytes(group_state_bytes(state), STATE_LEAST_BYTES);
    buf_reserve(sealed, padded + AT_REST_OVERHEAD_BYTES);
    TRY(at_rest_begin(sealed, d->env.rng, ret_mark));
    size_t mark = pad_begin(sealed);
    group_state_write(sealed, state);
    TRY(buf_check(sealed));
    size_t len = pad_content_bytes(sealed, mark);
    if (len > delivery_limit(d, LIMIT_GROUP_STATE_BYTES))
        return ERR(TOO_LARGE);
    pad_end(sealed, mark, pad_padme_bytes(len, STATE_LEAST_BYTES));
    return buf_check(sealed);
}

static struct err seal(const struct delivery *d, struct bytes group_id,
                       const uint8_t state_key[STATE_KEY_BYTES], uint64_t version,
                       const struct group_state *state, struct buf *aad, struct sealed_group *out)
{
    struct at_rest_mark mark;
    TRY(group_lock_seal(d, "group-lock", group_id, state_key, version, &out->lock));
    TRY(group_aad_write(aad, "group-state", group_id, version));
    TRY(write_state(d, state, &out->sealed, &mark));
    return at_rest_end(&out->sealed, mark, state_key, buf_view(aad));
}

struct err group_seal(const struct delivery *d, struct bytes group_id,
                      const uint8_t state_key[STATE_KEY_BYTES], uint64_t version,
                      const struct group_state *state, struct sealed_group *ret_sealed)
{
    struct buf aad = BUF_INIT;
    struct sealed_group sealed = {0};
    struct err err = seal(d, group_id, state_key, version, state, &aad, &sealed);
    buf_clear(&aad);
    if (!err_is_ok(err)) {
        sealed_group_clear(&sealed);
        return err;
    }
    *ret_sealed = sealed;
    return ERR_OK;
}

static struct err open_state(struct bytes group_id, const uint8_t state_key[STATE_KEY_BYTES],
                             uint64_t version, struct bytes sealed, struct buf *plain)
{
    struct bytes content;
    struct buf aad = BUF_INIT;
    struct err err = group_aad_write(&aad, "group-state", group_id, version);
    if (err_is_ok(err) && !err_is_ok(at_rest_open(plain, state_key, buf_view(&aad), sealed)))
        err = buf_check(plain).code == ERR_NO_MEMORY ? ERR(NO_MEMORY) : ERR(DELIVERY_STATE);
    buf_clear(&aad);
    TRY(err);
    TRY(buf_check(plain));
    if (!err_is_ok(pad_read(buf_view(plain), &content)))
        return ERR(DELIVERY_STATE);
    /* the content comes first and its length is before it: drop both ends */
    size_t len = content.len;
    buf_drop_front(plain, (size_t)(content.data - plain->data));
    plain->len = len;
    return ERR_OK;
}

/* In a statement of its own: SQLite reads all columns of a row at once, and reading the state takes
 * a time that would tell who has no key that there is such a group, and how large it is (P5). */
static struct err load_state(struct store_txn *txn, const uint8_t id[ROW_ID_BYTES],
                             struct bytes group_id, const uint8_t state_key[STATE_KEY_BYTES],
                             uint64_t version, struct buf *plain)
{
    bool found = false;
    struct stmt *s = stmt_use(txn, GROUP_LOAD);
    stmt_bind_blob(s, 1, id_view(id));
    TRY(stmt_step(s, &found));
    if (!found)
        return ERR(DELIVERY_STATE); /* within one snapshot: it was there */
    struct bytes sealed = stmt_blob(s, 0);
    TRY(stmt_row_check(s));
    return open_state(group_id, state_key, version, sealed, plain);
}

struct err group_store_load(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                            const uint8_t state_key[STATE_KEY_BYTES], struct buf *plain,
                            uint64_t *ret_version)
{
    uint8_t id[ROW_ID_BYTES];
    bool found = false;
    row_id(d, group_id, id);
    /* the row with this id or the next one, so that there always is one, and looking takes alike */
    struct stmt *s = stmt_use(txn, GROUP_LOCK);
    stmt_bind_blob(s, 1, id_view(id));
    TRY(stmt_step(s, &found));
    if (!found)
        return ERR(DELIVERY_STATE); /* not even the last, see group_store_ready() */
    uint64_t version = stmt_u64(s, 0);
    struct bytes lock = stmt_blob(s, 1);
    bool ours = bytes_equal(stmt_blob(s, 2), id_view(id));
    TRY(stmt_row_check(s));
    TRY(group_lock_open("group-lock", group_id, state_key, version, lock));
    if (!ours)
        return ERR(NOT_FOUND); /* the lock has said so: it is bound to its group */
    TRY(load_state(txn, id, group_id, state_key, version, plain));
    *ret_version = version;
    return ERR_OK;
}

struct err group_store_ready(struct store_txn *txn, void *unused)
{
    static const uint8_t no_lock[AT_REST_OVERHEAD_BYTES];
    uint8_t last[ROW_ID_BYTES];
    (void)unused;
    memset(last, 0xff, sizeof last);
    struct stmt *s = stmt_use(txn, GROUP_INSERT);
    stmt_bind_blob(s, 1, id_view(last));
    stmt_bind_u64(s, 2, 0);
    stmt_bind_u64(s, 3, INT64_MAX); /* never expires */
    stmt_bind_blob(s, 4, bytes_of(no_lock, sizeof no_lock));
    stmt_bind_blob(s, 5, bytes_of(no_lock, sizeof no_lock));
    return stmt_run(s, NULL);
}

static struct err map_version(struct stmt *row, void *arg)
{
    uint64_t *version = arg;
    *version = stmt_u64(row, 0);
    return stmt_row_check(row);
}

struct err group_store_expect(struct store_txn *txn, const struct delivery *d,
                              struct bytes group_id, uint64_t version)
{
    uint8_t id[ROW_ID_BYTES];
    uint64_t now = 0;
    if (delivery_off(d, DELIVERY_NO_VERSION))
        return ERR_OK;
    row_id(d, group_id, id);
    struct stmt *s = stmt_use(txn, GROUP_VERSION);
    stmt_bind_blob(s, 1, id_view(id));
    struct err err = stmt_first(s, map_version, &now);
    if (err.code == ERR_NOT_FOUND)
        return ERR(DELIVERY_CHANGED);
    TRY(err);
    return now == version ? ERR_OK : ERR(DELIVERY_CHANGED);
}

/* F4: a group without a commit goes. Rounded up, since months are coarse. */
static uint64_t expires_month(const struct delivery *d, uint64_t now_s)
{
    return month_of(now_s) + delivery_limit(d, LIMIT_GROUP_IDLE_DAYS) / MONTH_DAYS + 1;
}

struct err group_store_insert(struct store_txn *txn, const struct delivery *d,
                              struct bytes group_id, const struct sealed_group *sealed,
                              uint64_t now_s)
{
    uint8_t id[ROW_ID_BYTES];
    uint64_t changes = 0;
    row_id(d, group_id, id);
    struct stmt *s = stmt_use(txn, GROUP_INSERT);
    stmt_bind_blob(s, 1, id_view(id));
    stmt_bind_u64(s, 2, 1);
    stmt_bind_u64(s, 3, expires_month(d, now_s));
    stmt_bind_blob(s, 4, buf_view(&sealed->lock));
    stmt_bind_blob(s, 5, buf_view(&sealed->sealed));
    TRY(stmt_run(s, &changes));
    return changes == 1 ? ERR_OK : ERR(DELIVERY_EXISTS);
}

struct err group_store_replace(struct store_txn *txn, const struct delivery *d,
                               struct bytes group_id, uint64_t version,
                               const struct sealed_group *sealed, uint64_t now_s)
{
    uint8_t id[ROW_ID_BYTES];
    uint64_t changes = 0;
    bool force = delivery_off(d, DELIVERY_NO_VERSION);
    row_id(d, group_id, id);
    struct stmt *s = stmt_use(txn, force ? GROUP_FORCE : GROUP_REPLACE);
    stmt_bind_u64(s, 1, version + 1);
    stmt_bind_u64(s, 2, expires_month(d, now_s));
    stmt_bind_blob(s, 3, buf_view(&sealed->lock));
    stmt_bind_blob(s, 4, buf_view(&sealed->sealed));
    stmt_bind_blob(s, 5, id_view(id));
    if (!force)
        stmt_bind_u64(s, 6, version);
    TRY(stmt_run(s, &changes));
    return changes == 1 ? ERR_OK : ERR(DELIVERY_CHANGED);
}

struct err group_store_delete(struct store_txn *txn, const struct delivery *d,
                              struct bytes group_id, uint64_t version)
{
    uint8_t id[ROW_ID_BYTES];
    uint64_t changes = 0;
    row_id(d, group_id, id);
    struct stmt *s = stmt_use(txn, GROUP_DELETE);
    stmt_bind_blob(s, 1, id_view(id));
    stmt_bind_u64(s, 2, version);
    TRY(stmt_run(s, &changes));
    return changes == 1 ? ERR_OK : ERR(DELIVERY_CHANGED);
}
