/* Spent tokens (T1): a mechanism that each service puts into its own database, so that a token is
 * marked in the very transaction of its effect. A row is a keyed tag of the token's nonce and eight
 * bytes of another of the nonce and the request that spent it: the same request again is no second
 * spending, and is answered again by the service (once.h); any other one is refused. Eight bytes of
 * a hash that callers can work out would be too few: two requests that share them are found at
 * home.
 *
 * Tokens of a day are spent on that day and the next (pass/redeem.h), so three tables in turn, by
 * period mod 3, hold all there is: a table is emptied in pieces after its day, and at once should a
 * new day find rows in it. Once that began its day is over for good, also for a clock that had
 * leapt ahead and is set right again. 24 bytes a row.
 *
 * A service puts SPENT_SQL into a migration and SPENT_STATEMENTS into its statement rows, and says
 * at which index they begin. A token is verified (pass_redeem_short, 0.07 ms) after spent_look and
 * before spent_mark, outside the writer's turn.
 */
#ifndef SERVER_SPENT_H
#define SERVER_SPENT_H

#include "pass/redeem.h"
#include "store/stmt.h"

/* clang-format off */
#define SPENT_TABLE(n) \
    "CREATE TABLE spent_" #n " (tag BLOB NOT NULL PRIMARY KEY, request BLOB NOT NULL) WITHOUT ROWID;"
#define SPENT_SQL                                                                        \
    SPENT_TABLE(0) SPENT_TABLE(1) SPENT_TABLE(2)                                         \
    "CREATE TABLE spent_period (slot INTEGER NOT NULL PRIMARY KEY, period INTEGER NOT NULL);" \
    "INSERT INTO spent_period (slot, period) VALUES (0, 0), (1, 0), (2, 0);"
#define SPENT_ROWS(n)                                                                    \
    {"spent_find_" #n, "SELECT request FROM spent_" #n " WHERE tag = $1"},               \
    {"spent_put_" #n, "INSERT INTO spent_" #n " (tag, request) VALUES ($1, $2)"          \
                      " ON CONFLICT (tag) DO NOTHING"},                                  \
    {"spent_empty_" #n, "DELETE FROM spent_" #n},                                        \
    {"spent_some_" #n, "DELETE FROM spent_" #n " WHERE tag IN"                           \
                       " (SELECT tag FROM spent_" #n " LIMIT $1)"}
#define SPENT_STATEMENTS                                                                 \
    SPENT_ROWS(0), SPENT_ROWS(1), SPENT_ROWS(2),                                         \
    {"spent_period", "SELECT period FROM spent_period WHERE slot = $1"},                 \
    {"spent_begin", "UPDATE spent_period SET period = $1 WHERE slot = $2"}
/* clang-format on */
/* Calls are judged by the time at which they began, and may wait for the writer: rows outlive their
 * day by the slack, or whoever waits over midnight would find his token unspent. */
enum {
    SPENT_STATEMENT_COUNT = 14,
    SPENT_REQUEST_BYTES = 32,
    SPENT_MARK_BYTES = 8, /* of them in a row */
    SPENT_SLACK_S = 3600,
};

/* Which tables, and under which key; borrowed. */
struct spent {
    unsigned statements; /* index of the first of SPENT_STATEMENTS */
    const uint8_t *key;  /* PASS_SPENT_KEY_BYTES, the service's own */
};

/* One spending. */
struct spending {
    uint32_t period;
    const uint8_t *nonce;   /* PASS_NONCE_BYTES */
    const uint8_t *request; /* SPENT_REQUEST_BYTES: a hash of method and body */
};

/* Without marking: ERR_PASS_SPENT when another request has spent it; ERR_PASS_KEY when its day's
 * table has gone. *ret_repeated: this request has. */
CHECKED struct err spent_look(struct store_txn *txn, const struct spent *spent,
                              const struct spending *spending, bool *ret_repeated);
/* Marks it, in the transaction of the effect. Errors and *ret_repeated as of spent_look; nothing is
 * marked then. The caller has checked that tokens of the period are redeemable today: a period
 * ahead would empty a table that is in use. */
CHECKED struct err spent_mark(struct store_txn *txn, const struct spent *spent,
                              const struct spending *spending, bool *ret_repeated);
/* Deletes up to `most` rows of days that are over, and their slack. */
CHECKED struct err spent_expire(struct store_txn *txn, const struct spent *spent, uint64_t now_s,
                                uint32_t most, uint64_t *ret_deleted);

#endif
