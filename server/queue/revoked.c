#include "server/queue/revoked.h"

#include "seal/pad.h"
#include "server/front/limit.h"

enum { LIST_LEAST_BYTES = 1024 };

struct loading {
    const struct queue *q;
    uint64_t user;
    struct buf padded;
};

static struct err map_list(struct stmt *row, void *arg)
{
    struct loading *l = arg;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    return queue_open_sealed(l->q, &l->padded, "queue_revoked", l->user, bytes_of(NULL, 0), sealed);
}

/* ids is a view into l->padded. */
static struct err load(struct store_txn *txn, struct loading *l, struct bytes *ret_ids)
{
    struct stmt *s = stmt_use(txn, SQL_REVOKED_GET);
    stmt_bind_u64(s, 1, l->user);
    struct err err = stmt_first(s, map_list, l);
    *ret_ids = bytes_of(NULL, 0);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    return pad_read(buf_view(&l->padded), ret_ids);
}

static bool has(struct bytes ids, const uint8_t *id)
{
    bool found = false;
    for (size_t i = 0; i + CONTACT_ID_BYTES <= ids.len; i += CONTACT_ID_BYTES)
        found |= bytes_equal_ct(bytes_of(ids.data + i, CONTACT_ID_BYTES),
                                bytes_of(id, CONTACT_ID_BYTES));
    return found;
}

static struct err store(struct store_txn *txn, const struct queue *q, uint64_t user,
                        struct bytes ids)
{
    struct buf padded = BUF_INIT, sealed = BUF_INIT;
    pad_write(&padded, ids, pad_padme_bytes(ids.len, LIST_LEAST_BYTES));
    struct err err = buf_check(&padded);
    if (err_is_ok(err))
        err = queue_seal(q, &sealed, "queue_revoked", user, bytes_of(NULL, 0), buf_view(&padded));
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, SQL_REVOKED_SET);
        stmt_bind_u64(s, 1, user);
        stmt_bind_blob(s, 2, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&padded);
    buf_clear(&sealed);
    return err;
}

struct err queue_revoke(struct store_txn *txn, const struct queue *q, uint64_t user,
                        struct bytes ids)
{
    struct loading l = {.q = q, .user = user};
    struct buf all = BUF_INIT;
    struct bytes old;
    struct err err;
    TRY_OR(load(txn, &l, &old), err, out);
    buf_append_bytes(&all, old);
    for (size_t i = 0; i + CONTACT_ID_BYTES <= ids.len; i += CONTACT_ID_BYTES)
        if (!has(buf_view(&all), ids.data + i))
            buf_append(&all, ids.data + i, CONTACT_ID_BYTES);
    TRY_OR(buf_check(&all), err, out);
    if (all.len / CONTACT_ID_BYTES > limit_value(q->limits, LIMIT_REVOKED_CONTACTS))
        err = ERR(QUOTA);
    else if (all.len != old.len)
        err = store(txn, q, user, buf_view(&all));
out:
    buf_clear(&all);
    buf_clear(&l.padded);
    return err;
}

struct err queue_revoked_forget(struct store_txn *txn, uint64_t user)
{
    struct stmt *s = stmt_use(txn, SQL_REVOKED_DELETE);
    stmt_bind_u64(s, 1, user);
    return stmt_run(s, NULL);
}

struct err queue_is_revoked(struct store_txn *txn, const struct queue *q, uint64_t user,
                            const uint8_t id[CONTACT_ID_BYTES], bool *ret_revoked)
{
    struct loading l = {.q = q, .user = user};
    struct bytes ids;
    struct err err = load(txn, &l, &ids);
    if (err_is_ok(err))
        *ret_revoked = has(ids, id);
    buf_clear(&l.padded);
    return err;
}
