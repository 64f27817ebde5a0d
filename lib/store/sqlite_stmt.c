/* SQLite as a driver: statements. */
#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite.h"

/* SQLite numbers named parameters by first use, PostgreSQL by name: both agree only on $1, $2, ...
 * in order. */
static bool parameters_in_order(sqlite3_stmt *handle)
{
    int count = sqlite3_bind_parameter_count(handle);
    for (int i = 1; i <= count; i++) {
        char want[16];
        (void)snprintf(want, sizeof want, "$%d", i);
        const char *name = sqlite3_bind_parameter_name(handle, i);
        if (name == NULL || strcmp(name, want) != 0)
            return false;
    }
    return true;
}

struct err sqlite_prepare(struct driver_conn *conn, const char *sql, struct driver_stmt **ret_stmt)
{
    sqlite3_stmt *handle;
    const char *rest;
    int code = sqlite3_prepare_v3(conn->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, &rest);
    if (code != SQLITE_OK)
        return sqlite_err(code);
    struct driver_stmt *stmt = NULL;
    struct err err = ERR(STORE_SQL);
    if (handle == NULL || rest[strspn(rest, " \n;")] != '\0' || !parameters_in_order(handle))
        goto fail;
    stmt = calloc(1, sizeof *stmt);
    if (stmt == NULL) {
        err = ERR(NO_MEMORY);
        goto fail;
    }
    stmt->conn = conn;
    stmt->handle = handle;
    *ret_stmt = stmt;
    return ERR_OK;
fail:
    (void)sqlite3_finalize(handle);
    return err;
}

void sqlite_finalize(struct driver_stmt *stmt)
{
    (void)sqlite3_finalize(stmt->handle);
    free(stmt);
}

void sqlite_reset(struct driver_stmt *stmt)
{
    (void)sqlite3_reset(stmt->handle);
    (void)sqlite3_clear_bindings(stmt->handle);
}

bool sqlite_reads_only(const struct driver_stmt *stmt)
{
    return sqlite3_stmt_readonly(stmt->handle) != 0;
}

struct err sqlite_bind_i64(struct driver_stmt *stmt, int index, int64_t value)
{
    return sqlite_err(sqlite3_bind_int64(stmt->handle, index, value));
}

/* A view without data is an empty value, never NULL. */
struct err sqlite_bind_blob(struct driver_stmt *stmt, int index, struct bytes value)
{
    return sqlite_err(sqlite3_bind_blob64(stmt->handle, index,
                                          value.len == 0 ? "" : (const void *)value.data, value.len,
                                          SQLITE_STATIC));
}

struct err sqlite_bind_text(struct driver_stmt *stmt, int index, struct bytes value)
{
    return sqlite_err(sqlite3_bind_text64(stmt->handle, index,
                                          value.len == 0 ? "" : (const char *)value.data, value.len,
                                          SQLITE_STATIC, SQLITE_UTF8));
}

struct err sqlite_bind_null(struct driver_stmt *stmt, int index)
{
    return sqlite_err(sqlite3_bind_null(stmt->handle, index));
}

struct err sqlite_step(struct driver_stmt *stmt, bool *ret_row)
{
    int code = sqlite3_step(stmt->handle);
    TRY(sqlite_err(code));
    *ret_row = code == SQLITE_ROW;
    return ERR_OK;
}

uint64_t sqlite_changes(const struct driver_stmt *stmt)
{
    return (uint64_t)sqlite3_changes64(stmt->conn->sqlite);
}

enum driver_column sqlite_column(const struct driver_stmt *stmt, int column)
{
    if (column < 0 || column >= sqlite3_data_count(stmt->handle))
        return DRIVER_OTHER;
    switch (sqlite3_column_type(stmt->handle, column)) {
    case SQLITE_NULL:
        return DRIVER_NULL;
    case SQLITE_INTEGER:
        return DRIVER_I64;
    case SQLITE_BLOB:
        return DRIVER_BLOB;
    case SQLITE_TEXT:
        return DRIVER_TEXT;
    default:
        return DRIVER_OTHER;
    }
}

int64_t sqlite_column_i64(const struct driver_stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->handle, column);
}

/* An empty blob has no address in SQLite, so NULL means out of memory only when there is a length.
 */
struct bytes sqlite_column_bytes(const struct driver_stmt *stmt, int column)
{
    const void *data = sqlite3_column_blob(stmt->handle, column);
    int len = sqlite3_column_bytes(stmt->handle, column);
    return bytes_of(data, data == NULL ? 0 : (size_t)len);
}
