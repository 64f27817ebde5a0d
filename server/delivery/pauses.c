#include "server/delivery/pauses.h"

#include <stdlib.h>

struct pause {
    struct delivery *d;
    uint8_t id[ROW_ID_BYTES];
    uint64_t until_hour;
};

static struct err map_hour(struct stmt *row, void *arg)
{
    uint64_t *hour = arg;
    *hour = stmt_u64(row, 0);
    return stmt_row_check(row);
}

struct err pause_find(struct store_txn *txn, const uint8_t id[ROW_ID_BYTES],
                      uint64_t *ret_until_hour)
{
    struct stmt *s = stmt_use(txn, PAUSE_FIND);
    stmt_bind_blob(s, 1, bytes_of(id, ROW_ID_BYTES));
    *ret_until_hour = 0;
    struct err err = stmt_first(s, map_hour, ret_until_hour);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err run(struct store_txn *txn, void *arg)
{
    const struct pause *p = arg;
    struct stmt *s = stmt_use(txn, PAUSE_KEEP);
    stmt_bind_blob(s, 1, bytes_of(p->id, sizeof p->id));
    stmt_bind_u64(s, 2, p->until_hour);
    return stmt_run(s, NULL);
}

static void done(void *arg, struct err result)
{
    struct pause *p = arg;
    (void)result;
    delivery_unref(p->d);
    free(p);
}

void pause_start(struct delivery *d, struct inbox *inbox, uint64_t principal,
                 const uint8_t id[ROW_ID_BYTES])
{
    struct pause *p = calloc(1, sizeof *p);
    if (p == NULL)
        return;
    p->d = delivery_ref(d);
    memcpy(p->id, id, sizeof p->id);
    /* at least an hour, in times no finer than an hour */
    p->until_hour = delivery_now_s(d) / HOUR_S + 2;
    struct store_work work = {
        .principal = principal, .cost = 1, .run = run, .done = done, .arg = p};
    struct err err = delivery_submit(d, true, inbox, &work);
    if (!err_is_ok(err))
        done(p, err);
}
