/* Our queue: fetching, opening, handing on, acknowledging.
 *
 * One item is one step: ratchet, sequence and everything the item changes are one transaction; then
 * it is acknowledged. DB_QUEUE: struct { queue ratchet; next sequence; acknowledged }.
 */
#ifndef CLIENT_CORE_QUEUE_H
#define CLIENT_CORE_QUEUE_H

#include "client/core/core.h"

/* Dequeues until nothing is left, and hears the offers that wait for our handles; op (may be NULL)
 * ends then: well, or with what stood in the way. One at a time: further ones join, by one more
 * round. Not in a step. ERR_WRONG_STATE: not registered. */
CHECKED struct err queue_sync(struct core *c, struct hearth_op *op);
/* Stays connected to the queue and to each handle, and reconnects. Is listening already: nothing.
 */
CHECKED struct err queue_listen(struct core *c);
void queue_listen_stop(struct core *c);
/* Runs when the queue was drained once after now: for tasks that must know what came before they go
 * on (a lost commit, an unknown state key). Wakes the lane. From steps, and from elsewhere. */
CHECKED struct err queue_drain_then_wake(struct core *c, const uint8_t lane[16]);

/* register.c: the queue is there, and empty. */
CHECKED struct err queue_begin(struct core *c, struct db_txn *t);
/* handle.c: a handle came or went; a listener hears of it from the loop. */
void queue_handles_changed(struct core *c);
/* core.c: ends what is under way; operations are told nothing. */
void queue_stop(struct core *c);

/* Given by core/receive: an opened item, inside the step. An error ends the step, and the item will
 * come again: only for faults of ours (disk, memory); what is wrong with an item is an event. */
struct queue_item;
CHECKED struct err receive_item(struct core *c, struct db_txn *t, uint64_t sequence,
                                const struct queue_item *item);

#endif
