#include "server/front/spent.h"

#include "crypto/blake2b.h"

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
    uint8_t request[SPENT_MARK_BYTES], kept[SPENT_MARK_BYTES]; /* ours, and the row's */
};

static void mark_of(const struct spent *spent, const struct spending *spending,
                    struct mark *ret_mark)
{
    uint8_t both[PASS_NONCE_BYTES + SPENT_REQUEST_BYTES], tag[BLAKE2B_TAG_BYTES];
    pass_spent_tag(spent->key, spending->nonce, ret_mark->tag);
    memcpy(both, spending->nonce, PASS_NONCE_BYTES);
    memcpy(both + PASS_NONCE_BYTES, spending->request, SPENT_REQUEST_BYTES);
    blake2b_tag(spent->key, bytes_of(both, sizeof both), tag);
    memcpy(ret_mark->request, tag, sizeof ret_mark->request);
}

static struct err map_request(struct stmt *row, void *arg)
{
    struct mark *mark = arg;
    stmt_fixed(row, 0, mark->kept, sizeof mark->kept);
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
    if (memcmp(mark->request, mark->kept, sizeof mark->kept) != 0)
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
    mark_of(spent, spending, &mark);
    return judge(txn, spent, spending, &mark, ret_repeated);
}

static struct err set_period(struct store_txn *txn, const struct spent *spent, uint32_t slot,
                             uint64_t period)
{
    struct stmt *s = stmt_use(txn, spent->statements + BEGIN);
    stmt_bind_u64(s, 1, period);
    stmt_bind_u64(s, 2, slot);
    return stmt_run(s, NULL);
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
    return set_period(txn, spent, period % SLOTS, period);
}

struct err spent_mark(struct store_txn *txn, const struct spent *spent,
                      const struct spending *spending, bool *ret_repeated)
{
    struct mark mark;
    uint64_t changes = 0;
    *ret_repeated = false;
    TRY(begin_period(txn, spent, spending->period));
    mark_of(spent, spending, &mark);
    struct stmt *s = use(txn, spent, spending->period % SLOTS, PUT);
    stmt_bind_blob(s, 1, bytes_of(mark.tag, sizeof mark.tag));
    stmt_bind_blob(s, 2, bytes_of(mark.request, sizeof mark.request));
    TRY(stmt_run(s, &changes));
    return changes == 1 ? ERR_OK : judge(txn, spent, spending, &mark, ret_repeated);
}

/* A table whose rows go has a period that is none of its own, one later: what it held is refused
 * from then on, whatever the clock says next, and its next period begins as ever. */
static bool is_closed(uint64_t holds, uint32_t slot)
{
    return holds % SLOTS != slot;
}

struct err spent_expire(struct store_txn *txn, const struct spent *spent, uint64_t now_s,
                        uint32_t most, uint64_t *ret_deleted)
{
    uint64_t deleted = 0;
    for (uint32_t slot = 0; slot < SLOTS && deleted < most; slot++) {
        uint64_t holds = 0, changes = 0;
        TRY(period_of(txn, spent, slot, &holds));
        const uint64_t period = is_closed(holds, slot) ? holds - 1 : holds;
        if (holds == 0 || now_s < (period + 2) * PASS_DAY_S + SPENT_SLACK_S)
            continue;
        if (period == holds)
            TRY(set_period(txn, spent, slot, period + 1));
        struct stmt *s = use(txn, spent, slot, SOME);
        stmt_bind_u64(s, 1, most - deleted);
        TRY(stmt_run(s, &changes));
        deleted += changes;
    }
    *ret_deleted = deleted;
    return ERR_OK;
}
