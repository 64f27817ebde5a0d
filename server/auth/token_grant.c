/* Allowances (tokens.md 4): how many tokens of a class and period a user was given. A new user has
 * a few at once; a tenth of the full number comes with each day since the first ones, so that many
 * new accounts are worth little. */
#include "server/auth/inside.h"

enum { DAYS_TO_FULL = 10 };

static uint64_t allowance(const struct auth *auth, uint8_t class, uint64_t age_days)
{
    static const enum limit rows[PASS_CLASS_END] = {
        [PASS_DELIVERY] = LIMIT_TOKENS_DELIVERY,         [PASS_QUEUE] = LIMIT_TOKENS_QUEUE,
        [PASS_TRANSPARENCY] = LIMIT_TOKENS_TRANSPARENCY, [PASS_AUTH] = LIMIT_TOKENS_AUTH,
        [PASS_ATTACHMENT] = LIMIT_TOKENS_ATTACHMENT,
    };
    if (class >= PASS_CLASS_END) /* TOKEN_ORDER_VOUCHERS and what follows */
        return auth_limit(auth, LIMIT_VOUCHERS);
    const uint64_t full = auth_limit(auth, rows[class]);
    const uint64_t first = auth_limit(auth, LIMIT_TOKENS_FIRST);
    if (age_days >= DAYS_TO_FULL)
        return full;
    const uint64_t so_far = full * age_days / DAYS_TO_FULL;
    const uint64_t begins = first < full ? first : full;
    return so_far > begins ? so_far : begins;
}

void token_request_id(const struct auth *auth, const uint8_t user[AUTH_ID_BYTES],
                      const uint8_t body_hash[REQUEST_BODY_HASH_BYTES],
                      uint8_t ret_id[AUTH_ID_BYTES])
{
    struct digest id;
    hmac_once(&hash_sha256, bytes_of(auth->tokens_key, sizeof auth->tokens_key),
              BYTES_LIST(bytes_str("request"), bytes_of(user, AUTH_ID_BYTES),
                         bytes_of(body_hash, REQUEST_BODY_HASH_BYTES)),
              &id);
    memcpy(ret_id, id.data, AUTH_ID_BYTES);
}

/* Days since the user's first tokens; today, if these are. */
static struct err age_of(struct store_txn *txn, const struct token_order *order, uint64_t today,
                         uint64_t *ret_days)
{
    uint64_t since = 0;
    struct stmt *s = stmt_use(txn, TOKEN_SINCE_PUT);
    stmt_bind_blob(s, 1, bytes_of(order->user, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, today);
    TRY(stmt_run(s, NULL));
    s = stmt_use(txn, TOKEN_SINCE_FIND);
    stmt_bind_blob(s, 1, bytes_of(order->user, AUTH_ID_BYTES));
    TRY(stmt_first(s, auth_map_u64, &since));
    *ret_days = today > since ? today - since : 0;
    return ERR_OK;
}

static void bind_place(struct stmt *s, const struct token_order *order)
{
    stmt_bind_blob(s, 1, bytes_of(order->user, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, order->class);
    stmt_bind_u64(s, 3, order->period);
}

static struct err issued_so_far(struct store_txn *txn, const struct token_order *order,
                                uint64_t *ret_issued)
{
    struct stmt *s = stmt_use(txn, TOKEN_GRANT_FIND);
    bind_place(s, order);
    *ret_issued = 0;
    struct err err = stmt_first(s, auth_map_u64, ret_issued);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

/* false: it was there. */
static struct err note_request(struct store_txn *txn, const struct token_order *order,
                               bool *ret_fresh)
{
    uint64_t changes = 0;
    struct stmt *s = stmt_use(txn, TOKEN_REQUEST_PUT);
    stmt_bind_blob(s, 1, bytes_of(order->request, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, order->period);
    TRY(stmt_run(s, &changes));
    *ret_fresh = changes == 1;
    return ERR_OK;
}

struct err token_grant_take(struct store_txn *txn, const struct auth *auth,
                            const struct token_order *order, uint64_t now_s, uint32_t *ret_left)
{
    uint64_t age = 0, issued = 0;
    bool fresh = false;
    TRY(age_of(txn, order, auth_day(now_s), &age));
    TRY(issued_so_far(txn, order, &issued));
    TRY(note_request(txn, order, &fresh));
    const uint64_t most = allowance(auth, order->class, age);
    if (fresh) {
        if (issued > most || order->count > most - issued)
            return ERR(QUOTA); /* the request is not noted either: the transaction is undone */
        issued += order->count;
        struct stmt *s = stmt_use(txn, TOKEN_GRANT_PUT);
        bind_place(s, order);
        stmt_bind_u64(s, 4, issued);
        TRY(stmt_run(s, NULL));
    }
    *ret_left = (uint32_t)(most > issued ? most - issued : 0);
    return ERR_OK;
}
