/* The outbox: tables of the courier that lie in delivery.db, so that state, fan-out rows and the
 * repeated-request answer are one transaction (G2). Bodies once, a small row per destination; both
 * sealed at rest. Append-only keys.
 *
 * The delivery service puts OUTBOX_SQL into a migration and OUTBOX_STATEMENTS into its rows, and
 * says where they begin.
 */
#ifndef SERVER_OUTBOX_H
#define SERVER_OUTBOX_H

#include "base/rng.h"
#include "seal/leaf_credential.h"
#include "store/stmt.h"

/* outbox.c defines both beside each other; outbox_sql() in a migration row, outbox_statements[]
 * copied into the table. */
#include "server/courier/outbox_sql.h"

struct outbox {
    unsigned statements; /* index of the first of OUTBOX_STATEMENTS */
    const uint8_t *key;  /* KEEPER_DELIVERY_ROWS */
    const struct rng *rng;
};

/* One destination of a payload. Borrowed. */
struct outbox_row {
    struct bytes domain; /* of the queue service */
    struct bytes sealed_ref;
    bool notify;
    bool control;       /* commits and Welcomes */
    uint8_t notice[16]; /* what a permanent refusal is reported as: a name of the delivery
                           service's, zero: no report */
};

/* Inside a transaction: stores the payload once and its rows in shuffled order. Rows of one
 * reference keep the order of the calls. */
CHECKED struct err outbox_add(struct store_txn *txn, const struct outbox *outbox,
                              struct bytes payload, const struct outbox_row *rows, size_t count);

#endif
