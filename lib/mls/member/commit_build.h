/* A commit in the making (RFC 9420 12.4.1, 12.4.3.2): steps that regular and external commits
 * share. Internal to lib/mls/member. */
#ifndef MLS_MEMBER_COMMIT_BUILD_H
#define MLS_MEMBER_COMMIT_BUILD_H

#include "mls/member/frame.h"

struct commit_build {
    struct mls_group *group; /* for an external joiner the group it is not in yet */
    const struct mls_client *client;
    const struct sig_key *message_signer; /* signs the FramedContent and GroupInfo */
    const struct sig_key *leaf_signer;    /* signs the new leaf */
    const struct mls_group *predecessor;  /* or NULL */
    struct mls_staged *staged;            /* owned until it is pending */
    struct staged_commit *s;              /* staged->public */
    const struct proposal_or_ref *list;
    size_t count;
    struct treekem_path *path; /* owned; NULL without a path */
    struct update_path update;
    struct update_path_node *nodes;
    struct authenticated_content content;
    struct signature signature;
    struct digest tag;
    struct next_epoch next;
};

/* A zero one with group, client and signers set; makes `staged`. */
CHECKED struct err commit_build_start(struct commit_build *b);
/* Wipes and frees everything that was not handed over. */
void commit_build_clear(struct commit_build *b);

/* Of a regular commit: by value, then by reference. Into the arena of the staged object. */
CHECKED struct err commit_select(struct commit_build *b, const struct commit_options *options);

/* From the shape on: new keys, the signed leaf (profile and everything else from *leaf, whose keys
 * and parent hash are filled in here). */
CHECKED struct err commit_build_path(struct commit_build *b, struct leaf_node *leaf);
/* From staged_commit_settle to the confirmation tag: path secrets encrypted, content signed, the
 * new epoch's secrets derived. b->content has been begun. */
CHECKED struct err commit_build_finish(struct commit_build *b, const struct secret *init_secret);
/* Secrets and keys of the new epoch into the staged object, which becomes the group's pending one.
 * Last of all. */
CHECKED struct err commit_build_seal(struct commit_build *b);

/* GroupInfo of the epoch to come, signed (12.4.3), not wrapped. more: encoded Extensions. */
CHECKED struct err commit_group_info(const struct commit_build *b,
                                     struct group_info_options options, struct bytes more,
                                     struct buf *ret_info);
/* Welcome (12.4.3.1) as MLSMessage, around that GroupInfo. */
CHECKED struct err welcome_make(const struct commit_build *b, struct bytes group_info,
                                struct buf *ret_welcome);

/* A GroupInfo from its parts, signed, appended. tree: ratchet_tree data or empty; external_secret
 * or NULL. */
CHECKED struct err group_info_sign(const struct sig_key *signer, const struct suite *suite,
                                   const struct group_context *context, struct bytes tag,
                                   uint32_t leaf_index, struct bytes tree,
                                   const struct secret *external_secret, struct bytes more,
                                   struct buf *ret_info);

#endif
