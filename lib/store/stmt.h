/* Statements inside a transaction.
 *
 * A service keeps its statements as rows of a table, { name, sql }, beside its schema and calls
 * them by index. Each is prepared once per connection, when the store opens, so that a wrong one is
 * found at start-up. SQL: the common subset of store/driver.h; parameters are $1, $2, ...
 *
 *     struct stmt *s = stmt_use(txn, QUEUE_APPEND);
 *     stmt_bind_u64(s, 1, queue);
 *     stmt_bind_blob(s, 2, body);
 *     TRY(stmt_run(s, NULL));
 *
 * Failure is sticky from stmt_use on: a wrong index, a number over 63 bits or a failed bind makes
 * the next step fail with that error, and nothing is executed. The same holds for columns: a
 * row mapper reads all columns and asks once, with stmt_row_check(). Integers are never converted
 * from text, a NULL is never 0.
 *
 * A statement that failed inside the engine (STORE_UNIQUE, NO_MEMORY, ...) ends the transaction: no
 * later statement of it runs, and it is rolled back even if its function returns no error. That is
 * what PostgreSQL does; who wants to go on uses ON CONFLICT.
 *
 * A struct stmt is borrowed from the connection until the transaction ends; stmt_use() of the same
 * index starts it anew. Bound blobs and texts are borrowed until the statement is run to its end or
 * used again. Views of columns live until the next step.
 */
#ifndef STORE_STMT_H
#define STORE_STMT_H

#include "base/bytes.h"

struct stmt_row {
    const char *name; /* for messages */
    const char *sql;
};

struct store_txn; /* a transaction, valid during the function it was given to */
struct stmt;

/* index: into the schema's statements. Never NULL. */
struct stmt *stmt_use(struct store_txn *txn, unsigned index);

/* Parameters count from 1. */
void stmt_bind_u64(struct stmt *s, int index, uint64_t value); /* STORE_RANGE from 2^63 on */
void stmt_bind_i64(struct stmt *s, int index, int64_t value);
void stmt_bind_blob(struct stmt *s, int index, struct bytes value);
void stmt_bind_text(struct stmt *s, int index, const char *value); /* UTF-8 */
void stmt_bind_null(struct stmt *s, int index);

/* The next row, or *ret_row false at the end. */
CHECKED struct err stmt_step(struct stmt *s, bool *ret_row);
/* Runs to the end and drops rows. ret_changes: rows inserted, updated or deleted; may be NULL. */
CHECKED struct err stmt_run(struct stmt *s, uint64_t *ret_changes);

/* A row mapper reads the columns of one row into a struct; its error ends the loop. */
typedef struct err (*stmt_map)(struct stmt *row, void *arg);
/* Maps the first row; NOT_FOUND when there is none. Views are not valid afterwards. */
CHECKED struct err stmt_first(struct stmt *s, stmt_map map, void *arg);
/* Maps every row. */
CHECKED struct err stmt_each(struct stmt *s, stmt_map map, void *arg);

/* Columns count from 0; zero or an empty view after a failure. */
uint64_t stmt_u64(struct stmt *s, int column); /* STORE_TYPE when negative */
int64_t stmt_i64(struct stmt *s, int column);
struct bytes stmt_blob(struct stmt *s, int column);
struct bytes stmt_text(struct stmt *s, int column);
/* Exactly len bytes, copied; zeroed after a failure. */
void stmt_fixed(struct stmt *s, int column, void *out, size_t len);
bool stmt_is_null(struct stmt *s, int column);
/* STORE_TYPE when a column was not what it was read as. */
CHECKED struct err stmt_row_check(const struct stmt *s);

#endif
