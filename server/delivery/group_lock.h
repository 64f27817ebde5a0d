/* A few bytes sealed under a state key beside what is large: who comes without the key is turned
 * away by them, at the same cost whatever lies behind (P5).
 *
 *     aad     struct { opaque what<V>; opaque group_id<V>; uint64 number; }
 *     lock    at_rest(state key, aad, nothing)
 */
#ifndef SERVER_GROUP_LOCK_H
#define SERVER_GROUP_LOCK_H

#include "server/delivery/delivery_inside.h"

/* Replaces what b holds, which is not wiped. */
CHECKED struct err group_aad_write(struct buf *b, const char *what, struct bytes group_id,
                                   uint64_t number);
CHECKED struct err group_lock_seal(const struct delivery *d, const char *what,
                                   struct bytes group_id, const uint8_t state_key[STATE_KEY_BYTES],
                                   uint64_t number, struct buf *lock);
/* ERR_NOT_FOUND: not a lock of this group, number and key. */
CHECKED struct err group_lock_open(const char *what, struct bytes group_id,
                                   const uint8_t state_key[STATE_KEY_BYTES], uint64_t number,
                                   struct bytes lock);

#endif
