/* The outbox: tables of the courier that lie in delivery.db, so that state, fan-out rows and the
 * repeated-request answer are one transaction (G2). Bodies once, a small row per destination; both
 * sealed at rest, and the names of domains too: an image of the file names no peer. Append-only
 * keys.
 *
 * The delivery service puts OUTBOX_SQL into a migration and OUTBOX_STATEMENTS into its rows, and
 * says where they begin.
 */
#ifndef SERVER_OUTBOX_H
#define SERVER_OUTBOX_H

#include "base/clock.h"
#include "base/rng.h"
#include "seal/leaf_credential.h"
#include "store/stmt.h"

/* OUTBOX_SQL for a migration row, OUTBOX_STATEMENTS to be copied into the statement table. */
#include "server/courier/outbox_sql.h"

enum {
    OUTBOX_ROWS_MAX = 10000,           /* of one payload */
    OUTBOX_PAYLOAD_MAX = 16 * 1048576, /* bytes */
    OUTBOX_REF_MAX = 1024,             /* bytes of a sealed reference */
    OUTBOX_DAYS = 14,                  /* a row waits for so long */
    OUTBOX_NUMBERS_PER_S = 4096,       /* outbox_sql.h */
    OUTBOX_NUMBERS_GAP = 1048576,
};

/* All borrowed. */
struct outbox {
    unsigned statements; /* index of the first of OUTBOX_STATEMENTS */
    const uint8_t *key;  /* KEEPER_DELIVERY_ROWS */
    const uint8_t *ids;  /* KEEPER_DELIVERY_IDS: domains are found by their PRF */
    const struct rng *rng;
    const struct clock *clock; /* the day of a row */
};

/* One destination of a payload. Borrowed. */
struct outbox_row {
    struct bytes domain; /* of the queue service */
    struct bytes sealed_ref;
    bool notify;
    bool quiet;         /* wakes nobody, whatever the queue client's policy */
    bool control;       /* commits and Welcomes */
    uint8_t notice[16]; /* what a permanent refusal is reported as: a name of the delivery
                           service's, zero: no report */
};

/* Inside a transaction: stores the payload once and its rows in shuffled order (two rows of one
 * payload should not go to one reference). Rows of one reference keep the order of the calls.
 * Without rows nothing is stored. Errors: ERR_ARGUMENT over a bound above or with an empty or
 * over-long domain or reference, NO_MEMORY, IO (rng), the store's. */
CHECKED struct err outbox_add(struct store_txn *txn, const struct outbox *outbox,
                              struct bytes payload, const struct outbox_row *rows, size_t count);

#endif
