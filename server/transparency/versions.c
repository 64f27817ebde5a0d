/* Versions and proofs: rows whose contents are sealed under the keeper's key.
 *
 *     version: struct { uint64 epoch; index[32]; proof[80]; opening[16]; commitment[32]; value }
 *     proof:   struct { index[32]; proof[80]; } */
#include "server/transparency/inside.h"

void kt_label_id(const struct kt_log *log, struct bytes label, uint8_t ret_id[AT_REST_ID_BYTES])
{
    at_rest_prf(log->ids_key, BYTES_LIST(bytes_str("label"), label), ret_id);
}

enum { AAD_MAX_BYTES = 64 };

static struct bytes aad_of(const char *what, const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                           uint8_t room[AAD_MAX_BYTES])
{
    struct buf b = {.data = room, .cap = AAD_MAX_BYTES, .limit = AAD_MAX_BYTES};
    buf_append_bytes(&b, bytes_str("kt "));
    buf_append_bytes(&b, bytes_str(what));
    buf_append(&b, id, AT_REST_ID_BYTES);
    wire_write_u32(&b, version);
    return buf_view(&b);
}

struct err kt_seal(const struct kt_log *log, const char *what, const uint8_t id[AT_REST_ID_BYTES],
                   uint32_t version, struct bytes plain, struct buf *b)
{
    uint8_t room[AAD_MAX_BYTES];
    return at_rest_seal(b, log->rows_key, log->rng, aad_of(what, id, version, room), plain);
}

struct err kt_open(const struct kt_log *log, const char *what, const uint8_t id[AT_REST_ID_BYTES],
                   uint32_t version, struct bytes sealed, struct buf *b)
{
    uint8_t room[AAD_MAX_BYTES];
    struct err err = at_rest_open(b, log->rows_key, aad_of(what, id, version, room), sealed);
    return err.code == ERR_CRYPTO_TAG ? ERR(TLOG_STORE) : err;
}

/* ---- versions */

static struct err version_parse(struct bytes plain, struct kt_version *row)
{
    struct wire_reader r = wire_reader_of(plain);
    row->pair.epoch = wire_read_u64(&r);
    tlog_read_into(&r, row->pair.index, INDEX_BYTES);
    tlog_read_into(&r, row->pair.proof, VRF_PROOF_BYTES);
    tlog_read_into(&r, row->opening, OPENING_BYTES);
    hash_value_read(&r, &row->pair.commitment);
    row->pair.exists = true;
    buf_append_bytes(&row->value, wire_read_fixed(&r, wire_reader_left(&r)));
    TRY(wire_reader_end(&r));
    return buf_check(&row->value);
}

/* One row on its way from the statement. */
struct opening_row {
    const struct kt_log *log;
    const uint8_t *id;
    uint32_t version;
    struct buf plain;
    const char *what;
};

static struct err map_sealed(struct stmt *row, void *arg)
{
    struct opening_row *o = arg;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    return kt_open(o->log, o->what, o->id, o->version, sealed, &o->plain);
}

static struct err row_get(const struct kt_log *log, struct store_txn *txn, unsigned statement,
                          const char *what, const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                          struct buf *plain)
{
    struct opening_row o = {.log = log, .id = id, .version = version, .what = what};
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
    stmt_bind_u64(s, 2, version);
    struct err err = stmt_first(s, map_sealed, &o);
    if (err_is_ok(err))
        *plain = o.plain;
    else
        buf_clear(&o.plain);
    return err;
}

struct err kt_version_get(const struct kt_log *log, struct store_txn *txn,
                          const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                          struct kt_version *ret_version)
{
    struct buf plain = BUF_INIT;
    struct kt_version row = {.pair = {.exists = false}};
    TRY(row_get(log, txn, VERSION_GET, "version", id, version, &plain));
    struct err err = version_parse(buf_view(&plain), &row);
    buf_clear(&plain);
    if (err_is_ok(err))
        *ret_version = row;
    else
        buf_clear(&row.value);
    return err;
}

static struct err put_sealed(const struct kt_log *log, struct store_txn *txn, unsigned statement,
                             const char *what, const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                             struct buf *plain)
{
    struct buf sealed = BUF_INIT;
    struct err err = buf_check(plain);
    if (err_is_ok(err))
        err = kt_seal(log, what, id, version, buf_view(plain), &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, statement);
        stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
        stmt_bind_u64(s, 2, version);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    buf_clear(plain);
    return err;
}

static struct err version_write(const struct kt_log *log, struct store_txn *txn, unsigned statement,
                                const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                const struct kt_version *row)
{
    struct buf plain = BUF_INIT;
    wire_write_u64(&plain, row->pair.epoch);
    buf_append(&plain, row->pair.index, INDEX_BYTES);
    buf_append(&plain, row->pair.proof, VRF_PROOF_BYTES);
    buf_append(&plain, row->opening, OPENING_BYTES);
    buf_append_bytes(&plain, hash_value_view(&row->pair.commitment));
    buf_append_bytes(&plain, buf_view(&row->value));
    return put_sealed(log, txn, statement, "version", id, version, &plain);
}

struct err kt_version_put(const struct kt_log *log, struct store_txn *txn,
                          const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                          const struct kt_version *row)
{
    return version_write(log, txn, VERSION_PUT, id, version, row);
}

struct err kt_version_replace(const struct kt_log *log, struct store_txn *txn,
                              const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                              const struct kt_version *row)
{
    return version_write(log, txn, VERSION_SET, id, version, row);
}

/* The rows come greatest first; the first that is old enough is the one. */
struct greatest {
    const struct kt_log *log;
    const uint8_t *id;
    uint64_t epoch;
    uint32_t version;
};

static struct err version_epoch(struct stmt *row, const struct greatest *g, uint32_t *ret_version,
                                uint64_t *ret_epoch)
{
    struct buf plain = BUF_INIT;
    uint64_t version = stmt_u64(row, 0);
    struct bytes sealed = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    if (version > LADDER_VERSION_MAX)
        return ERR(TLOG_STORE);
    struct err err = kt_open(g->log, "version", g->id, (uint32_t)version, sealed, &plain);
    struct wire_reader r = wire_reader_of(buf_view(&plain));
    if (err_is_ok(err)) {
        *ret_version = (uint32_t)version;
        *ret_epoch = wire_read_u64(&r);
        err = wire_reader_check(&r);
    }
    buf_clear(&plain);
    return err;
}

struct err kt_version_greatest(const struct kt_log *log, struct store_txn *txn,
                               const uint8_t id[AT_REST_ID_BYTES], uint64_t epoch,
                               uint32_t *ret_version)
{
    const struct greatest g = {.log = log, .id = id};
    struct stmt *s = stmt_use(txn, VERSION_LIST);
    stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
    for (;;) {
        bool row;
        uint32_t version;
        uint64_t added;
        TRY(stmt_step(s, &row));
        if (!row)
            break;
        TRY(version_epoch(s, &g, &version, &added));
        if (added <= epoch) {
            *ret_version = version;
            return ERR_OK;
        }
    }
    *ret_version = LADDER_NONE;
    return ERR_OK;
}

/* ---- proofs of what is absent */

struct err kt_proof_get(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                        const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                        struct kt_pair *ret_pair, bool *ret_kept)
{
    struct buf plain = BUF_INIT;
    struct kt_pair pair = {.exists = false};
    struct err err = row_get(log, txn, PROOF_GET, "proof", id, version, &plain);
    *ret_kept = err_is_ok(err);
    if (err_is_ok(err)) {
        struct wire_reader r = wire_reader_of(buf_view(&plain));
        tlog_read_into(&r, pair.index, INDEX_BYTES);
        tlog_read_into(&r, pair.proof, VRF_PROOF_BYTES);
        err = wire_reader_end(&r);
        buf_clear(&plain);
    } else if (err.code == ERR_NOT_FOUND) {
        err = tlog_index_prove(log->vrf, label, version, pair.proof, pair.index);
    }
    if (err_is_ok(err))
        *ret_pair = pair;
    return err;
}

static struct err proof_put(const struct kt_log *log, struct store_txn *txn,
                            const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                            const uint8_t index[INDEX_BYTES], const uint8_t proof[VRF_PROOF_BYTES])
{
    struct buf plain = BUF_INIT;
    buf_append(&plain, index, INDEX_BYTES);
    buf_append(&plain, proof, VRF_PROOF_BYTES);
    return put_sealed(log, txn, PROOF_PUT, "proof", id, version, &plain);
}

struct err kt_proofs_keep(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                          const uint8_t id[AT_REST_ID_BYTES], uint32_t version)
{
    struct version_ladder base;
    ladder_base(version, &base);
    for (size_t i = 0; i < base.count; i++) {
        struct kt_pair pair;
        bool kept;
        if (base.at[i] <= version)
            continue;
        TRY(kt_proof_get(log, txn, label, id, base.at[i], &pair, &kept));
        if (!kept)
            TRY(proof_put(log, txn, id, base.at[i], pair.index, pair.proof));
    }
    return ERR_OK;
}

/* ---- proofs made ahead */

static struct err proof_there(struct store_txn *txn, const uint8_t id[AT_REST_ID_BYTES],
                              uint32_t version, bool *ret_there)
{
    struct stmt *s = stmt_use(txn, PROOF_GET);
    stmt_bind_blob(s, 1, bytes_of(id, AT_REST_ID_BYTES));
    stmt_bind_u64(s, 2, version);
    return stmt_step(s, ret_there);
}

struct err kt_ready_make(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                         uint32_t version, struct kt_ready *ret_ready)
{
    uint8_t id[AT_REST_ID_BYTES];
    struct version_ladder base;
    kt_label_id(log, label, id);
    ladder_base(version, &base);
    ret_ready->count = 0;
    for (size_t i = 0; i < base.count; i++) {
        bool there;
        struct kt_ready_proof *to = &ret_ready->at[ret_ready->count];
        if (base.at[i] < version)
            continue;
        TRY(proof_there(txn, id, base.at[i], &there));
        if (there)
            continue;
        to->version = base.at[i];
        TRY(tlog_index_prove(log->vrf, label, to->version, to->proof, to->index));
        ret_ready->count++;
    }
    return ERR_OK;
}

struct err kt_ready_put(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                        const struct kt_ready *ready)
{
    uint8_t id[AT_REST_ID_BYTES];
    kt_label_id(log, label, id);
    for (size_t i = 0; i < ready->count; i++) {
        const struct kt_ready_proof *from = &ready->at[i];
        bool there;
        TRY(proof_there(txn, id, from->version, &there));
        if (!there)
            TRY(proof_put(log, txn, id, from->version, from->index, from->proof));
    }
    return ERR_OK;
}
