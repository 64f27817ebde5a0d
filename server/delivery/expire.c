/* Expiries (F4), and how much there is. */
#include "server/delivery/delivery_inside.h"

enum { EXPIRE_AT_ONCE = 128 };

struct expiry {
    const struct delivery *d;
    uint64_t now_s;
    bool more;
};

static struct err expire_rows(struct store_txn *txn, unsigned statement, uint64_t before,
                              bool *more)
{
    uint64_t deleted = 0;
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_u64(s, 1, before);
    stmt_bind_u64(s, 2, EXPIRE_AT_ONCE);
    TRY(stmt_run(s, &deleted));
    if (deleted == EXPIRE_AT_ONCE)
        *more = true;
    return ERR_OK;
}

static struct err run(struct store_txn *txn, void *arg)
{
    struct expiry *e = arg;
    uint64_t day = e->now_s / DAY_S;
    uint64_t deleted = 0;
    e->more = false;
    TRY(expire_rows(txn, GROUP_EXPIRE, month_of(e->now_s), &e->more));
    TRY(expire_rows(txn, PAST_TREE_EXPIRE, day, &e->more));
    TRY(expire_rows(txn, PAST_JOIN_EXPIRE, day, &e->more));
    TRY(expire_rows(txn, NOTICE_EXPIRE, day, &e->more));
    TRY(expire_rows(txn, PAUSE_EXPIRE, e->now_s / HOUR_S, &e->more));
    TRY(once_expire(txn, DELIVERY_ONCE, e->now_s, EXPIRE_AT_ONCE, &deleted));
    if (deleted == EXPIRE_AT_ONCE)
        e->more = true;
    const struct purse purse = delivery_purse(e->d);
    bool more = false;
    TRY(purse_expire(txn, &purse, front_limits(e->d->env.front), e->now_s, EXPIRE_AT_ONCE, &more));
    e->more |= more;
    return ERR_OK;
}

bool delivery_expire(struct delivery *delivery)
{
    struct expiry e = {delivery, delivery_now_s(delivery), false};
    /* what fails now is tried at the next run */
    return err_is_ok(store_call(delivery->store, run, &e)) && e.more;
}

static struct err map_stats(struct stmt *row, void *arg)
{
    struct delivery_stats *stats = arg;
    *stats = (struct delivery_stats){
        .groups = stmt_u64(row, 0),
        .past_trees = stmt_u64(row, 1),
        .notices = stmt_u64(row, 2),
        .pauses = stmt_u64(row, 3),
        .answers = stmt_u64(row, 4),
        .outbox_rows = stmt_u64(row, 5),
    };
    return stmt_row_check(row);
}

static struct err run_stats(struct store_txn *txn, void *arg)
{
    return stmt_first(stmt_use(txn, DELIVERY_COUNT), map_stats, arg);
}

struct err delivery_stats(struct delivery *delivery, struct delivery_stats *ret_stats)
{
    return store_call_read(delivery->store, run_stats, ret_stats);
}
