/* SQLite as a driver: connections, their settings, transactions, the log. */
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const control_sql[CONTROL_COUNT] = {
    [CONTROL_BEGIN_READ] = "BEGIN",
    [CONTROL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [CONTROL_COMMIT] = "COMMIT",
    [CONTROL_ROLLBACK] = "ROLLBACK",
    [CONTROL_SAVEPOINT] = "SAVEPOINT one",
    [CONTROL_RELEASE] = "RELEASE one",
    [CONTROL_ROLLBACK_TO] = "ROLLBACK TO one",
};

struct err sqlite_err(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return ERR(STORE_UNIQUE);
    case SQLITE_IOERR_NOMEM:
        return ERR(NO_MEMORY);
    default:
        break;
    }
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_NOMEM:
        return ERR(NO_MEMORY);
    case SQLITE_CONSTRAINT:
        return ERR(STORE_CONSTRAINT);
    case SQLITE_FULL:
        return ERR(STORE_FULL);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
        return ERR(STORE_IO);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR(STORE_CORRUPT);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR(STORE_BUSY);
    case SQLITE_INTERRUPT:
        return ERR(STORE_INTERRUPTED);
    case SQLITE_TOOBIG:
        return ERR(TOO_LARGE);
    case SQLITE_ERROR:
        return ERR(STORE_SQL);
    case SQLITE_READONLY:
        return ERR(WRONG_STATE);
    default:
        return ERR(INTERNAL);
    }
}

static void db_close(struct driver_db *db)
{
    /* The lock file stays: removing it could take it from under someone who has just opened it.
     * Closing gives up the lock. */
    if (db->lock_fd >= 0)
        (void)close(db->lock_fd);
    free(db->path);
    free(db->files);
    free(db);
}

static struct err db_open(const struct driver_options *options, struct driver_db **ret_db)
{
    if (sqlite3_threadsafe() == 0)
        return ERR(WRONG_STATE);
    struct driver_db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return ERR(NO_MEMORY);
    db->lock_fd = -1;
    db->relaxed = options->relaxed;
    db->foreign_keys = options->foreign_keys;
    db->cache_kib = options->cache_kib;
    db->writer_cache_kib = options->writer_cache_kib;
    struct err err = ERR(NO_MEMORY);
    if (options->path != NULL && (db->path = strdup(options->path)) == NULL)
        goto fail;
    if (options->files != NULL && (db->files = strdup(options->files)) == NULL)
        goto fail;
    if (sqlite_on_disk(db)) {
        TRY_OR(sqlite_file_lock(db->path, &db->lock_fd), err, fail);
        TRY_OR(sqlite_file_create(db->path), err, fail);
    }
    *ret_db = db;
    return ERR_OK;
fail:
    db_close(db);
    return err;
}

static struct err run(struct driver_conn *conn, const char *sql)
{
    return sqlite_err(sqlite3_exec(conn->sqlite, sql, NULL, NULL, NULL));
}

/* A pragma whose refusal SQLite reports only by what it answers. */
static struct err set_and_check(struct driver_conn *conn, const char *sql, const char *want)
{
    sqlite3_stmt *stmt;
    struct err err = sqlite_err(sqlite3_prepare_v2(conn->sqlite, sql, -1, &stmt, NULL));
    TRY(err);
    int code = sqlite3_step(stmt);
    const char *got = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    bool as_wanted = got != NULL && strcmp(got, want) == 0;
    while (code == SQLITE_ROW) /* what it did may fail after it has answered */
        code = sqlite3_step(stmt);
    if (code != SQLITE_DONE)
        err = sqlite_err(code);
    else if (!as_wanted)
        err = ERR(STORE_IO);
    (void)sqlite3_finalize(stmt);
    return err;
}

static struct err harden(sqlite3 *sqlite)
{
    static const struct {
        int option, value;
    } flags[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_DQS_DML, 0},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        int now = -1;
        int code = sqlite3_db_config(sqlite, flags[i].option, flags[i].value, &now);
        if (code != SQLITE_OK)
            return sqlite_err(code);
        if (now != flags[i].value)
            return ERR(INTERNAL);
    }
    /* Statements are ours, but what they carry is not: no value above the largest state we keep. */
    (void)sqlite3_limit(sqlite, SQLITE_LIMIT_LENGTH, 64 * 1024 * 1024);
    (void)sqlite3_limit(sqlite, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_limit(sqlite, SQLITE_LIMIT_VARIABLE_NUMBER, 100);
    return ERR_OK;
}

static struct err settings(struct driver_conn *conn)
{
    const struct driver_db *db = conn->db;
    TRY(harden(conn->sqlite));
    char sql[400];
    /* temp_store: no spilling into /tmp. Checkpoints are the writer's own decision: an automatic
     * one would hold up acknowledgements. */
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;"
                   "PRAGMA secure_delete=ON; PRAGMA foreign_keys=%s; PRAGMA cache_size=-%u;"
                   "PRAGMA wal_autocheckpoint=0;",
                   db->foreign_keys ? "ON" : "OFF",
                   conn->role == DRIVER_WRITER ? db->writer_cache_kib : db->cache_kib);
    TRY(run(conn, sql));
    /* EXTRA until the log is in use: turning it on takes one last rollback journal, and FULL does
     * not sync that file's removal. After a power cut it would come back and undo everything. */
    TRY(run(conn, "PRAGMA synchronous=EXTRA"));
    if (conn->role == DRIVER_WRITER)
        TRY(set_and_check(conn, "PRAGMA journal_mode=WAL", db->path == NULL ? "memory" : "wal"));
    TRY(run(conn, db->relaxed ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL"));
    TRY(set_and_check(conn, "PRAGMA synchronous", db->relaxed ? "1" : "2"));
    TRY(set_and_check(conn, "PRAGMA secure_delete", "1"));
    return conn->role == DRIVER_READER ? run(conn, "PRAGMA query_only=ON") : ERR_OK;
}

static void disconnect(struct driver_conn *conn, bool abandon)
{
    for (int i = 0; i < CONTROL_COUNT; i++)
        (void)sqlite3_finalize(conn->control[i]);
    /* A clean end has truncated the log already, a bad one must not touch it. */
    if (conn->sqlite != NULL && (abandon || conn->role == DRIVER_READER))
        (void)sqlite3_db_config(conn->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_close_v2(conn->sqlite);
    free(conn);
}

static int on_log(void *arg, sqlite3 *sqlite, const char *database, int pages)
{
    (void)sqlite;
    (void)database;
    struct driver_conn *conn = arg;
    conn->log_bytes = (uint64_t)pages * 4096;
    return SQLITE_OK;
}

static struct err connect_to(struct driver_db *db, enum driver_role role,
                             struct driver_conn **ret_conn)
{
    struct driver_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return ERR(NO_MEMORY);
    conn->db = db;
    conn->role = role;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                SQLITE_OPEN_EXRESCODE | (sqlite_on_disk(db) ? 0 : SQLITE_OPEN_CREATE);
    struct err err;
    TRY_OR(sqlite_err(sqlite3_open_v2(db->path == NULL ? ":memory:" : db->path, &conn->sqlite,
                                      flags, db->files)),
           err, fail);
    TRY_OR(settings(conn), err, fail);
    for (int i = 0; i < CONTROL_COUNT; i++)
        TRY_OR(sqlite_err(sqlite3_prepare_v3(conn->sqlite, control_sql[i], -1,
                                             SQLITE_PREPARE_PERSISTENT, &conn->control[i], NULL)),
               err, fail);
    (void)sqlite3_wal_hook(conn->sqlite, on_log, conn);
    *ret_conn = conn;
    return ERR_OK;
fail:
    disconnect(conn, true);
    return err;
}

static void interrupt(struct driver_conn *conn)
{
    sqlite3_interrupt(conn->sqlite);
}

static struct err quick_check(struct driver_conn *conn)
{
    struct err err = set_and_check(conn, "PRAGMA quick_check(1)", "ok");
    return err.code == ERR_STORE_IO ? ERR(STORE_CORRUPT) : err;
}

static struct err control(struct driver_conn *conn, enum sqlite_control which)
{
    (void)sqlite3_step(conn->control[which]);
    return sqlite_err(sqlite3_reset(conn->control[which]));
}

static struct err begin(struct driver_conn *conn, bool write)
{
    return control(conn, write ? CONTROL_BEGIN_WRITE : CONTROL_BEGIN_READ);
}

static struct err commit(struct driver_conn *conn)
{
    return control(conn, CONTROL_COMMIT);
}

static bool in_transaction(const struct driver_conn *conn)
{
    return sqlite3_get_autocommit(conn->sqlite) == 0;
}

static struct err rollback(struct driver_conn *conn)
{
    return in_transaction(conn) ? control(conn, CONTROL_ROLLBACK) : ERR_OK;
}

static struct err savepoint(struct driver_conn *conn)
{
    return control(conn, CONTROL_SAVEPOINT);
}

static struct err release(struct driver_conn *conn)
{
    return control(conn, CONTROL_RELEASE);
}

static struct err rollback_to(struct driver_conn *conn)
{
    TRY(control(conn, CONTROL_ROLLBACK_TO));
    return control(conn, CONTROL_RELEASE);
}

static uint64_t log_bytes(const struct driver_conn *conn)
{
    return conn->log_bytes;
}

static struct err checkpoint(struct driver_conn *conn, bool truncate, bool *ret_done)
{
    int in_log = 0, moved = 0;
    int code = sqlite3_wal_checkpoint_v2(
        conn->sqlite, NULL, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
        &in_log, &moved);
    bool busy = (code & 0xff) == SQLITE_BUSY;
    if (code != SQLITE_OK && !busy)
        return sqlite_err(code);
    if (!busy && truncate)
        conn->log_bytes = 0;
    *ret_done = !busy && (truncate || in_log == moved);
    return ERR_OK;
}

const struct store_driver store_driver_sqlite = {
    .name = "sqlite",
    .open = db_open,
    .close = db_close,
    .connect = connect_to,
    .disconnect = disconnect,
    .interrupt = interrupt,
    .quick_check = quick_check,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .savepoint = savepoint,
    .release = release,
    .rollback_to = rollback_to,
    .exec = run,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .reset = sqlite_reset,
    .reads_only = sqlite_reads_only,
    .bind_i64 = sqlite_bind_i64,
    .bind_blob = sqlite_bind_blob,
    .bind_text = sqlite_bind_text,
    .bind_null = sqlite_bind_null,
    .step = sqlite_step,
    .changes = sqlite_changes,
    .column = sqlite_column,
    .column_i64 = sqlite_column_i64,
    .column_bytes = sqlite_column_bytes,
    .log_bytes = log_bytes,
    .checkpoint = checkpoint,
    .backup = sqlite_backup,
    .restore = sqlite_restore,
};
