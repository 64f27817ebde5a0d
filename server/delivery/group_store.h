/* The row of a group: id = PRF(GroupId), version, month of expiry, lock and sealed state.
 *
 *     aad     struct { opaque what<V>; opaque group_id<V>; uint64 version; }
 *     lock    at_rest(state key, aad "group-lock", nothing)                     group_lock.h
 *     sealed  at_rest(state key, aad "group-state", GroupState padded by Padmé)
 *
 * Wrong keys fail at the lock, before the state is read; where there is no row the lock of the row
 * with the next id is tried, so that an unknown group and a wrong key cost and answer alike (P5).
 * Behind all ids lies a row that is no group's, so that there always is a next one.
 */
#ifndef SERVER_GROUP_STORE_H
#define SERVER_GROUP_STORE_H

#include "server/delivery/delivery_inside.h"
#include "server/delivery/group_state.h"

/* A store_call() at opening: puts the row behind all ids, if it is not there. */
CHECKED struct err group_store_ready(struct store_txn *txn, void *unused);

/* A state made ready to be written. Zero state is safe to clear. */
struct sealed_group {
    struct buf lock;
    struct buf sealed;
};
void sealed_group_clear(struct sealed_group *sealed);
/* Writes, pads and seals the state under the key, as that version; in place, since a large state is
 * megabytes, and each copy of it costs as much as its encryption. ERR_TOO_LARGE. */
CHECKED struct err group_seal(const struct delivery *d, struct bytes group_id,
                              const uint8_t state_key[STATE_KEY_BYTES], uint64_t version,
                              const struct group_state *state, struct sealed_group *ret_sealed);

/* Appends the GroupState to plain. ERR_NOT_FOUND: unknown, or another key. ERR_DELIVERY_STATE. */
CHECKED struct err group_store_load(struct store_txn *txn, const struct delivery *d,
                                    struct bytes group_id, const uint8_t state_key[STATE_KEY_BYTES],
                                    struct buf *plain, uint64_t *ret_version);
/* ERR_DELIVERY_CHANGED unless the row has this version. */
CHECKED struct err group_store_expect(struct store_txn *txn, const struct delivery *d,
                                      struct bytes group_id, uint64_t version);
/* Version 1. ERR_DELIVERY_EXISTS. */
CHECKED struct err group_store_insert(struct store_txn *txn, const struct delivery *d,
                                      struct bytes group_id, const struct sealed_group *sealed,
                                      uint64_t now_s);
/* version + 1 in the place of version. ERR_DELIVERY_CHANGED. */
CHECKED struct err group_store_replace(struct store_txn *txn, const struct delivery *d,
                                       struct bytes group_id, uint64_t version,
                                       const struct sealed_group *sealed, uint64_t now_s);
/* ERR_DELIVERY_CHANGED. */
CHECKED struct err group_store_delete(struct store_txn *txn, const struct delivery *d,
                                      struct bytes group_id, uint64_t version);

#endif
