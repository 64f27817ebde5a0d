/* Repeated requests get their first answer (G4): results kept seven days in the service's own
 * database, in the same transaction as the effect, under PRF(scope, idempotency id), bound to the
 * body's hash, sealed under a key that takes the idempotency id itself (which the database does not
 * have). The stored row's columns: id = PRF(key, "id", scope, id), body = PRF(key, "body", scope,
 * id, body hash), answer = at_rest_seal under HMAC(key, "answer", scope, id) with id and body as
 * associated data; so neither ids nor hashes can be matched with anything outside.
 *
 * A service puts ONCE_SQL into a migration, ONCE_SQL_2 into a later one, and ONCE_STATEMENTS into
 * its statement rows, and says at which index they begin.
 */
#ifndef SERVER_ONCE_H
#define SERVER_ONCE_H

#include "base/rng.h"
#include "store/stmt.h"

#define ONCE_SQL                                                                                  \
    "CREATE TABLE once (id BLOB NOT NULL PRIMARY KEY, body BLOB NOT NULL, answer BLOB NOT NULL, " \
    "expires_day INTEGER NOT NULL) WITHOUT ROWID;"                                                \
    "CREATE INDEX once_expiry ON once (expires_day);"
/* Not WITHOUT ROWID any more: such a table compares keys against whole rows and keeps a quarter of
 * a row at most in its page. Measured with rows that come in random order, 50 to a commit: 85 us
 * instead of 163 for answers of 60 bytes, 125 instead of 300 for 1,200, and a third of the file. */
#define ONCE_SQL_2                                                                                \
    "ALTER TABLE once RENAME TO once_v1;"                                                         \
    "CREATE TABLE once (id BLOB NOT NULL PRIMARY KEY, body BLOB NOT NULL, answer BLOB NOT NULL, " \
    "expires_day INTEGER NOT NULL);"                                                              \
    "INSERT INTO once (id, body, answer, expires_day)"                                            \
    " SELECT id, body, answer, expires_day FROM once_v1;"                                         \
    "DROP TABLE once_v1;"                                                                         \
    "CREATE INDEX once_expiry ON once (expires_day);"
#define ONCE_STATEMENTS                                                                            \
    {"once_find", "SELECT body, answer FROM once WHERE id = $1"},                                  \
        {"once_keep", "INSERT INTO once (id, body, answer, expires_day) VALUES ($1, $2, $3, $4)"}, \
    {                                                                                              \
        "once_expire",                                                                             \
            "DELETE FROM once WHERE id IN (SELECT id FROM once WHERE expires_day < $1 LIMIT $2)"   \
    }
enum { ONCE_STATEMENT_COUNT = 3, ONCE_DAYS = 7, ONCE_ID_BYTES = 16 };

/* Who and what; borrowed. */
struct once {
    unsigned statements;      /* index of the first of ONCE_STATEMENTS */
    const uint8_t *key;       /* KEEPER_KEY_BYTES, the service's purpose */
    struct bytes scope;       /* who asks: caller kind and id, or what else sets askers apart */
    const uint8_t *id;        /* ONCE_ID_BYTES, from the request */
    const uint8_t *body_hash; /* 32 bytes */
};

/* Is there an answer? Appends it to ret_answer. ERR_ONCE_OTHER_BODY when the id came with another
 * body before; ERR_CRYPTO_TAG when the stored answer was tampered with; errors of the store. */
CHECKED struct err once_find(struct store_txn *txn, const struct once *once, struct buf *ret_answer,
                             bool *ret_found);
/* In the transaction that looked with once_find: ERR_STORE_UNIQUE when there is an answer already.
 * Costs the database about 100 bytes more than the answer. */
CHECKED struct err once_keep(struct store_txn *txn, const struct once *once, const struct rng *rng,
                             struct bytes answer, uint64_t now_s);
/* Deletes up to `most` answers that are over. */
CHECKED struct err once_expire(struct store_txn *txn, unsigned statements, uint64_t now_s,
                               uint32_t most, uint64_t *ret_deleted);

#endif
