/* The moving part of a queue: its ratchet, what it holds, and how far it was delivered (protocol.md
 * 6). One sealed row per client, of one size.
 *
 *     struct { uint8 version = 1; opaque chain[32]; uint64 next; uint64 first; uint64 acked_end;
 *              uint64 delivered_end; uint64 bytes; uint32 since_refresh; uint32 refresh_hour;
 *              uint64 gap_items; uint64 gap_bytes; uint32 tags; uint32 blocked; uint8 told;
 *              opaque rolling_hash[32]; } state;
 *
 * Items are numbered 0, 1, 2, ...; rows `first` to `next - 1` are there, every one of them (Q2): an
 * item that is too old keeps its row, empty (expire.c). `acked` numbers and below are never served
 * again; they may still be there for a moment. The rolling hash is the ratchet's head: each item
 * says it, and clients compare (DoS15).
 *
 * Functions work on a loaded value inside a transaction; nothing holds until queue_state_set().
 */
#ifndef SERVER_QUEUE_STATE_H
#define SERVER_QUEUE_STATE_H

#include "seal/queue_ratchet.h"
#include "server/queue/record.h"

enum {
    /* rows of one deletion: more wait for the next one, so that nobody waits for a long one */
    QUEUE_DELETE_ROWS = 256,
};

struct queue_state {
    uint64_t client;              /* row */
    struct queue_ratchet ratchet; /* ratchet.sequence is `next`, ratchet.head the rolling hash */
    uint64_t first, acked_end;    /* acked_end: numbers below are acknowledged */
    uint64_t delivered_end;       /* numbers below were handed to the client at least once */
    uint64_t bytes;               /* of the rows */
    uint32_t since_refresh, refresh_hour;
    uint64_t gap_items, gap_bytes; /* did not fit, not told yet */
    uint32_t tags, blocked;        /* rows in queue_tag, and those of them that are blocked */
    bool told;                     /* that the last-resort KeyPackage is in use */
    uint64_t active_day;           /* when the client was last here */
};

void queue_state_clear(struct queue_state *state); /* wipes */

/* A new client's: with item 0. */
CHECKED struct err queue_state_begin(struct store_txn *txn, const struct queue *q,
                                     const struct queue_client *client, uint64_t now_s);
/* NOT_FOUND. */
CHECKED struct err queue_state_get(struct store_txn *txn, const struct queue *q, uint64_t client,
                                   struct queue_state *ret_state);
CHECKED struct err queue_state_set(struct store_txn *txn, const struct queue *q,
                                   const struct queue_state *state);

/* Appends an item, refreshed before it where that is due; or counts it into the gap when the queue
 * is full (the last tenth is for control items). ret_stored may be NULL. TOO_LARGE for a body that
 * no item can hold; QUOTA when the numbers are used up. */
CHECKED struct err queue_append(struct store_txn *txn, const struct queue *q,
                                struct queue_state *state, const struct queue_item *item,
                                bool control, uint64_t now_s, bool *ret_stored);
/* Not even a control item fits. */
bool queue_is_full(const struct queue *q, const struct queue_state *state);
/* A refresh now, under this key: after a change of it. */
CHECKED struct err queue_refresh(struct store_txn *txn, const struct queue *q,
                                 struct queue_state *state, struct bytes queue_key, uint64_t now_s);

/* Q4: takes note that numbers below `delivered_end` were handed out and numbers up to `up_to` are
 * acknowledged, as far as they were handed out; deletes at most QUEUE_DELETE_ROWS; tells of a gap
 * when there is room again. ret_changed: the state must be stored; ret_more: call again. */
CHECKED struct err queue_acknowledge(struct store_txn *txn, const struct queue *q,
                                     struct queue_state *state, uint64_t up_to,
                                     uint64_t delivered_end, uint64_t now_s, bool *ret_changed,
                                     bool *ret_more);

#endif
