/* Records. */
#include "client/db/inside.h"

/* What a row mapper opens into. */
struct opened {
    struct db *db;
    struct db_place place;
    uint8_t prf[DB_PRF_BYTES];
    struct buf plain;
    struct bytes id, value;
};

static struct err open_value(struct stmt *row, void *arg)
{
    struct opened *o = arg;
    o->place.prf = o->prf;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    return value_open(o->db, &o->place, sealed, &o->plain, &o->id, &o->value);
}

struct err db_put(struct db_txn *t, enum db_kind kind, struct bytes id, struct bytes value)
{
    uint8_t prf[DB_PRF_BYTES];
    value_prf(t->db, kind, id, prf);
    struct buf sealed = BUF_INIT;
    struct err err = value_seal(t->db, &(struct db_place){.kind = (uint32_t)kind, .prf = prf}, id,
                                value, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(t->store, SQL_PUT);
        stmt_bind_u64(s, 1, (uint64_t)kind);
        stmt_bind_blob(s, 2, bytes_of(prf, sizeof prf));
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

struct err db_get(struct db_txn *t, enum db_kind kind, struct bytes id, struct buf *value)
{
    struct opened o = {.db = t->db, .place = {.kind = (uint32_t)kind}};
    value_prf(t->db, kind, id, o.prf);
    struct stmt *s = stmt_use(t->store, SQL_GET);
    stmt_bind_u64(s, 1, (uint64_t)kind);
    stmt_bind_blob(s, 2, bytes_of(o.prf, sizeof o.prf));
    struct err err = stmt_first(s, open_value, &o);
    if (err_is_ok(err)) {
        buf_append_bytes(value, o.value);
        err = buf_check(value);
    }
    buf_clear(&o.plain);
    return err;
}

struct err db_drop(struct db_txn *t, enum db_kind kind, struct bytes id)
{
    uint8_t prf[DB_PRF_BYTES];
    value_prf(t->db, kind, id, prf);
    struct stmt *s = stmt_use(t->store, SQL_DROP);
    stmt_bind_u64(s, 1, (uint64_t)kind);
    stmt_bind_blob(s, 2, bytes_of(prf, sizeof prf));
    return stmt_run(s, NULL);
}

static struct err open_next(struct stmt *row, void *arg)
{
    struct opened *o = arg;
    stmt_fixed(row, 0, o->prf, sizeof o->prf);
    struct bytes sealed = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    o->place.prf = o->prf;
    return value_open(o->db, &o->place, sealed, &o->plain, &o->id, &o->value);
}

/* A query per row: no statement is under way while fn runs, so that it may do what it likes. */
struct err db_each(struct db_txn *t, enum db_kind kind,
                   struct err (*fn)(void *arg, struct bytes id, struct bytes value), void *arg)
{
    struct opened o = {.db = t->db, .place = {.kind = (uint32_t)kind}};
    size_t after = 0;
    struct err err;
    do {
        uint8_t last[DB_PRF_BYTES];
        memcpy(last, o.prf, sizeof last);
        struct stmt *s = stmt_use(t->store, SQL_AFTER);
        stmt_bind_u64(s, 1, (uint64_t)kind);
        stmt_bind_blob(s, 2, bytes_of(last, after));
        err = stmt_first(s, open_next, &o);
        after = sizeof last;
        if (err_is_ok(err))
            err = fn(arg, o.id, o.value);
        else if (err.code == ERR_NOT_FOUND)
            err = ERR(CANCELLED);
        buf_clear(&o.plain);
    } while (err_is_ok(err));
    return err.code == ERR_CANCELLED ? ERR_OK : err;
}
