#include "store/stmt.h"

#include "store/conn.h"

static void fail(struct stmt *s, struct err err)
{
    if (s->failure == ERR_NONE)
        s->failure = err.code;
}

struct stmt *stmt_use(struct store_txn *txn, unsigned index)
{
    struct conn *c = txn->conn;
    if (index >= c->stmt_count) {
        c->none.failure = ERR_ARGUMENT;
        return &c->none;
    }
    struct stmt *s = &c->stmts[index];
    s->driver->reset(s->handle);
    s->failure = ERR_NONE;
    s->has_row = false;
    s->txn = txn;
    if (!s->listed) {
        s->listed = true;
        s->next_used = txn->used;
        txn->used = s;
    }
    if (txn->failure != ERR_NONE)
        fail(s, (struct err){txn->failure});
    if (!txn->write && !s->driver->reads_only(s->handle))
        fail(s, ERR(WRONG_STATE));
    return s;
}

static bool may_bind(const struct stmt *s)
{
    return s->failure == ERR_NONE;
}

void stmt_bind_i64(struct stmt *s, int index, int64_t value)
{
    if (may_bind(s))
        fail(s, s->driver->bind_i64(s->handle, index, value));
}

void stmt_bind_u64(struct stmt *s, int index, uint64_t value)
{
    if (value > INT64_MAX)
        fail(s, ERR(STORE_RANGE));
    stmt_bind_i64(s, index, (int64_t)value);
}

void stmt_bind_blob(struct stmt *s, int index, struct bytes value)
{
    if (may_bind(s))
        fail(s, s->driver->bind_blob(s->handle, index, value));
}

void stmt_bind_text(struct stmt *s, int index, const char *value)
{
    if (may_bind(s))
        fail(s, s->driver->bind_text(s->handle, index, bytes_str(value)));
}

void stmt_bind_null(struct stmt *s, int index)
{
    if (may_bind(s))
        fail(s, s->driver->bind_null(s->handle, index));
}

struct err stmt_step(struct stmt *s, bool *ret_row)
{
    if (s->failure != ERR_NONE)
        return (struct err){s->failure};
    bool row = false;
    s->has_row = false;
    struct err err = s->driver->step(s->handle, &row);
    if (!err_is_ok(err)) {
        fail(s, err);
        if (s->txn->failure == ERR_NONE)
            s->txn->failure = err.code;
        return err;
    }
    s->has_row = row;
    *ret_row = row;
    return ERR_OK;
}

/* Gives back what a finished statement borrowed; SQLite would keep its snapshot open otherwise. */
static void finish(struct stmt *s)
{
    if (s->handle != NULL)
        s->driver->reset(s->handle);
    s->has_row = false;
}

struct err stmt_run(struct stmt *s, uint64_t *ret_changes)
{
    struct err err;
    bool row;
    do
        err = stmt_step(s, &row);
    while (err_is_ok(err) && row);
    if (err_is_ok(err) && ret_changes != NULL)
        *ret_changes = s->driver->changes(s->handle);
    finish(s);
    return err;
}

struct err stmt_first(struct stmt *s, stmt_map map, void *arg)
{
    bool row;
    struct err err = stmt_step(s, &row);
    if (err_is_ok(err))
        err = row ? map(s, arg) : ERR(NOT_FOUND);
    finish(s);
    return err;
}

struct err stmt_each(struct stmt *s, stmt_map map, void *arg)
{
    struct err err;
    bool row;
    for (;;) {
        err = stmt_step(s, &row);
        if (!err_is_ok(err) || !row)
            break;
        err = map(s, arg);
        if (!err_is_ok(err))
            break;
    }
    finish(s);
    return err;
}

static bool column_is(struct stmt *s, int column, enum driver_column want)
{
    if (s->failure != ERR_NONE)
        return false;
    if (!s->has_row || s->driver->column(s->handle, column) != want) {
        fail(s, ERR(STORE_TYPE));
        return false;
    }
    return true;
}

int64_t stmt_i64(struct stmt *s, int column)
{
    return column_is(s, column, DRIVER_I64) ? s->driver->column_i64(s->handle, column) : 0;
}

uint64_t stmt_u64(struct stmt *s, int column)
{
    int64_t value = stmt_i64(s, column);
    if (value < 0) {
        fail(s, ERR(STORE_TYPE));
        return 0;
    }
    return (uint64_t)value;
}

struct bytes stmt_blob(struct stmt *s, int column)
{
    return column_is(s, column, DRIVER_BLOB) ? s->driver->column_bytes(s->handle, column)
                                             : bytes_of(NULL, 0);
}

struct bytes stmt_text(struct stmt *s, int column)
{
    return column_is(s, column, DRIVER_TEXT) ? s->driver->column_bytes(s->handle, column)
                                             : bytes_of(NULL, 0);
}

void stmt_fixed(struct stmt *s, int column, void *out, size_t len)
{
    struct bytes value = stmt_blob(s, column);
    memset(out, 0, len);
    if (s->failure != ERR_NONE)
        return;
    if (value.len != len)
        fail(s, ERR(STORE_TYPE));
    else if (len != 0)
        memcpy(out, value.data, len);
}

bool stmt_is_null(struct stmt *s, int column)
{
    if (s->failure != ERR_NONE)
        return false;
    if (!s->has_row) {
        fail(s, ERR(STORE_TYPE));
        return false;
    }
    return s->driver->column(s->handle, column) == DRIVER_NULL;
}

struct err stmt_row_check(const struct stmt *s)
{
    return (struct err){s->failure};
}
