/* SQLite as a driver: copies of a database in use. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/sqlite.h"

/* One step copies everything under one snapshot, so that writers need not wait and nothing starts
 * again. The copy leaves WAL mode: it is one file, whole without companions. */
static struct err copy(sqlite3 *from, const struct driver_db *db, const char *path)
{
    sqlite3 *target = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                SQLITE_OPEN_EXRESCODE | (sqlite_on_disk(db) ? 0 : SQLITE_OPEN_CREATE);
    struct err err;
    sqlite3_stmt *check = NULL;
    TRY_OR(sqlite_err(sqlite3_open_v2(path, &target, flags, db->files)), err, out);
    sqlite3_backup *backup = sqlite3_backup_init(target, "main", from, "main");
    if (backup == NULL) {
        err = sqlite_err(sqlite3_extended_errcode(target));
        goto out;
    }
    (void)sqlite3_backup_step(backup, -1);
    TRY_OR(sqlite_err(sqlite3_backup_finish(backup)), err, out);
    TRY_OR(sqlite_err(sqlite3_exec(target, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL)), err,
           out);
    TRY_OR(sqlite_err(sqlite3_prepare_v2(target, "PRAGMA integrity_check(1)", -1, &check, NULL)),
           err, out);
    int code = sqlite3_step(check);
    const char *said = code == SQLITE_ROW ? (const char *)sqlite3_column_text(check, 0) : NULL;
    if (code != SQLITE_ROW)
        err = sqlite_err(code);
    else if (said == NULL || strcmp(said, "ok") != 0)
        err = ERR(STORE_CORRUPT);
out:
    (void)sqlite3_finalize(check);
    (void)sqlite3_close_v2(target);
    return err;
}

static void remove_partial(const char *path)
{
    static const char *const companions[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
        char *name;
        if (asprintf(&name, "%s%s", path, companions[i]) < 0)
            return;
        (void)unlink(name);
        free(name);
    }
}

struct err sqlite_backup(struct driver_conn *conn, const char *path)
{
    if (!sqlite_on_disk(conn->db))
        return copy(conn->sqlite, conn->db, path);
    if (access(path, F_OK) == 0)
        return ERR(STORE_EXISTS);
    char *partial;
    if (asprintf(&partial, "%s.part", path) < 0)
        return ERR(NO_MEMORY);
    remove_partial(partial); /* of an earlier attempt that was killed */
    struct err err;
    TRY_OR(sqlite_file_create(partial), err, out);
    TRY_OR(copy(conn->sqlite, conn->db, partial), err, out);
    err = sqlite_file_publish(partial, path);
out:
    if (!err_is_ok(err))
        remove_partial(partial);
    free(partial);
    return err;
}

/* A log that a crash left belongs to the old file; beside the new one it would destroy it. */
static struct err set_aside(const char *path, const char *replaced)
{
    struct err err = sqlite_file_link(path, replaced);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    char *log, *log_replaced;
    if (asprintf(&log, "%s-wal", path) < 0)
        return ERR(NO_MEMORY);
    if (asprintf(&log_replaced, "%s-wal", replaced) < 0) {
        free(log);
        return ERR(NO_MEMORY);
    }
    if (access(log, F_OK) == 0 && rename(log, log_replaced) != 0)
        err = ERR(STORE_IO);
    free(log);
    free(log_replaced);
    TRY(err);
    char *index;
    if (asprintf(&index, "%s-shm", path) < 0)
        return ERR(NO_MEMORY);
    (void)unlink(index);
    free(index);
    return sqlite_file_sync_folder(path);
}

static struct err replace(sqlite3 *from, const char *path)
{
    const struct driver_db here = {.path = (char *)(uintptr_t)path};
    char *partial, *replaced;
    if (asprintf(&partial, "%s.part", path) < 0)
        return ERR(NO_MEMORY);
    if (asprintf(&replaced, "%s-replaced", path) < 0) {
        free(partial);
        return ERR(NO_MEMORY);
    }
    struct err err = access(replaced, F_OK) == 0 ? ERR(STORE_EXISTS) : ERR_OK;
    if (!err_is_ok(err))
        goto out;
    remove_partial(partial);
    TRY_OR(sqlite_file_create(partial), err, out);
    TRY_OR(copy(from, &here, partial), err, out); /* checks it, and syncs it */
    TRY_OR(set_aside(path, replaced), err, out);
    if (rename(partial, path) != 0)
        err = ERR(STORE_IO);
    else
        err = sqlite_file_sync_folder(path);
out:
    if (!err_is_ok(err) && err.code != ERR_STORE_EXISTS)
        remove_partial(partial);
    free(partial);
    free(replaced);
    return err;
}

struct err sqlite_restore(const char *backup, const char *path)
{
    if (access(backup, R_OK) != 0)
        return ERR(NOT_FOUND);
    int lock_fd;
    TRY(sqlite_file_lock(path, &lock_fd));
    sqlite3 *from = NULL;
    struct err err = sqlite_err(
        sqlite3_open_v2(backup, &from, SQLITE_OPEN_READONLY | SQLITE_OPEN_EXRESCODE, NULL));
    if (err_is_ok(err))
        err = replace(from, path);
    (void)sqlite3_close_v2(from);
    (void)close(lock_fd);
    return err;
}
