/* What the log must not keep: values of labels that ended (transparency.md 4, 18). The tree and the
 * log keep indices and commitments, which say nothing without the openings; these, and the KeySets,
 * go. The last version of a label stays, or nobody could be shown that it ended: its KeySet is
 * empty, but for the label. */
#include "seal/key_set.h"
#include "server/transparency/inside.h"

enum { HOUR_MS = 3600000 };

/* An empty KeySet: the user, or the handle, was deleted. */
static bool ends(struct bytes label, struct bytes value)
{
    FILLED_LATER struct key_set set;
    if (label.data[0] != LABEL_USER && label.data[0] != LABEL_HANDLE)
        return false;
    return err_is_ok(key_set_parse(value, &set)) && set.client_count == 0;
}

struct err kt_ended(struct store_txn *txn, const uint8_t id[AT_REST_ID_BYTES], struct bytes label,
                    uint32_t version, struct bytes value, uint64_t now_ms)
{
    if (version == 0 || !ends(label, value))
        return ERR_OK;
    struct stmt *s = stmt_use(txn, ENDED_PUT);
    stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
    stmt_bind_u64(s, 2, version);
    /* in hours, or rows could be matched with the leaves of their epoch */
    stmt_bind_u64(s, 3, (now_ms + KT_ERASE_AFTER_MS) / HOUR_MS + 1);
    return stmt_run(s, NULL);
}

struct ended {
    uint8_t id[AT_REST_ID_BYTES];
    uint64_t version, next;
};

static struct err map_ended(struct stmt *row, void *arg)
{
    struct ended *e = arg;
    stmt_fixed(row, 0, e->id, AT_REST_ID_BYTES);
    e->version = stmt_u64(row, 1);
    e->next = stmt_u64(row, 2);
    return stmt_row_check(row);
}

static struct err erase_version(const struct kt_log *log, struct store_txn *txn,
                                const uint8_t id[AT_REST_ID_BYTES], uint32_t version)
{
    struct kt_version row;
    struct err err = kt_version_get(log, txn, id, version, &row);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    bytes_wipe(row.opening, sizeof row.opening);
    if (row.value.len > 0)
        bytes_wipe(row.value.data, row.value.len);
    row.value.len = 0;
    err = kt_version_replace(log, txn, id, version, &row);
    buf_clear(&row.value);
    return err;
}

struct err kt_log_erase(const struct kt_log *log, struct store_txn *txn, uint64_t now_ms,
                        bool *ret_more)
{
    enum { VERSIONS_MOST = 64 };
    struct ended e;
    struct stmt *s = stmt_use(txn, ENDED_DUE);
    stmt_bind_u64(s, 1, now_ms / HOUR_MS);
    struct err err = stmt_first(s, map_ended, &e);
    *ret_more = err_is_ok(err);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    uint64_t end = e.next + VERSIONS_MOST < e.version ? e.next + VERSIONS_MOST : e.version;
    for (uint64_t version = e.next; version < end; version++)
        TRY(erase_version(log, txn, e.id, (uint32_t)version));
    struct bytes id = bytes_of(e.id, AT_REST_ID_BYTES);
    if (end == e.version) {
        s = stmt_use(txn, ENDED_DROP);
        stmt_bind_blob(s, 1, id);
    } else {
        s = stmt_use(txn, ENDED_NEXT);
        stmt_bind_u64(s, 1, end);
        stmt_bind_blob(s, 2, id);
    }
    return stmt_run(s, NULL);
}
