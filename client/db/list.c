/* Lists: rows numbered from 1, and the newest number of each list. */
#include "client/db/inside.h"

struct opened {
    struct db *db;
    struct db_place place;
    struct buf plain;
    struct bytes owner, value;
};

static struct err read_number(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err last_of(struct db_txn *t, const uint8_t *prf, uint64_t *ret_number)
{
    uint64_t number = 0;
    struct stmt *s = stmt_use(t->store, SQL_LAST_GET);
    stmt_bind_blob(s, 1, bytes_of(prf, DB_PRF_BYTES));
    struct err err = stmt_first(s, read_number, &number);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    *ret_number = number;
    return ERR_OK;
}

struct err db_append(struct db_txn *t, enum db_kind kind, struct bytes owner, struct bytes value,
                     uint64_t *ret_number)
{
    uint8_t prf[DB_PRF_BYTES];
    uint64_t number;
    value_prf(t->db, kind, owner, prf);
    TRY(last_of(t, prf, &number));
    number++;
    struct buf sealed = BUF_INIT;
    struct db_place place = {.kind = (uint32_t)kind, .prf = prf, .number = number};
    struct err err = value_seal(t->db, &place, owner, value, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(t->store, SQL_LIST_ADD);
        stmt_bind_blob(s, 1, bytes_of(prf, sizeof prf));
        stmt_bind_u64(s, 2, number);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    TRY(err);
    struct stmt *s = stmt_use(t->store, SQL_LAST_PUT);
    stmt_bind_blob(s, 1, bytes_of(prf, sizeof prf));
    stmt_bind_u64(s, 2, number);
    TRY(stmt_run(s, NULL));
    *ret_number = number;
    return ERR_OK;
}

struct err db_list_put(struct db_txn *t, enum db_kind kind, struct bytes owner, uint64_t number,
                       struct bytes value)
{
    uint8_t prf[DB_PRF_BYTES];
    uint64_t changed = 0;
    value_prf(t->db, kind, owner, prf);
    struct buf sealed = BUF_INIT;
    struct db_place place = {.kind = (uint32_t)kind, .prf = prf, .number = number};
    struct err err = value_seal(t->db, &place, owner, value, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(t->store, SQL_LIST_PUT);
        stmt_bind_blob(s, 1, buf_view(&sealed));
        stmt_bind_blob(s, 2, bytes_of(prf, sizeof prf));
        stmt_bind_u64(s, 3, number);
        err = stmt_run(s, &changed);
    }
    buf_clear(&sealed);
    TRY(err);
    return changed != 0 ? ERR_OK : ERR(NOT_FOUND);
}

static struct err open_value(struct stmt *row, void *arg)
{
    struct opened *o = arg;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    return value_open(o->db, &o->place, sealed, &o->plain, &o->owner, &o->value);
}

struct err db_list_get(struct db_txn *t, enum db_kind kind, struct bytes owner, uint64_t number,
                       struct buf *value)
{
    uint8_t prf[DB_PRF_BYTES];
    value_prf(t->db, kind, owner, prf);
    struct opened o = {.db = t->db,
                       .place = {.kind = (uint32_t)kind, .prf = prf, .number = number}};
    struct stmt *s = stmt_use(t->store, SQL_LIST_GET);
    stmt_bind_blob(s, 1, bytes_of(prf, sizeof prf));
    stmt_bind_u64(s, 2, number);
    struct err err = stmt_first(s, open_value, &o);
    if (err_is_ok(err)) {
        buf_append_bytes(value, o.value);
        err = buf_check(value);
    }
    buf_clear(&o.plain);
    return err;
}

struct err db_list_drop(struct db_txn *t, enum db_kind kind, struct bytes owner, uint64_t from,
                        uint64_t to)
{
    uint8_t prf[DB_PRF_BYTES];
    value_prf(t->db, kind, owner, prf);
    struct stmt *s = stmt_use(t->store, SQL_LIST_DROP);
    stmt_bind_blob(s, 1, bytes_of(prf, sizeof prf));
    stmt_bind_u64(s, 2, from);
    stmt_bind_u64(s, 3, to < INT64_MAX ? to : INT64_MAX);
    return stmt_run(s, NULL);
}

struct err db_list_last(struct db_txn *t, enum db_kind kind, struct bytes owner,
                        uint64_t *ret_number)
{
    uint8_t prf[DB_PRF_BYTES];
    value_prf(t->db, kind, owner, prf);
    return last_of(t, prf, ret_number);
}

static struct err open_next(struct stmt *row, void *arg)
{
    struct opened *o = arg;
    o->place.number = stmt_u64(row, 0);
    struct bytes sealed = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    return value_open(o->db, &o->place, sealed, &o->plain, &o->owner, &o->value);
}

struct err db_list_each(struct db_txn *t, enum db_kind kind, struct bytes owner, uint64_t from,
                        size_t most,
                        struct err (*fn)(void *arg, uint64_t number, struct bytes value), void *arg)
{
    uint8_t prf[DB_PRF_BYTES];
    value_prf(t->db, kind, owner, prf);
    struct opened o = {.db = t->db, .place = {.kind = (uint32_t)kind, .prf = prf}};
    struct err err = ERR_OK;
    for (size_t n = 0; err_is_ok(err) && (most == 0 || n < most); n++) {
        struct stmt *s = stmt_use(t->store, SQL_LIST_FROM);
        stmt_bind_blob(s, 1, bytes_of(prf, sizeof prf));
        stmt_bind_u64(s, 2, from);
        err = stmt_first(s, open_next, &o);
        if (err_is_ok(err)) {
            from = o.place.number + 1;
            err = fn(arg, o.place.number, o.value);
        } else if (err.code == ERR_NOT_FOUND) {
            err = ERR(CANCELLED);
        }
        buf_clear(&o.plain);
    }
    return err.code == ERR_CANCELLED ? ERR_OK : err;
}
