/* The outbox as the courier sees it: rows of one domain read into a batch, and taken away again.
 * Functions of a transaction; they know no loop.
 */
#ifndef SERVER_OUTBOX_ROWS_H
#define SERVER_OUTBOX_ROWS_H

#include "seal/at_rest.h"
#include "seal/names.h"
#include "server/courier/outbox.h"
#include "server/queue/queue.h"

enum {
    OUTBOX_PRF_BYTES = 16,
    OUTBOX_AAD_BYTES = 9,
    OUTBOX_AAD_ROW = 1,
    OUTBOX_AAD_BODY = 2,
    OUTBOX_NUMBER_BITS = 44,
    OUTBOX_DOMAIN_MAX = (1 << 19) - 2,
};
#define OUTBOX_NUMBER_MAX ((UINT64_C(1) << OUTBOX_NUMBER_BITS) - 1)

static inline uint64_t outbox_row_id(uint64_t domain, uint64_t number)
{
    return domain << OUTBOX_NUMBER_BITS | number;
}

static inline uint64_t outbox_day(uint64_t unix_ms)
{
    return unix_ms / 86400000;
}

/* What rows and bodies are sealed with: kind and number. */
struct bytes outbox_aad(uint8_t kind, uint64_t id, uint8_t aad[OUTBOX_AAD_BYTES]);
void outbox_domain_prf(const struct outbox *outbox, struct bytes name,
                       uint8_t ret_prf[OUTBOX_PRF_BYTES]);
void outbox_ref_prf(const struct outbox *outbox, struct bytes sealed_ref,
                    uint8_t ret_prf[OUTBOX_PRF_BYTES]);
/* struct { uint8 flags; opaque notice[16]; opaque sealed_ref<V>; }, sealed; appended. */
CHECKED struct err outbox_row_seal(const struct outbox *outbox, uint64_t id,
                                   const struct outbox_row *row, struct buf *b);

/* At a start, before any row is added: no number comes a second time even if the database is an
 * older one that was restored. */
CHECKED struct err outbox_raise(struct store_txn *txn, const struct outbox *outbox);

/* ---- batches */

enum { BATCH_ROWS = 256, BATCH_BYTES = 1048576, BATCH_SCAN = 4096 };

struct batch_row {
    uint64_t number; /* of the row: its sequence */
    uint64_t payload;
    uint64_t bytes;
    uint8_t notice[16];
    size_t ref_at, ref_len; /* in refs */
    size_t body;            /* index */
    bool notify, quiet, control;
    bool gap; /* the row before this one in the table is not the one before it here */
    enum queue_outcome outcome;
};

struct batch_body {
    uint64_t payload;
    struct buf body;
};

/* Rows of one domain, in order. */
struct batch {
    uint64_t domain;
    uint64_t after;   /* number that the reading begins behind */
    uint64_t last;    /* number that was looked at last */
    bool end;         /* and there was none behind it */
    bool expired;     /* these rows are over, all of them; nothing else was read */
    uint64_t today;   /* for that */
    bool application; /* read no commits and Welcomes, and no bodies: what may be given up */
    uint32_t most;    /* rows; 0: BATCH_ROWS */
    /* Is this reference to be left out? NULL: none is. */
    bool (*leave_out)(void *self, const uint8_t ref_prf[OUTBOX_PRF_BYTES]);
    void *self;
    struct batch_row rows[BATCH_ROWS];
    size_t count;
    struct batch_body bodies[BATCH_ROWS];
    size_t body_count;
    size_t body_bytes;
    struct buf refs;
    uint64_t damaged; /* rows that could not be opened; they are here as QUEUE_REFUSED */
};

/* The zero state is valid. Frees what was read and keeps nothing. */
void batch_clear(struct batch *b);
struct bytes batch_ref(const struct batch *b, const struct batch_row *row);
struct bytes batch_body(const struct batch *b, const struct batch_row *row);

/* Reads on from b->after: at most BATCH_ROWS rows and BATCH_BYTES of bodies, but at least one. Rows
 * older than OUTBOX_DAYS come alone. */
CHECKED struct err batch_read(struct store_txn *txn, const struct outbox *outbox, struct batch *b);

/* How rows that were refused, or lost, are told. */
struct batch_report {
    struct err (*refused)(struct store_txn *txn, void *self, const uint8_t notice[16],
                          enum queue_outcome why);
    void *self;
};
/* Takes all rows away whose outcome is QUEUE_OK, GONE or REFUSED, payloads with their last row, and
 * reports those refused or gone. lost: reports every row of the batch as QUEUE_LATER, and all go.
 */
CHECKED struct err batch_drop(struct store_txn *txn, const struct outbox *outbox,
                              const struct batch *b, bool lost, const struct batch_report *report);

#endif
