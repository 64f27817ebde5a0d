/* Notices: what the courier learned about a leaf's queue while nobody had the group open, kept
 * under PRF values until a member's request brings the key.
 *
 *     notice[16] = PRF(GroupId)[0..8) || PRF(GroupId, leaf pseudonym, sealed reference)[0..8)
 *
 * What was learned about a reference says nothing about the next one.
 */
#ifndef SERVER_NOTICES_H
#define SERVER_NOTICES_H

#include "server/delivery/delivery_inside.h"
#include "server/delivery/group_state.h"

enum { NOTICE_BYTES = 16, NOTICE_TAG_BYTES = 8, NOTICES_AT_ONCE = 64 };

/* What outbox rows to a leaf carry: the group's tag, made once, and the leaf's. */
void notice_group_tag(const struct delivery *d, struct bytes group_id,
                      uint8_t ret_tag[NOTICE_TAG_BYTES]);
void notice_leaf_tag(const struct delivery *d, struct bytes group_id, const struct leaf_entry *leaf,
                     uint8_t ret_tag[NOTICE_TAG_BYTES]);

/* The leaf's for rows that tell of a loss: what becomes of those is known apart. */
void notice_loss_tag(const struct delivery *d, struct bytes group_id, const struct leaf_entry *leaf,
                     uint8_t ret_tag[NOTICE_TAG_BYTES]);

struct notice {
    uint8_t leaf_tag[NOTICE_TAG_BYTES];
    enum queue_outcome why;
    uint64_t count;
};
/* At most NOTICES_AT_ONCE. */
CHECKED struct err notices_list(struct store_txn *txn, const struct delivery *d,
                                struct bytes group_id, struct notice *ret_notices,
                                size_t *ret_count);
/* What was listed is done with; what came since stays, to be told the next time. */
CHECKED struct err notice_drop(struct store_txn *txn, const struct delivery *d,
                               struct bytes group_id, const struct notice *notice);

/* How much was not sent to a leaf because it rests (leaf_rests). In rows of their own, since a
 * message does not change the group's state, under PRF(GroupId, index of the leaf)[0..16): another
 * reference does not change that. What is there counts for a leaf with LEAF_RESTED alone: a row may
 * be left over of who had that index before. */
struct rested {
    uint32_t leaf;
    uint64_t count;
};
void rested_tag(const struct delivery *d, struct bytes group_id, uint32_t leaf,
                uint8_t ret_tag[NOTICE_BYTES]);
/* One more: in the transaction of what is not sent. */
CHECKED struct err rested_keep(struct store_txn *txn, const struct delivery *d,
                               const uint8_t tag[NOTICE_BYTES]);
/* 0 where there is no row. */
CHECKED struct err rested_count(struct store_txn *txn, const struct delivery *d,
                                struct bytes group_id, uint32_t leaf, uint64_t *ret_count);
/* In the transaction of the state that has it in `lost`. ERR_DELIVERY_CHANGED when more came
 * meanwhile. */
CHECKED struct err rested_take(struct store_txn *txn, const struct delivery *d,
                               struct bytes group_id, const struct rested *rested);

#endif
