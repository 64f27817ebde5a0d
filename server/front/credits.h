/* Credits (tokens.md): what a pseudonym has bought with tokens and not used up. A token is marked,
 * turned into credits and these are used in one transaction, so nothing is paid twice or for
 * nothing (T1). A mechanism that each service puts into its own database, as spent.h.
 *
 * A row is a PRF of the pseudonym, a number and the day of its last change. Who lives on the free
 * allowance (charge.h) has none, which is most of them: a row tells whoever has two images of the
 * file that somebody was busy between them.
 */
#ifndef SERVER_CREDITS_H
#define SERVER_CREDITS_H

#include "store/stmt.h"

/* clang-format off */
#define CREDITS_SQL                                                                          \
    "CREATE TABLE credit (id BLOB NOT NULL PRIMARY KEY, credits INTEGER NOT NULL,"           \
    " day INTEGER NOT NULL) WITHOUT ROWID;"                                                  \
    "CREATE INDEX credit_day ON credit (day);"
#define CREDITS_STATEMENTS                                                                   \
    {"credit_find", "SELECT credits FROM credit WHERE id = $1"},                             \
    {"credit_put", "INSERT INTO credit (id, credits, day) VALUES ($1, $2, $3)"               \
                   " ON CONFLICT (id) DO UPDATE SET credits = excluded.credits,"             \
                   " day = excluded.day"},                                                   \
    {"credit_drop", "DELETE FROM credit WHERE id = $1"},                                     \
    {"credit_expire", "DELETE FROM credit WHERE id IN"                                       \
                      " (SELECT id FROM credit WHERE day < $1 LIMIT $2)"}
/* clang-format on */
enum { CREDITS_STATEMENT_COUNT = 4, CREDITS_ID_BYTES = 16 };

/* statements: index of the first of CREDITS_STATEMENTS. 0 where there is no row. */
CHECKED struct err credits_find(struct store_txn *txn, unsigned statements,
                                const uint8_t id[CREDITS_ID_BYTES], uint64_t *ret_credits);
/* What is left from now on; 0 takes the row away. */
CHECKED struct err credits_put(struct store_txn *txn, unsigned statements,
                               const uint8_t id[CREDITS_ID_BYTES], uint64_t credits,
                               uint64_t now_s);
/* Whoever goes on under another name takes them along; they are added to what that has. */
CHECKED struct err credits_move(struct store_txn *txn, unsigned statements,
                                const uint8_t from[CREDITS_ID_BYTES],
                                const uint8_t to[CREDITS_ID_BYTES], uint64_t now_s);
/* Deletes up to `most` rows that were not changed for so many days. */
CHECKED struct err credits_expire(struct store_txn *txn, unsigned statements, uint64_t now_s,
                                  uint64_t days, uint32_t most, uint64_t *ret_deleted);

#endif
