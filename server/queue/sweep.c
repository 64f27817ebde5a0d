/* Sweeping away what deleted clients left: a piece at a time, so that nobody waits for the ten
 * thousand rows of a full queue. Survives restarts: queue_dead says what is left to do. */
#include "server/queue/sweep.h"
#include "server/queue/job.h"
#include "server/queue/state.h"

static struct err map_row(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

/* Deletes up to `most` rows of a dead client; 0 when there was nothing left but its mark. */
static struct err sweep_client(struct store_txn *txn, uint64_t client, uint64_t most,
                               uint64_t *ret_deleted)
{
    struct stmt *s = stmt_use(txn, SQL_ITEM_SWEEP);
    stmt_bind_u64(s, 1, queue_row_key(client, 0));
    stmt_bind_u64(s, 2, queue_row_key(client, QUEUE_SEQUENCE_MOST));
    stmt_bind_u64(s, 3, most);
    TRY(stmt_run(s, ret_deleted));
    if (*ret_deleted != 0)
        return ERR_OK;
    s = stmt_use(txn, SQL_TAG_SWEEP);
    stmt_bind_u64(s, 1, client);
    stmt_bind_u64(s, 2, client);
    stmt_bind_u64(s, 3, most);
    TRY(stmt_run(s, ret_deleted));
    if (*ret_deleted != 0)
        return ERR_OK;
    s = stmt_use(txn, SQL_PACKAGE_SWEEP); /* at most 1,001 */
    stmt_bind_u64(s, 1, queue_row_key(client, 0));
    stmt_bind_u64(s, 2, queue_row_key(client, QUEUE_SEQUENCE_MOST));
    TRY(stmt_run(s, NULL));
    s = stmt_use(txn, SQL_DEAD_DELETE);
    stmt_bind_u64(s, 1, client);
    return stmt_run(s, NULL);
}

struct err sweep_piece(struct store_txn *txn, bool *ret_more)
{
    uint64_t client = 0, deleted = 0;
    struct err err = stmt_first(stmt_use(txn, SQL_DEAD_NEXT), map_row, &client);
    *ret_more = err_is_ok(err);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    return sweep_client(txn, client, QUEUE_DELETE_ROWS, &deleted);
}

struct sweep {
    struct queue *q;
    bool more;
};

static struct err run(struct store_txn *txn, void *arg)
{
    return sweep_piece(txn, &((struct sweep *)arg)->more);
}

static void start(struct sweep *s);

static void done(void *arg, struct err result)
{
    struct sweep *s = arg;
    if (err_is_ok(result) && s->more) {
        start(s);
        return;
    }
    struct queue *q = s->q;
    atomic_store(&q->sweeping, false); /* after a failure queue_expire() goes on */
    free(s);
    queue_unref(q);
}

static void start(struct sweep *s)
{
    struct store_work work = {.principal = 3,
                              .cost = QUEUE_DELETE_ROWS / 4,
                              .frees = true,
                              .run = run,
                              .done = done,
                              .arg = s};
    struct err err = queue_write(s->q, NULL, &work);
    if (err_is_ok(err))
        return;
    s->more = false;
    done(s, err);
}

void queue_sweep(struct queue *q)
{
    if (atomic_exchange(&q->sweeping, true))
        return; /* it looks again before it ends */
    struct sweep *s = calloc(1, sizeof *s);
    if (s == NULL) {
        atomic_store(&q->sweeping, false);
        return;
    }
    queue_ref(q);
    s->q = q;
    start(s);
}
