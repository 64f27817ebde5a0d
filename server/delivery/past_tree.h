/* Trees that Welcomes lead to, until their joiners have fetched them or the Welcomes have expired.
 *
 * Both rows are sealed under the state key that the Welcome carries: that of the request that made
 * the commit. A later rotation leaves them alone, since the joiner still has that key; a request is
 * answered only under the signature of a joiner's leaf key. id = PRF(GroupId, epoch).
 *
 *     struct { opaque ref<V>; opaque signature_key<V>; uint8 fetched; } Joiner;  Joiner joiners<V>
 */
#ifndef SERVER_PAST_TREE_H
#define SERVER_PAST_TREE_H

#include "server/delivery/delivery_inside.h"

struct joiner {
    struct bytes ref; /* KeyPackageRef */
    struct bytes signature_key;
};

/* A store_call() at opening, as group_store_ready(). */
CHECKED struct err past_tree_ready(struct store_txn *txn, void *unused);

/* Sealed, to be written. Zero state is safe to clear. */
struct past_tree {
    uint64_t epoch;
    struct buf tree;
    struct buf joins;
    struct buf lock; /* of joins, group_lock.h, aad "past-lock" and the epoch */
};
void past_tree_clear(struct past_tree *past);
/* answer: what GetWelcomeInfo will say, packed. */
CHECKED struct err past_tree_seal(const struct delivery *d, struct bytes group_id,
                                  const uint8_t state_key[STATE_KEY_BYTES], uint64_t epoch,
                                  struct bytes answer, const struct joiner *joiners, size_t count,
                                  struct past_tree *ret_past);
/* Over rows of the same group id and epoch, which are of a group that was deleted. */
CHECKED struct err past_tree_keep(struct store_txn *txn, const struct delivery *d,
                                  struct bytes group_id, const struct past_tree *past,
                                  uint64_t now_s);

/* DoS3: too much waits for the joiners of one group; who comes too late resyncs. */
CHECKED struct err past_tree_drop(struct store_txn *txn, const struct delivery *d,
                                  struct bytes group_id, uint64_t epoch);

/* Appends the answer, and the joiner's key to ret_key. ERR_NOT_FOUND: no such epoch, another key,
 * or no such joiner. */
CHECKED struct err past_tree_load(struct store_txn *txn, const struct delivery *d,
                                  struct bytes group_id, const uint8_t state_key[STATE_KEY_BYTES],
                                  uint64_t epoch, struct bytes ref, struct buf *answer,
                                  struct public_key *ret_key);
/* The joiner has it. When all have, the rows stay for a day, for answers that were lost. */
CHECKED struct err past_tree_fetched(struct store_txn *txn, const struct delivery *d,
                                     struct bytes group_id,
                                     const uint8_t state_key[STATE_KEY_BYTES], uint64_t epoch,
                                     struct bytes ref, uint64_t now_s);

#endif
