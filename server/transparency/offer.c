/* What waits for an epoch. A waiting row holds label and value: struct { opaque label<1..2^8-1>;
 * opaque value<0..2^32-1>; }. */
#include "server/transparency/inside.h"

/* Is the row of a table this very value? ERR_NOT_FOUND when there is no row. */
struct waiting_row {
    const struct kt_log *log;
    const uint8_t *id;
    uint32_t version;
    struct bytes value;
};

static struct err map_waiting(struct stmt *row, void *arg)
{
    const struct waiting_row *w = arg;
    struct buf plain = BUF_INIT;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    struct err err = kt_open(w->log, "queue", w->id, w->version, sealed, &plain);
    if (err_is_ok(err)) {
        struct wire_reader r = wire_reader_of(buf_view(&plain));
        (void)tlog_read_name(&r);
        if (!bytes_equal(tlog_read_vector32(&r, TLOG_VALUE_MAX_BYTES), w->value))
            err = ERR(AUTH_LABEL_VERSION);
    }
    buf_clear(&plain);
    return err;
}

static struct err check_waiting(const struct kt_log *log, struct store_txn *txn,
                                const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                struct bytes value)
{
    struct waiting_row w = {log, id, version, value};
    struct stmt *s = stmt_use(txn, QUEUE_GET);
    stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
    stmt_bind_u64(s, 2, version);
    return stmt_first(s, map_waiting, &w);
}

/* Is it in the log already, with this value? */
static struct err check_logged(const struct kt_log *log, struct store_txn *txn,
                               const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                               struct bytes value, uint64_t *ret_epoch)
{
    struct kt_version row;
    TRY(kt_version_get(log, txn, id, version, &row));
    bool same = bytes_equal(buf_view(&row.value), value);
    *ret_epoch = row.pair.epoch;
    buf_clear(&row.value);
    return same ? ERR_OK : ERR(AUTH_LABEL_VERSION);
}

struct err kt_log_has(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                      uint32_t version, struct bytes value)
{
    uint8_t id[AT_REST_ID_BYTES];
    uint64_t epoch;
    if (label.len == 0 || label.len > LABEL_MAX_BYTES || version > LADDER_VERSION_MAX)
        return ERR(ARGUMENT);
    kt_label_id(log, label, id);
    return check_logged(log, txn, id, version, value, &epoch);
}

/* It follows what is in the log, or what waits; or the label's versions before are older than the
 * log. */
static struct err check_next(const struct kt_log *log, struct store_txn *txn,
                             const uint8_t id[AT_REST_ID_BYTES], uint32_t version)
{
    struct stmt *s;
    bool row;
    uint32_t greatest;
    TRY(kt_version_greatest(log, txn, id, UINT64_MAX, &greatest));
    if (version == (greatest == LADDER_NONE ? 0 : greatest + 1))
        return ERR_OK;
    if (version == 0)
        return ERR(AUTH_LABEL_VERSION);
    s = stmt_use(txn, QUEUE_GET);
    stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
    stmt_bind_u64(s, 2, version - 1);
    TRY(stmt_step(s, &row));
    if (row)
        return ERR_OK;
    if (greatest != LADDER_NONE || version > KT_LOST_MOST)
        return ERR(AUTH_LABEL_VERSION);
    s = stmt_use(txn, QUEUE_LABEL);
    stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
    TRY(stmt_step(s, &row));
    return row ? ERR(AUTH_LABEL_VERSION) : ERR_OK;
}

static struct err put_waiting(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                              const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                              struct bytes value)
{
    struct buf plain = BUF_INIT, sealed = BUF_INIT;
    wire_write_vector8(&plain, label);
    tlog_write_vector32(&plain, value);
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = kt_seal(log, "queue", id, version, buf_view(&plain), &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, QUEUE_PUT);
        stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
        stmt_bind_u64(s, 2, version);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&plain);
    buf_clear(&sealed);
    return err;
}

struct err kt_log_offer(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                        uint32_t version, struct bytes value, uint64_t *ret_epoch)
{
    uint8_t id[AT_REST_ID_BYTES];
    uint64_t epoch = 0;
    if (label.len == 0 || label.len > LABEL_MAX_BYTES || version > LADDER_VERSION_MAX)
        return ERR(ARGUMENT);
    if (value.len > TLOG_VALUE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    kt_label_id(log, label, id);
    struct err err = check_logged(log, txn, id, version, value, &epoch);
    if (err.code == ERR_NOT_FOUND)
        err = check_waiting(log, txn, id, version, value);
    if (err.code == ERR_NOT_FOUND) {
        TRY(check_next(log, txn, id, version));
        err = put_waiting(log, txn, label, id, version, value);
    }
    if (err_is_ok(err))
        *ret_epoch = epoch;
    return err;
}

struct err kt_log_waiting(struct store_txn *txn, bool *ret_any)
{
    return stmt_step(stmt_use(txn, QUEUE_ANY), ret_any);
}
