/* What the files of client/db share. */
#ifndef CLIENT_DB_INSIDE_H
#define CLIENT_DB_INSIDE_H

#include "client/db/db.h"
#include "seal/at_rest.h"
#include "store/store.h"

enum { DB_PRF_BYTES = AT_REST_ID_BYTES };

struct db {
    struct store *store;
    const struct rng *rng;
    uint8_t id_key[AT_REST_KEY_BYTES];   /* PRF of ids and owners */
    uint8_t seal_key[AT_REST_KEY_BYTES]; /* of values */
    uint8_t file_key[AT_REST_KEY_BYTES]; /* both come from it; kept for db_set_passphrase */
};

struct db_txn {
    struct db *db;
    struct store_txn *store;
};

/* header.c: the salt and the sealed file key. create: draws a file key and writes a header
 * (ERR_STORE_EXISTS); else reads it (ERR_NOT_FOUND, ERR_CRYPTO_TAG). */
CHECKED struct err header_begin(struct db *db, const struct db_options *options);

/* schema.c */
extern const struct store_schema db_schema;
enum db_sql {
    SQL_HEADER_GET,
    SQL_HEADER_PUT,
    SQL_PUT,
    SQL_GET,
    SQL_DROP,
    SQL_AFTER,
    SQL_LIST_ADD,
    SQL_LIST_PUT,
    SQL_LIST_GET,
    SQL_LIST_DROP,
    SQL_LIST_FROM,
    SQL_LAST_GET,
    SQL_LAST_PUT,
    SQL_ERASE_RECORDS,
    SQL_ERASE_LISTS,
    SQL_ERASE_LAST,
    SQL_COUNT
};

/* value.c: padding and sealing. place: what binds a value to its row, written into the associated
 * data. Both append. */
struct db_place {
    uint32_t kind;
    const uint8_t *prf; /* of the id or owner, DB_PRF_BYTES */
    uint64_t number;    /* 0: a record */
};
CHECKED struct err value_seal(struct db *db, const struct db_place *place, struct bytes id,
                              struct bytes value, struct buf *sealed);
/* The views point into `plain`, which the caller clears. ERR_STORE_CORRUPT when it was not sealed
 * for this place. */
CHECKED struct err value_open(struct db *db, const struct db_place *place, struct bytes sealed,
                              struct buf *plain, struct bytes *ret_id, struct bytes *ret_value);
void value_prf(const struct db *db, enum db_kind kind, struct bytes id,
               uint8_t ret_prf[DB_PRF_BYTES]);

#endif
