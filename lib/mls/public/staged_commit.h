/* A commit checked and worked out but not yet merged: a diff over the group (RFC
 * 9420 12.4.1, 12.4.2).
 *
 * Receiving is one call, staged_commit_process. Creating goes step by step, because keys and
 * signatures of the creator depend on what comes before:
 *
 *     staged_commit_begin        list validated (12.2) and applied (12.3); s->path_required tells
 *     (external joiner only)     staged_commit_join: a leaf with keys and credential, not yet
 * signed, takes its place staged_commit_shape        s->path: the filtered direct path for which to
 * make keys staged_commit_set_keys     public keys in; s->leaf_parent_hash is for the leaf to carry
 *     staged_commit_set_leaf     the signed leaf in
 *     staged_commit_settle       leaves checked; s->provisional_context: what path secrets are
 * encrypted under (12.4.1) (encrypt to tree_resolution of s->path.copath[i] without s->added, sign
 * the FramedContent) staged_commit_confirm      transcript hash and the new GroupContext: what the
 * key schedule takes staged_commit_set_tag      the confirmation tag, and with it the interim
 * transcript hash public_group_merge
 *
 * After an error in any step only staged_commit_free is left. The group is borrowed and must not
 * change meanwhile; so are proposals and content passed in. The struct is for reading; change it by
 * the functions.
 */
#ifndef MLS_PUBLIC_STAGED_COMMIT_H
#define MLS_PUBLIC_STAGED_COMMIT_H

#include "mls/public/public_group.h"
#include "mls/public/tree_path.h"
#include "mls/public/validate_proposals.h"

struct staged_commit {
    const struct public_group *group;
    struct mls_policy policy;
    struct arena message_arena; /* the message, when public_group_process made this */
    struct tree_diff diff;      /* the provisional tree; after settle, the new one */
    struct sender committer;    /* member or new_member_commit */
    uint32_t
        committer_leaf; /* where the committer sits in the new tree; for a joiner set by join */
    struct listed_proposal *list; /* owned; in the order of the commit, references resolved */
    size_t list_count;
    uint32_t covered_count; /* pending proposals the list names */
    bool path_required;
    bool has_path;
    struct filtered_path path;      /* after shape */
    struct public_key leaf_key;     /* after set_keys */
    struct digest leaf_parent_hash; /* after set_keys; empty when the path is */

    struct node_list
        added; /* leaf NODES (2 * index) of Adds, sorted; in the order of the Adds in the list */
    struct node_list removed; /* leaf NODES of Removes */
    struct node_list updated; /* leaf NODES of Updates */
    /* Also in the list: PSKs in order (PROPOSAL_PSK), kem_output (PROPOSAL_EXTERNAL_INIT),
     * PROPOSAL_REINIT. */

    bool new_extensions;          /* there is a GroupContextExtensions */
    struct extensions extensions; /* of the new epoch: after a GroupContextExtensions */
    struct group_rules rules;     /* read from them */
    struct buf
        provisional_context; /* encoded GroupContext with the old transcript hash; after settle */
    struct buf context;      /* encoded GroupContext of the new epoch; after confirm */
    struct digest confirmed_transcript_hash;
    struct digest interim_transcript_hash;
    struct digest confirmation_tag;    /* as claimed by the committer; a member must verify it */
    struct buf reinit;                 /* the ReInit, encoded, when there is one */
    struct group_context next_context; /* views into context */
    struct group_rules next_rules;     /* the same */
    struct tree_merge merge;
    bool ready; /* for public_group_merge */
};

/* options for creators; zero is right for received commits */
struct staged_options {
    int psk_usage; /* PSK_USAGE_REINIT or _BRANCH while doing that (RFC 9420 11.2, 11.3), else 0 */
};

/* Verified content (public_group_verify), a commit: everything up to set_tag. Errors: those of the
 * steps, and ERR_MLS_PROPOSAL_REF_UNKNOWN. The content must outlive the staged commit. */
CHECKED struct err staged_commit_process(const struct public_group *g,
                                         const struct authenticated_content *content,
                                         const struct mls_policy *policy,
                                         struct staged_commit **ret_staged);
/* The same with options: for a creator who takes up a commit of its own again. */
CHECKED struct err staged_commit_process_with(const struct public_group *g,
                                              const struct authenticated_content *content,
                                              const struct mls_policy *policy,
                                              const struct staged_options *options,
                                              struct staged_commit **ret_staged);
/* *staged becomes NULL; NULL is ignored. */
void staged_commit_free(struct staged_commit **staged);

/* Errors: ERR_MLS_PROPOSAL_REF_UNKNOWN, ERR_MLS_GROUP_CLOSED, those of validate_proposal,
 * validate_list and validate_external_list, ERR_MLS_TREE_TOO_LARGE, ERR_MLS_LAST_MEMBER. Proposals
 * must have been read (raw set). */
CHECKED struct err staged_commit_begin(const struct public_group *g, struct sender committer,
                                       const struct proposal_or_ref *proposals, size_t count,
                                       const struct mls_policy *policy,
                                       const struct staged_options *options,
                                       struct staged_commit **ret_staged);
CHECKED struct err staged_commit_join(struct staged_commit *s, struct bytes raw_leaf);
CHECKED struct err staged_commit_shape(struct staged_commit *s);
/* The encryption key of the committer's new leaf, and one key for each node of s->path, from the
 * leaf up. s-> leaf_parent_hash is then what the leaf must carry. Errors: ERR_MLS_PATH_LENGTH,
 * ERR_MLS_PATH_KEY, ERR_MLS_LEAF_KEY_REUSED, ERR_MLS_PATH_KEY_REUSED. */
CHECKED struct err staged_commit_set_keys(struct staged_commit *s, struct bytes leaf_key,
                                          const struct bytes *keys, size_t count);
/* The complete leaf with that key: form, source, parent hash, signature. Errors: those of
 * validate_leaf_alone and validate_leaf_signature, ERR_MLS_PATH_PARENT_HASH. */
CHECKED struct err staged_commit_set_leaf(struct staged_commit *s, struct bytes raw_leaf);
/* Errors: ERR_MLS_PATH_REQUIRED, those of validate_leaf_in_group and validate_leaf_credentials,
 * ERR_MLS_ENCRYPTION_KEY_TWICE, ERR_MLS_SIGNATURE_KEY_TWICE. */
CHECKED struct err staged_commit_settle(struct staged_commit *s);
CHECKED struct err staged_commit_confirm(struct staged_commit *s,
                                         const struct authenticated_content *content);
/* ERR_MLS_CONFIRMATION_TAG_LENGTH */
CHECKED struct err staged_commit_set_tag(struct staged_commit *s, struct bytes tag);

/* As public_group_check_info, about the epoch this commit begins: before anything is merged. */
CHECKED struct err staged_commit_check_info(const struct staged_commit *s,
                                            const struct group_info *info);
/* RFC 9420 12.4.1: the Welcomes of a commit reach each member it adds, once, and nobody else.
 * ERR_MLS_WELCOME_MEMBERS, ERR_MLS_KEY_PACKAGE_SUITE (of a Welcome), ERR_NO_MEMORY. n log n. */
CHECKED struct err staged_commit_check_welcomes(const struct staged_commit *s,
                                                const struct welcome *welcomes, size_t count);
/* Does it cover every proposal pending in the group? (A server may ask that of regular commits, so
 * that nobody is kept from leaving; RFC 9420 12.4 leaves it to the application.) */
bool staged_commit_covers_pending(const struct staged_commit *s);
/* Does it cover the external PSK of this id (RFC 9420 12.1.4)? For who lets in by an external
 * commit only those that have it. */
bool staged_commit_has_psk(const struct staged_commit *s, struct bytes psk_id);
/* The ReInit among the proposals, or NULL. */
const struct reinit *staged_commit_reinit(const struct staged_commit *s);

#endif
