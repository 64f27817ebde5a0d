/* The SQL engine behind a store, as a table of functions. SQLite is the one there is
 * (store_driver_sqlite); PostgreSQL would be another row of pointers.
 *
 * What statements may use so that both understand them: parameters $1, $2, ... first used in this
 * order; 64-bit integers, byte strings, texts; INSERT ... ON CONFLICT, RETURNING, CTEs. They don't
 * use: rowid, type affinity (a value has the type of its column), the order of rows without ORDER
 * BY, strings in double quotes, LIMIT in UPDATE or DELETE, INSERT OR ..., deferred constraints.
 * Migrations belong to an engine (BLOB or BYTEA; in SQLite a key that is INTEGER PRIMARY KEY is the
 * table itself, and WITHOUT ROWID saves the second tree of any other key; but not where rows are
 * larger than a page: it compares keys against whole rows, overflow pages and all).
 *
 * A database is opened once by a process (`open` fails with STORE_IN_USE elsewhere) and connected
 * to by each of the store's threads; a connection is used by one thread at a time, except for
 * `interrupt`. Views handed out by columns live until the next step, reset or finalize of their
 * statement.
 *
 * Errors: NO_MEMORY, TOO_LARGE, STORE_IO, STORE_CORRUPT, STORE_FULL, STORE_BUSY, STORE_UNIQUE,
 * STORE_CONSTRAINT, STORE_SQL, STORE_INTERRUPTED, INTERNAL.
 */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include "base/bytes.h"

struct driver_db;
struct driver_conn;
struct driver_stmt;

enum driver_role {
    DRIVER_WRITER,
    DRIVER_READER, /* refuses to write */
};

enum driver_column {
    DRIVER_NULL,
    DRIVER_I64,
    DRIVER_BLOB,
    DRIVER_TEXT,
    DRIVER_OTHER,
};

struct driver_options {
    const char *path;   /* NULL: in memory, one connection, gone when closed */
    const char *files;  /* name of a file layer (an SQLite VFS) for tests; NULL: the machine's */
    bool relaxed;       /* commits are not durable: the control of crash tests, nothing else */
    bool foreign_keys;  /* enforce REFERENCES */
    unsigned cache_kib; /* page cache of a connection */
    unsigned writer_cache_kib;
};

struct store_driver {
    const char *name;

    /* Creates the files when they are missing, mode 0600. Paths are copied. */
    CHECKED struct err (*open)(const struct driver_options *options, struct driver_db **ret_db);
    void (*close)(struct driver_db *db);
    /* The writer connects first. */
    CHECKED struct err (*connect)(struct driver_db *db, enum driver_role role,
                                  struct driver_conn **ret_conn);
    /* All statements are finalized before. abandon: after a failed commit; touches the files as
     * little as it can, above all it syncs nothing. */
    void (*disconnect)(struct driver_conn *conn, bool abandon);
    /* From any thread: what runs on the connection now fails with STORE_INTERRUPTED. */
    void (*interrupt)(struct driver_conn *conn);
    /* Damage that can be found without a full read of all indices: STORE_CORRUPT. */
    CHECKED struct err (*quick_check)(struct driver_conn *conn);

    CHECKED struct err (*begin)(struct driver_conn *conn, bool write);
    CHECKED struct err (*commit)(struct driver_conn *conn); /* durable when it returns */
    CHECKED struct err (*rollback)(struct driver_conn *conn);
    /* An engine may roll back on its own when memory or disk ends. */
    bool (*in_transaction)(const struct driver_conn *conn);
    /* One savepoint at a time. */
    CHECKED struct err (*savepoint)(struct driver_conn *conn);
    CHECKED struct err (*release)(struct driver_conn *conn);
    CHECKED struct err (*rollback_to)(struct driver_conn *conn); /* and release */

    /* Several statements without parameters and rows: migrations. */
    CHECKED struct err (*exec)(struct driver_conn *conn, const char *sql);
    CHECKED struct err (*prepare)(struct driver_conn *conn, const char *sql,
                                  struct driver_stmt **ret_stmt);
    void (*finalize)(struct driver_stmt *stmt);
    void (*reset)(struct driver_stmt *stmt); /* forgets rows and wiped bindings */
    bool (*reads_only)(const struct driver_stmt *stmt);
    /* Blobs and texts are borrowed until reset. Indices count from 1. */
    CHECKED struct err (*bind_i64)(struct driver_stmt *stmt, int index, int64_t value);
    CHECKED struct err (*bind_blob)(struct driver_stmt *stmt, int index, struct bytes value);
    CHECKED struct err (*bind_text)(struct driver_stmt *stmt, int index, struct bytes value);
    CHECKED struct err (*bind_null)(struct driver_stmt *stmt, int index);
    CHECKED struct err (*step)(struct driver_stmt *stmt, bool *ret_row);
    uint64_t (*changes)(const struct driver_stmt *stmt); /* rows touched by its last run */
    /* Columns count from 0; one that does not exist is DRIVER_OTHER. */
    enum driver_column (*column)(const struct driver_stmt *stmt, int column);
    int64_t (*column_i64)(const struct driver_stmt *stmt, int column);
    struct bytes (*column_bytes)(const struct driver_stmt *stmt, int column);

    /* The write-ahead log, of the writer's connection only. Bytes not yet in the main file. */
    uint64_t (*log_bytes)(const struct driver_conn *conn);
    /* Syncs the log, whoever wrote it, then moves it into the main file as far as readers allow;
     * truncate: and empties the log file, *ret_done false when a reader was in the way. STORE_FULL:
     * the log is synced all the same. */
    CHECKED struct err (*checkpoint)(struct driver_conn *conn, bool truncate, bool *ret_done);

    /* A consistent copy of what is committed, synced, mode 0600, under a name that must not exist;
     * other connections go on working. A failed copy leaves no file. */
    CHECKED struct err (*backup)(struct driver_conn *conn, const char *path);
    /* store_restore() of store.h. */
    CHECKED struct err (*restore)(const char *backup, const char *path);
};

extern const struct store_driver store_driver_sqlite;

#endif
