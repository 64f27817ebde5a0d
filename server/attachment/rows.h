/* The tables of attachment.db and what is done with them, as synchronous functions inside a
 * transaction.
 *
 *     attachment  one row a blob; state says whether it may be read
 *     block       its bytes; the key is blob number << 16 | place, which only grows
 *     doomed      numbers whose blocks are to be removed, piece by piece
 *     total       one row: bytes that are taken, and the last number given
 */
#ifndef SERVER_ATTACHMENT_ROWS_H
#define SERVER_ATTACHMENT_ROWS_H

#include "server/front/charge.h"
#include "store/store.h"

enum {
    ROWS_ID_BYTES = 16,
    ROWS_HASH_BYTES = 32,
    ROWS_PLACES = 1 << 16,  /* blocks of one blob at most */
    ROWS_SWEEP_BLOCKS = 32, /* removed by one transaction */
    ROWS_EXPIRE_MOST = 64,
    ROWS_PURSE = 18, /* index of PURSE_STATEMENTS */
};

extern const struct store_schema attachment_schema;

enum rows_state { ROWS_OPEN = 0, ROWS_WHOLE = 1, ROWS_DELETED = 2 };

/* The next block of an upload. */
struct rows_put {
    bool first;    /* makes the blob's row, sets number */
    bool last;     /* it may be read from now on */
    bool replaced; /* set: an upload of the same id was given up for this one; its blocks are doomed
                    */
    uint64_t number;
    uint64_t bytes_in_all;
    uint64_t room; /* bytes that all blobs may take together */
    uint8_t id[ROWS_ID_BYTES];
    uint8_t download[ROWS_HASH_BYTES], remove[ROWS_HASH_BYTES];
    uint8_t content[ROWS_HASH_BYTES]; /* what tells a repeat; read with the last */
    uint32_t today, expires_day;
    uint64_t place;
    struct bytes sealed;
};
/* ERR_ATTACHMENT_FULL. ERR_ATTACHMENT_REPLACED: one with this id is whole since the caller looked,
 * or a newer one has taken this one's place. ERR_NOT_FOUND: the one with this id was deleted. */
CHECKED struct err rows_put(struct store_txn *txn, struct rows_put *put);

struct rows_blob {
    uint64_t number, bytes;
    uint8_t download[ROWS_HASH_BYTES], remove[ROWS_HASH_BYTES];
    uint8_t content[ROWS_HASH_BYTES]; /* zeros: made before there were repeats, or not whole */
    uint32_t expires_day;             /* the last day on which it may be read */
    enum rows_state state;
};
/* ERR_NOT_FOUND. */
CHECKED struct err rows_find(struct store_txn *txn, const uint8_t id[ROWS_ID_BYTES],
                             struct rows_blob *ret_blob);
/* ERR_NOT_FOUND. read gets a view. */
CHECKED struct err rows_block(struct store_txn *txn, uint64_t number, uint64_t place,
                              struct err (*read)(void *arg, struct bytes sealed), void *arg);

/* The row goes, its blocks are doomed; nothing if another has taken its place. */
CHECKED struct err rows_abandon(struct store_txn *txn, uint64_t number, uint64_t bytes);
/* The row stays to its last day, so that the deletion may be repeated; its blocks are doomed. */
CHECKED struct err rows_delete(struct store_txn *txn, const struct rows_blob *blob);
/* Every upload that was under way. */
CHECKED struct err rows_abandon_open(struct store_txn *txn);
/* Up to ROWS_EXPIRE_MOST blobs whose last day is before today. */
CHECKED struct err rows_expire(struct store_txn *txn, uint32_t today, bool *ret_more);
/* Removes up to ROWS_SWEEP_BLOCKS doomed blocks. */
CHECKED struct err rows_sweep(struct store_txn *txn, bool *ret_more);
/* Bytes taken by all blobs, doomed ones included. */
CHECKED struct err rows_total(struct store_txn *txn, uint64_t *ret_bytes);

#endif
