/* A group as a server knows it: the public ring of one epoch (RFC 9420 8 to 12), no secrets.
 *
 * It follows a group by its handshake messages and refuses whatever public data shows to be
 * invalid. What only members can check is left to them: membership tag, confirmation tag, path
 * secrets. The member ring contains this struct and goes through the same functions, so validation
 * exists once:
 *
 *     server   public_group_process(message) -> stored proposal, or staged commit ->
 * public_group_merge member   decrypts or checks the tag -> public_group_verify ->
 * public_group_add_proposal, or staged_commit_process -> key schedule over what it shows ->
 * public_group_merge creator  staged_commit_begin ... (staged_commit.h)
 *
 * Nothing changes on failure. A staged commit borrows the group: merge it or free it before
 * anything else changes the group. Adding a proposal is no such change: stored proposals stay where
 * they are. Not thread-safe.
 */
#ifndef MLS_PUBLIC_PUBLIC_GROUP_H
#define MLS_PUBLIC_PUBLIC_GROUP_H

#include "crypto/suite.h"
#include "mls/codec/message.h"
#include "mls/public/policy.h"
#include "mls/public/proposal_store.h"
#include "mls/public/tree.h"
#include "mls/public/validate_leaf.h"

struct staged_commit;

struct public_group {
    const struct suite *suite;
    struct tree tree;
    struct buf context_bytes;     /* the encoded GroupContext */
    struct group_context context; /* views into context_bytes */
    struct group_rules rules;     /* what the context's extensions ask of leaves; the same */
    struct digest interim_transcript_hash;
    struct digest confirmation_tag; /* of the commit that began the epoch */
    struct proposal_store proposals;
    struct buf
        reinit; /* the ReInit that ended the group, encoded; empty while it lives (RFC 9420 11.2) */
};

/* Verifies a GroupInfo with its tree, all of RFC 9420 12.4.3.1 that needs no secret, and takes the
 * group from it. ratchet_tree: given from outside, or empty: then it must be in the GroupInfo's
 * extensions. Errors: ERR_MLS_SUITE_UNKNOWN, ERR_MLS_TREE_MISSING, those of tree_load and
 * validate_tree, ERR_MLS_TREE_HASH, ERR_MLS_GROUP_INFO_SIGNER, ERR_MLS_GROUP_INFO_SIGNATURE,
 * ERR_MLS_TRANSCRIPT_HASH_LENGTH, ERR_MLS_CONFIRMATION_TAG_LENGTH, ERR_MLS_EXTENSION_TWICE,
 * ERR_MLS_EXTERNAL_PUB. */
CHECKED struct err public_group_from_group_info(const struct group_info *info,
                                                struct bytes ratchet_tree,
                                                const struct mls_policy *policy,
                                                struct public_group *ret_group);

/* A new group of one member, epoch 0 (RFC 9420 11). The leaf is validated like one in a tree, with
 * its signature. The confirmation tag, which needs secrets, follows by
 * public_group_set_confirmation_tag. */
CHECKED struct err public_group_create(const struct suite *suite, struct bytes group_id,
                                       const struct extensions *extensions, struct bytes raw_leaf,
                                       const struct mls_policy *policy,
                                       struct public_group *ret_group);
/* Epoch 0 only: works out the interim transcript hash. tag has the suite's hash length. */
void public_group_set_confirmation_tag(struct public_group *g, struct bytes tag);

/* The zero state is safe to clear. */
void public_group_clear(struct public_group *g);

/* What a server does with a message: an MLSMessage with a PublicMessage. A proposal is verified and
 * stored, then *ret_staged is NULL; a commit is verified and staged. Errors: everything below. */
CHECKED struct err public_group_process(struct public_group *g, struct bytes message,
                                        const struct mls_policy *policy,
                                        struct staged_commit **ret_staged);

/* Group, epoch, sender, tag lengths and signature of handshake content (RFC 9420 6.1). For content
 * of a PrivateMessage too. Errors: ERR_MLS_APPLICATION_PUBLIC, ERR_MLS_GROUP_ID, ERR_MLS_EPOCH,
 * ERR_MLS_CONTENT_SENDER, ERR_MLS_SENDER_LEAF, ERR_MLS_EXTERNAL_SENDER, ERR_MLS_EXTERNAL_PRIVATE,
 * ERR_MLS_MESSAGE_SIGNATURE, ERR_MLS_CONFIRMATION_TAG_LENGTH, ERR_MLS_PATH_REQUIRED,
 * ERR_MLS_GROUP_CLOSED. */
CHECKED struct err public_group_verify(const struct public_group *g,
                                       const struct authenticated_content *content);
/* The signature key of a sender (RFC 9420 6.1), as public_group_verify takes it. Views into group
 * or content. */
CHECKED struct err public_group_sender_key(const struct public_group *g,
                                           const struct authenticated_content *content,
                                           struct bytes *ret_key);

/* The signature alone (RFC 9420 6.1), under a key and the encoded GroupContext of the epoch the
 * content belongs to: for a member reading messages of an epoch that is over.
 * ERR_MLS_MESSAGE_SIGNATURE, ERR_NO_MEMORY. */
CHECKED struct err public_group_verify_signature(const struct suite *suite,
                                                 const struct authenticated_content *content,
                                                 struct bytes context, struct bytes key);

/* Validates a verified proposal by itself and stores it. Errors: those of validate_proposal,
 * proposal_store_add. */
CHECKED struct err public_group_add_proposal(struct public_group *g,
                                             const struct authenticated_content *content,
                                             const struct mls_policy *policy);

/* Into the next epoch. Can't fail; *staged becomes NULL. */
void public_group_merge(struct public_group *g, struct staged_commit **staged);

/* Accessors; views live until the next merge. */
static inline struct bytes public_group_context(
    const struct public_group *g) /* encoded GroupContext */
{
    return buf_view(&g->context_bytes);
}
static inline uint64_t public_group_epoch(const struct public_group *g)
{
    return g->context.epoch;
}
static inline uint32_t public_group_member_count(const struct public_group *g)
{
    return g->tree.member_count;
}
static inline bool public_group_leaf(const struct public_group *g, uint32_t leaf_index,
                                     struct leaf_node *ret_leaf)
{
    return tree_leaf(&g->tree, leaf_index, ret_leaf);
}

/* Is this the GroupInfo of the group's present epoch: same GroupContext and confirmation tag,
 * signed by a member? For a server that is handed a new one with each commit. Whether it has a tree
 * or an external_pub is for the caller to ask. ERR_MLS_GROUP_INFO_STATE, and what
 * public_group_from_group_info says about the form. */
CHECKED struct err public_group_check_info(const struct public_group *g,
                                           const struct group_info *info);

/* Is there a Remove of this leaf among the pending proposals? */
bool public_group_remove_pending(const struct public_group *g, uint32_t leaf_index);

/* RFC 9420 11.2: the group has ended by a ReInit; only a view of it remains. */
static inline bool public_group_is_closed(const struct public_group *g)
{
    return g->reinit.len > 0;
}

/* RFC 9420 11.2, 12.4.3.1: is `next` (epoch 1 of the new group) what the ReInit of the closed group
 * announced? ERR_MLS_REINIT_MISMATCH. And are all members of the old group in it?
 * ERR_MLS_REINIT_MEMBERS. */
CHECKED struct err public_group_check_reinit(const struct public_group *closed,
                                             const struct public_group *next);
/* RFC 9420 11.3, 12.4.3.1: is `next` a subgroup branched from `from`? ERR_MLS_BRANCH_MISMATCH,
 * ERR_MLS_BRANCH_MEMBERS. In both, members are matched by equal credentials; an application that
 * matches them otherwise does so itself. */
CHECKED struct err public_group_check_branch(const struct public_group *from,
                                             const struct public_group *next);

/* The whole state, for storage that keeps it from being changed: loading trusts it and verifies no
 * signature, but checks form and that the tree fits its hash. */
void public_group_save(struct buf *b, const struct public_group *g);
CHECKED struct err public_group_load(struct bytes in, struct public_group *ret_group);

/* Private to lib/mls/public: takes an encoded context over and reads it. ERR_MLS_SUITE_UNKNOWN, ...
 */
CHECKED struct err public_group_adopt_context(struct public_group *g, struct bytes context);

#endif
