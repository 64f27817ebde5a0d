#include "store/conn.h"

#include <stdlib.h>

struct err conn_init(struct conn *c, const struct store_driver *driver, struct driver_conn *handle,
                     const struct stmt_row *rows, unsigned count, const char **bad)
{
    *c = (struct conn){.driver = driver, .handle = handle};
    struct err err = ERR_OK;
    if (count != 0) {
        c->stmts = calloc(count, sizeof *c->stmts);
        if (c->stmts == NULL)
            err = ERR(NO_MEMORY);
    }
    for (unsigned i = 0; i < count && err_is_ok(err); i++) {
        struct stmt *s = &c->stmts[i];
        s->driver = driver;
        err = driver->prepare(handle, rows[i].sql, &s->handle);
        if (err_is_ok(err))
            c->stmt_count++;
        else if (bad != NULL)
            *bad = rows[i].name;
    }
    if (!err_is_ok(err))
        conn_clear(c, true);
    return err;
}

void conn_clear(struct conn *c, bool abandon)
{
    if (c->handle == NULL)
        return;
    for (unsigned i = 0; i < c->stmt_count; i++)
        c->driver->finalize(c->stmts[i].handle);
    free(c->stmts);
    c->driver->disconnect(c->handle, abandon);
    *c = (struct conn){0};
}

struct store_txn txn_of(struct conn *c, bool write)
{
    return (struct store_txn){.conn = c, .write = write};
}

void txn_end(struct store_txn *txn)
{
    for (struct stmt *s = txn->used; s != NULL; s = s->next_used) {
        s->driver->reset(s->handle);
        s->listed = false;
        s->has_row = false;
    }
    txn->used = NULL;
}
