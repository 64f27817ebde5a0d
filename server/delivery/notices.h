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

#endif
