/* Leaves that sent too much that was invalid (DoS8) wait for an hour. Rows of their own under
 * PRF(group, pseudonym), so that a restart does not forgive.
 */
#ifndef SERVER_PAUSES_H
#define SERVER_PAUSES_H

#include "server/delivery/delivery_inside.h"

/* 0: no pause. */
CHECKED struct err pause_find(struct store_txn *txn, const uint8_t id[ROW_ID_BYTES],
                              uint64_t *ret_until_hour);
/* In a transaction of its own, at some time soon; a pause that can't be written is none. */
void pause_start(struct delivery *d, struct inbox *inbox, uint64_t principal,
                 const uint8_t id[ROW_ID_BYTES]);

#endif
