/* Bodies of DeliveryItems (fan_out.h), both ends, and what a commit says of leaves.
 *
 *     struct { uint32 leaf; opaque user_pseudonym[16]; opaque wrapped_identity_key<V>;
 *              opaque wrapped_profile_key<V>; opaque pseudonym_signature<V>; } LeafNews;
 *     DELIVERY_COMMIT    struct { opaque commit<V>; opaque external_pub_hash<V>; LeafNews
 * leaves<V>; } DELIVERY_PROPOSAL  struct { uint8 reason; opaque message<V>; } DELIVERY_TARGETED
 * struct { uint32 sender_leaf; opaque message<V>; } DELIVERY_LOSS      struct { uint64 count; }
 *     DELIVERY_FAULT     struct { uint64 epoch; uint32 reporter_leaf; opaque commit_hash[32]; }
 *     DELIVERY_LEAF_NEWS LeafNews
 *
 * external_pub_hash is SHA-256 of the external_pub extension's data in the GroupInfo that the
 * server now holds, or empty when the group ended.
 *
 * A commit's authenticated_data binds the wrapped keys (protocol.md 3), so that the committer
 * answers for them: for each Add in order, then for the committer if its record changed,
 *     struct { opaque user_pseudonym[16]; opaque wrapped_identity_key<V>;
 *              opaque wrapped_profile_key<V>; } LeafKeys;     LeafKeys keys<V>
 * and nothing at all where there are none.
 */
#ifndef SEAL_DELIVERY_BODY_H
#define SEAL_DELIVERY_BODY_H

#include "seal/leaf_credential.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* Why the proposal was made. Append, never renumber. */
enum delivery_reason {
    DELIVERY_REASON_LEAVES = 1,   /* ProposeSelfRemove */
    DELIVERY_REASON_INACTIVE = 2, /* server: nothing heard for too long */
    DELIVERY_REASON_GONE = 3,     /* server: the queue is gone */
};

/* Views. */
struct leaf_news {
    uint32_t leaf;
    const uint8_t *user_pseudonym; /* PSEUDONYM_BYTES */
    struct bytes wrapped_identity_key;
    struct bytes wrapped_profile_key; /* empty: none */
    struct bytes pseudonym_signature; /* empty: the first with its pseudonym */
};
void leaf_news_write(struct buf *b, const struct leaf_news *news);
/* Sticky in the reader. */
void leaf_news_read(struct wire_reader *r, struct leaf_news *ret_news);

void delivery_commit_write(struct buf *b, struct bytes commit, struct bytes external_pub_hash,
                           const struct leaf_news *leaves, size_t count);
/* ret_leaves: contents of the vector, checked; walk with leaf_news_read until nothing is left. */
CHECKED struct err delivery_commit_parse(struct bytes body, struct bytes *ret_commit,
                                         struct bytes *ret_external_pub_hash,
                                         struct bytes *ret_leaves);
void delivery_proposal_write(struct buf *b, enum delivery_reason reason, struct bytes message);
CHECKED struct err delivery_proposal_parse(struct bytes body, enum delivery_reason *ret_reason,
                                           struct bytes *ret_message);
void delivery_targeted_write(struct buf *b, uint32_t sender_leaf, struct bytes message);
CHECKED struct err delivery_targeted_parse(struct bytes body, uint32_t *ret_sender_leaf,
                                           struct bytes *ret_message);
void delivery_loss_write(struct buf *b, uint64_t count);
CHECKED struct err delivery_loss_parse(struct bytes body, uint64_t *ret_count);
enum { COMMIT_HASH_BYTES = 32 };
void delivery_fault_write(struct buf *b, uint64_t epoch, uint32_t reporter_leaf,
                          const uint8_t commit_hash[COMMIT_HASH_BYTES]);
CHECKED struct err delivery_fault_parse(struct bytes body, uint64_t *ret_epoch,
                                        uint32_t *ret_reporter_leaf, struct bytes *ret_commit_hash);

/* The authenticated_data of a commit; leaf and pseudonym_signature are not part of it. */
void leaf_keys_write(struct buf *b, const struct leaf_news *leaves, size_t count);

#endif
