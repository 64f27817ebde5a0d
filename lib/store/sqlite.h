/* What the SQLite driver's files share. Not for others. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <sqlite3.h>

#include "store/driver.h"

struct driver_db {
    char *path; /* NULL: in memory */
    char *files;
    bool relaxed;
    bool foreign_keys;
    unsigned cache_kib, writer_cache_kib;
    int lock_fd; /* holds the lock of path-lock; -1: none */
};

enum sqlite_control {
    CONTROL_BEGIN_READ,
    CONTROL_BEGIN_WRITE,
    CONTROL_COMMIT,
    CONTROL_ROLLBACK,
    CONTROL_SAVEPOINT,
    CONTROL_RELEASE,
    CONTROL_ROLLBACK_TO,
    CONTROL_COUNT
};

struct driver_conn {
    sqlite3 *sqlite;
    const struct driver_db *db;
    enum driver_role role;
    uint64_t log_bytes;
    sqlite3_stmt *control[CONTROL_COUNT];
};

struct driver_stmt {
    struct driver_conn *conn;
    sqlite3_stmt *handle;
};

/* Result code, extended or not. */
struct err sqlite_err(int code);
/* A file name of the machine's own, neither memory nor a test's layer. */
static inline bool sqlite_on_disk(const struct driver_db *db)
{
    return db->path != NULL && db->files == NULL;
}

/* sqlite_file.c: takes the lock; creates path with mode 0600 or checks that it has it. */
CHECKED struct err sqlite_file_lock(const char *path, int *ret_fd);
CHECKED struct err sqlite_file_create(const char *path);
/* Syncs the folder of path: its names are durable then. */
CHECKED struct err sqlite_file_sync_folder(const char *path);
/* Gives a file a further name that must not exist (STORE_EXISTS). NOT_FOUND when it is missing. */
CHECKED struct err sqlite_file_link(const char *from, const char *to);
/* Syncs a file and moves it to a name that must not exist, durably. */
CHECKED struct err sqlite_file_publish(const char *from, const char *to);

/* sqlite_stmt.c */
CHECKED struct err sqlite_prepare(struct driver_conn *conn, const char *sql,
                                  struct driver_stmt **ret_stmt);
void sqlite_finalize(struct driver_stmt *stmt);
void sqlite_reset(struct driver_stmt *stmt);
bool sqlite_reads_only(const struct driver_stmt *stmt);
CHECKED struct err sqlite_bind_i64(struct driver_stmt *stmt, int index, int64_t value);
CHECKED struct err sqlite_bind_blob(struct driver_stmt *stmt, int index, struct bytes value);
CHECKED struct err sqlite_bind_text(struct driver_stmt *stmt, int index, struct bytes value);
CHECKED struct err sqlite_bind_null(struct driver_stmt *stmt, int index);
CHECKED struct err sqlite_step(struct driver_stmt *stmt, bool *ret_row);
uint64_t sqlite_changes(const struct driver_stmt *stmt);
enum driver_column sqlite_column(const struct driver_stmt *stmt, int column);
int64_t sqlite_column_i64(const struct driver_stmt *stmt, int column);
struct bytes sqlite_column_bytes(const struct driver_stmt *stmt, int column);

/* sqlite_backup.c */
CHECKED struct err sqlite_backup(struct driver_conn *conn, const char *path);
CHECKED struct err sqlite_restore(const char *backup, const char *path);

#endif
