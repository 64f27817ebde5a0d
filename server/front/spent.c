#include "server/front/spent.h"

enum { SLOTS = 3 };
enum { FIND, PUT, EMPTY, SOME, OF_A_SLOT }; /* order of SPENT_ROWS */
enum { PERIOD = SLOTS * OF_A_SLOT, BEGIN }; /* and what follows them */
_Static_assert(BEGIN + 1 == (int)SPENT_STATEMENT_COUNT, "SPENT_STATEMENTS");

static struct stmt *use(struct store_txn *txn, const struct spent *spent, uint32_t slot,
                        unsigned which)
{
    return stmt_use(txn, spent->statements + slot * OF_A_SLOT + which);
}

static struct err map_period(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

/* The period whose rows a table holds; 0: none yet. */
static struct err period_of(struct store_txn *txn, const struct spent *spent, uint32_t slot,
                            uint64_t *ret_period)
{
    struct stmt *s = stmt_use(txn, spent->statements + PERIOD);
    stmt_bind_u64(s, 1, slot);
    return stmt_first(s, map_period, ret_period);
}

struct mark {
    uint8_t tag[PASS_SPENT_TAG_BYTES];
    uint8_t request[SPENT_REQUEST_BYTES]; /* as it is kept */
};

static struct err map_request(struct stmt *row, void *arg)
{
    struct mark *mark = arg;
    stmt_fixed(row, 0, mark->request, sizeof mark->request);
    return stmt_row_check(row);
}

/* What the row says of this request; no row: it is unspent. */
static struct err judge(struct store_txn *txn, const struct spent *spent,
                        const struct spending *spending, struct mark *mark, bool *ret_repeated)
{
    struct stmt *s = use(txn, spent, spending->period % SLOTS, FIND);
    stmt_bind_blob(s, 1, bytes_of(mark->tag, sizeof mark->tag));
    struct err err = stmt_first(s, map_request, mark);
    *ret_repeated = false;
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (memcmp(mark->request, spending->request, SPENT_REQUEST_BYTES) != 0)
        return ERR(PASS_SPENT);
    *ret_repeated = true;
    return ERR_OK;
}

struct err spent_look(struct store_txn *txn, const struct spent *spent,
                      const struct spending *spending, bool *ret_repeated)
{
    struct mark mark;
    uint64_t holds = 0;
    *ret_repeated = false;
    TRY(period_of(txn, spent, spending->period % SLOTS, &holds));
    if (holds > spending->period)
        return ERR(PASS_KEY);
    if (holds < spending->period) /* rows of another day say nothing */
        return ERR_OK;
    pass_spent_tag(spent->key, spending->nonce, mark.tag);
    return judge(txn, spent, spending, &mark, ret_repeated);
}

/* The table is this period's from now on. */
static struct err begin_period(struct store_txn *txn, const struct spent *spent, uint32_t period)
{
    uint64_t holds = 0;
    TRY(period_of(txn, spent, period % SLOTS, &holds));
    if (holds == period)
        return ERR_OK;
    if (holds > period)
        return ERR(PASS_KEY);
    TRY(stmt_run(use(txn, spent, period % SLOTS, EMPTY), NULL));
    struct stmt *s = stmt_use(txn, spent->statements + BEGIN);
    stmt_bind_u64(s, 1, period);
    stmt_bind_u64(s, 2, period % SLOTS);
    return stmt_run(s, NULL);
}

struct err spent_mark(struct store_txn *txn, const struct spent *spent,
                      const struct spending *spending, bool *ret_repeated)
{
    struct mark mark;
    uint64_t changes = 0;
    *ret_repeated = false;
    TRY(begin_period(txn, spent, spending->period));
    pass_spent_tag(spent->key, spending->nonce, mark.tag);
    struct stmt *s = use(txn, spent, spending->period % SLOTS, PUT);
    stmt_bind_blob(s, 1, bytes_of(mark.tag, sizeof mark.tag));
    stmt_bind_blob(s, 2, bytes_of(spending->request, SPENT_REQUEST_BYTES));
    TRY(stmt_run(s, &changes));
    return changes == 1 ? ERR_OK : judge(txn, spent, spending, &mark, ret_repeated);
}

struct err spent_expire(struct store_txn *txn, const struct spent *spent, uint64_t now_s,
                        uint32_t most, uint64_t *ret_deleted)
{
    uint64_t deleted = 0;
    for (uint32_t slot = 0; slot < SLOTS && deleted < most; slot++) {
        uint64_t holds = 0, changes = 0;
        TRY(period_of(txn, spent, slot, &holds));
        if (holds == 0 || now_s < (holds + 2) * PASS_DAY_S + SPENT_SLACK_S)
            continue;
        struct stmt *s = use(txn, spent, slot, SOME);
        stmt_bind_u64(s, 1, most - deleted);
        TRY(stmt_run(s, &changes));
        deleted += changes;
    }
    *ret_deleted = deleted;
    return ERR_OK;
}
