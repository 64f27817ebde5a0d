/* A small service for tests of the store: numbered items, a counter, tickets that are good once.
 * Its transactions keep an invariant between tables, and its oracle knows what must be there.
 */
#ifndef TESTS_KIT_STORE_STORE_KIT_H
#define TESTS_KIT_STORE_STORE_KIT_H

#include "store/store.h"

extern const struct store_schema kit_schema;

/* One request. The store's answer goes to result when done is set. */
struct kit_job {
    uint64_t number; /* from 1, of this run's requests */
    uint64_t ticket; /* to take; 0: none. Taking one that was taken fails with NOT_FOUND */
    bool fails;      /* does its work, then refuses */
    uint64_t item;   /* out: the sequence number it got */
    struct err result;
    int done;
};

/* Appends an item at the next sequence number, counts it, takes the ticket. */
struct err kit_run(struct store_txn *txn, void *job);
void kit_done(void *job, struct err result);

/* Adds tickets 1 to count. arg is a uint64_t. */
struct err kit_add_tickets(struct store_txn *txn, void *count);

/* Is the item there, with this request's number and ticket? For store_call_read; arg is a job;
 * NOT_FOUND when it is not. */
struct err kit_find(struct store_txn *txn, void *job);
/* Checks what holds always: items are 1, 2, 3, ... dense; the counter agrees; every taken ticket
 * stands in exactly one item. ret is a uint64_t: the number of items. INTERNAL when broken. */
struct err kit_check(struct store_txn *txn, void *ret_items);

#endif
