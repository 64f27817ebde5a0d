#include "server/auth/inside.h"

void auth_id(const struct auth *auth, const char *what, struct bytes id,
             uint8_t ret_id[AUTH_ID_BYTES])
{
    at_rest_prf(auth->ids_key, BYTES_LIST(bytes_str(what), id), ret_id);
}

/* A row can't be moved to another table or key: its place is authenticated with it. */
enum { PLACE_MAX_BYTES = 64 };
static struct err place(const char *table, struct bytes row, uint8_t out[PLACE_MAX_BYTES],
                        struct bytes *ret_place)
{
    size_t len = strlen(table) + 1;
    if (len + row.len > PLACE_MAX_BYTES)
        return ERR(INTERNAL);
    memcpy(out, table, len);
    memcpy(out + len, row.data, row.len);
    *ret_place = bytes_of(out, len + row.len);
    return ERR_OK;
}

struct err auth_seal(const struct auth *auth, const char *table, struct bytes row,
                     struct bytes plain, struct buf *b)
{
    uint8_t room[PLACE_MAX_BYTES];
    struct bytes aad;
    TRY(place(table, row, room, &aad));
    return at_rest_seal(b, auth->rows_key, auth->env->rng, aad, plain);
}

/* What lies in our own file and does not open is damage, not a caller's fault. */
struct err auth_unseal(const struct auth *auth, const char *table, struct bytes row,
                       struct bytes sealed, struct buf *b)
{
    uint8_t room[PLACE_MAX_BYTES];
    struct bytes aad;
    TRY(place(table, row, room, &aad));
    struct err err = at_rest_open(b, auth->rows_key, aad, sealed);
    return err.code == ERR_CRYPTO_TAG ? ERR(STORE_CORRUPT) : err;
}

struct err auth_map_blob(struct stmt *row, void *arg)
{
    struct buf *b = arg;
    buf_append_bytes(b, stmt_blob(row, 0));
    TRY(stmt_row_check(row));
    return buf_check(b);
}

struct err auth_map_u64(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

struct err auth_run_by_id(struct store_txn *txn, enum auth_statement statement,
                          const uint8_t id[AUTH_ID_BYTES])
{
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_blob(s, 1, bytes_of(id, AUTH_ID_BYTES));
    return stmt_run(s, NULL);
}

uint64_t auth_now_s(const struct auth *auth)
{
    return clock_unix_ms(auth->env->clock) / 1000;
}

uint64_t auth_limit(const struct auth *auth, enum limit limit)
{
    return limit_value(front_limits(auth->env->front), limit);
}

/* Civil from days: years begin in March, so that the leap day is the last of its year. */
uint32_t auth_month(uint64_t unix_s)
{
    uint64_t days = unix_s / 86400 + 719468; /* since 0000-03-01 */
    uint64_t era = days / 146097, day = days % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t of_year = day - (365 * year + year / 4 - year / 100);
    uint64_t march = (5 * of_year + 2) / 153;              /* 0 is March */
    uint64_t months = (era * 400 + year) * 12 + march + 2; /* since 0000-01 */
    return (uint32_t)(months - 1970 * 12);
}
