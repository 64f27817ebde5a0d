#include "server/front/credits.h"

enum { FIND, PUT, DROP, EXPIRE }; /* order of CREDITS_STATEMENTS */
enum { DAY_S = 86400 };

static struct err map_credits(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

struct err credits_find(struct store_txn *txn, unsigned statements,
                        const uint8_t id[CREDITS_ID_BYTES], uint64_t *ret_credits)
{
    uint64_t credits = 0;
    struct stmt *s = stmt_use(txn, statements + FIND);
    stmt_bind_blob(s, 1, bytes_of(id, CREDITS_ID_BYTES));
    struct err err = stmt_first(s, map_credits, &credits);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    *ret_credits = credits;
    return ERR_OK;
}

static struct err drop(struct store_txn *txn, unsigned statements,
                       const uint8_t id[CREDITS_ID_BYTES])
{
    struct stmt *s = stmt_use(txn, statements + DROP);
    stmt_bind_blob(s, 1, bytes_of(id, CREDITS_ID_BYTES));
    return stmt_run(s, NULL);
}

struct err credits_put(struct store_txn *txn, unsigned statements,
                       const uint8_t id[CREDITS_ID_BYTES], uint64_t credits, uint64_t now_s)
{
    if (credits == 0)
        return drop(txn, statements, id);
    struct stmt *s = stmt_use(txn, statements + PUT);
    stmt_bind_blob(s, 1, bytes_of(id, CREDITS_ID_BYTES));
    stmt_bind_u64(s, 2, credits);
    stmt_bind_u64(s, 3, now_s / DAY_S);
    return stmt_run(s, NULL);
}

struct err credits_move(struct store_txn *txn, unsigned statements,
                        const uint8_t from[CREDITS_ID_BYTES], const uint8_t to[CREDITS_ID_BYTES],
                        uint64_t now_s)
{
    uint64_t moved = 0, had = 0;
    TRY(credits_find(txn, statements, from, &moved));
    if (moved == 0)
        return ERR_OK;
    TRY(credits_find(txn, statements, to, &had));
    TRY(drop(txn, statements, from));
    return credits_put(txn, statements, to, had + moved, now_s);
}

struct err credits_expire(struct store_txn *txn, unsigned statements, uint64_t now_s, uint64_t days,
                          uint32_t most, uint64_t *ret_deleted)
{
    uint64_t today = now_s / DAY_S;
    struct stmt *s = stmt_use(txn, statements + EXPIRE);
    stmt_bind_u64(s, 1, today > days ? today - days : 0);
    stmt_bind_u64(s, 2, most);
    return stmt_run(s, ret_deleted);
}
