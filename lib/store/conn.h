/* One connection with its prepared statements, and the transaction that runs on it. Not for
 * services: they see struct store_txn through store.h and stmt.h. */
#ifndef STORE_CONN_H
#define STORE_CONN_H

#include "store/driver.h"
#include "store/stmt.h"

struct stmt {
    const struct store_driver *driver;
    struct driver_stmt *handle; /* NULL: the one that stands for a wrong index */
    enum err_code failure;      /* sticky */
    bool has_row;
    bool listed; /* in the list of what has to be reset */
    struct stmt *next_used;
    struct store_txn *txn; /* that uses it now */
};

struct store_txn {
    struct conn *conn;
    bool write;
    enum err_code failure; /* of the first statement that failed: only the end is left then */
    struct stmt *used;     /* reset at its end */
};

struct conn {
    const struct store_driver *driver;
    struct driver_conn *handle;
    struct stmt *stmts;
    unsigned stmt_count;
    struct stmt none; /* what stmt_use gives for an index that does not exist */
};

/* Takes the handle over, also on failure. bad (may be NULL): set to the name of the statement that
 * could not be prepared. */
CHECKED struct err conn_init(struct conn *c, const struct store_driver *driver,
                             struct driver_conn *handle, const struct stmt_row *rows,
                             unsigned count, const char **bad);
void conn_clear(struct conn *c, bool abandon);

struct store_txn txn_of(struct conn *c, bool write);
/* Resets every statement that was used: before commit, rollback, release. */
void txn_end(struct store_txn *txn);

#endif
