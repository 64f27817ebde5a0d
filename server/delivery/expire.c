/* Expiries (F4). */
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
    return ERR_OK;
}

bool delivery_expire(struct delivery *delivery)
{
    struct expiry e = {delivery, delivery_now_s(delivery), false};
    /* what fails now is tried at the next run */
    return err_is_ok(store_call(delivery->store, run, &e)) && e.more;
}
