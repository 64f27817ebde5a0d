/* What a struct mls_group consists of, and the steps its files share. Internal to lib/mls/member.
 */
#ifndef MLS_MEMBER_GROUP_STATE_H
#define MLS_MEMBER_GROUP_STATE_H

#include "mls/member/group.h"
#include "mls/member/key_schedule.h"
#include "mls/member/treekem.h"

/* What is left of an epoch that ended: enough to read its application messages. */
struct past_epoch {
    uint64_t epoch;
    struct buf context; /* encoded GroupContext */
    struct secret sender_data;
    struct secret leaf_key; /* ours, where the commit after it replaced it; else empty */
    struct secret_tree *tree;
    struct tree_node **leaves; /* one reference each; NULL is blank */
    uint32_t width;
};
void past_epoch_clear(struct past_epoch *past);
/* Context and leaves of the group's epoch; the secrets follow when it ends. */
CHECKED struct err past_epoch_of(const struct mls_group *g, struct past_epoch *ret_past);

struct resumption {
    uint64_t epoch;
    struct secret psk;
};

/* An Update of ours that no commit has covered yet. */
struct own_update {
    struct public_key public_key;
    struct secret private_key;
};
enum { OWN_UPDATES_MAX = 64 }; /* per epoch */

struct mls_staged {
    struct staged_commit *public; /* owned; views into arena */
    struct arena arena;           /* of our own commits; of received ones it is mls_received's */
    struct bytes content;         /* own: the AuthenticatedContent, for storage */
    int psk_usage;                /* own: of struct commit_options */
    uint64_t epoch;               /* in which it was made */
    bool removes_us;              /* then there are no secrets below */
    uint32_t own_leaf;
    struct epoch_secrets secrets; /* of the new epoch, without `encryption` */
    struct secret_tree *tree;
    struct treekem_keys keys;
    struct past_epoch outgoing;
};

struct mls_group {
    struct public_group public;
    struct mls_group_config config;
    bool active;
    uint32_t own_leaf;
    struct epoch_secrets secrets; /* `encryption` is cleared */
    struct secret_tree *tree;
    struct treekem_keys keys;
    struct past_epoch *past; /* config.past_epochs of them, newest first */
    uint32_t past_count;
    struct resumption *resumptions; /* config.resumptions of them, newest first */
    uint32_t resumption_count;
    struct own_update *updates; /* OWN_UPDATES_MAX once there is one */
    uint32_t update_count;
    struct mls_staged *pending;
    uint64_t changes; /* of everything but the secret trees; 1 at the start */
    uint64_t saved;   /* `changes` when group_saved was called; 0 before */
};

/* An empty group; ERR_ARGUMENT for a config out of range, ERR_NO_MEMORY. */
CHECKED struct err group_new(const struct mls_group_config *config, struct mls_group **ret_group);
/* Takes secrets for the epoch the public group is in: `encryption` is spent on a secret tree. */
CHECKED struct err group_enter_first_epoch(struct mls_group *g, struct epoch_secrets *secrets);
/* ERR_MLS_GROUP_INACTIVE, ERR_MLS_GROUP_CLOSED */
CHECKED struct err group_check_open(const struct mls_group *g);
/* Is the client's signer that of our leaf? ERR_MLS_SIGNER */
CHECKED struct err group_check_signer(const struct mls_group *g, const struct mls_client *client);
struct message_keys group_message_keys(const struct mls_group *g);

/* Signs a leaf whose other fields are set, and appends it. leaf_index and group_id are bound by
 * sources update and commit. */
CHECKED struct err leaf_make(const struct sig_key *signer, struct leaf_node *leaf,
                             struct bytes group_id, uint32_t leaf_index, struct buf *ret_leaf);
/* One of source key_package. */
CHECKED struct err leaf_make_first(const struct mls_client *client,
                                   const struct leaf_profile *profile, struct bytes encryption_key,
                                   uint64_t lifetime_seconds, struct buf *ret_leaf);

/* What follows our leaf in the tree, by an Update; profile NULL for as before. */
CHECKED struct err leaf_make_next(const struct mls_group *g, const struct sig_key *signer,
                                  const struct leaf_profile *profile, enum leaf_source source,
                                  struct bytes encryption_key, struct bytes parent_hash,
                                  struct buf *ret_leaf);

/* RFC 9420 5.3.1; ops may be missing. */
CHECKED struct err client_accept(const struct mls_client *client,
                                 const struct mls_credential *credential,
                                 struct bytes signature_key, const struct leaf_node *replaced);
/* The leaves that a staged commit brings: added, updated, the committer's; new external senders. */
CHECKED struct err client_accept_staged(const struct mls_client *client,
                                        const struct staged_commit *s);
/* All members of a tree, external senders too. */
CHECKED struct err client_accept_all(const struct mls_client *client, const struct public_group *g);

/* psk_secret (8.4) of a list of PreSharedKeyIDs. */
struct psk_bag;
CHECKED struct err psk_bag_new(size_t room, struct psk_bag **ret_bag);
void psk_bag_free(struct psk_bag *bag);
/* encoded: the id's bytes, borrowed. g: the group whose own resumption PSKs are known, or NULL.
 * ERR_MLS_PSK_UNKNOWN. */
CHECKED struct err psk_bag_add(struct psk_bag *bag, const struct mls_client *client,
                               const struct mls_group *g, const struct psk_id *id,
                               struct bytes encoded);
CHECKED struct err psk_bag_secret(const struct psk_bag *bag, const struct suite *suite,
                                  struct secret *ret_secret);
/* Of the PreSharedKey proposals of a staged commit, in order; g may be NULL. */
CHECKED struct err psk_secret_of_staged(const struct mls_group *g, const struct mls_client *client,
                                        const struct staged_commit *s, struct secret *ret_secret);

/* RFC 9420 11.2, 11.3: does the group joined with that PSK (usage reinit or branch, NULL when there
 * was none) fit the old one? old may be NULL: then anything does. ERR_MLS_SUCCESSOR. */
CHECKED struct err group_check_successor(const struct mls_group *old, const struct psk_id *psk,
                                         const struct public_group *g);

/* The secrets of the epoch that a staged commit (past staged_commit_confirm) begins. */
struct next_epoch {
    struct secret joiner;
    struct secret psk;
    struct epoch_secrets secrets;
};
void next_epoch_clear(struct next_epoch *next);
CHECKED struct err next_epoch_derive(const struct mls_client *client, const struct mls_group *g,
                                     const struct staged_commit *s,
                                     const struct secret *init_secret,
                                     const struct secret *commit_secret,
                                     struct next_epoch *ret_next);

/* A group as bytes and back (group_store.c). Where the secret trees of the epochs are apart, they
 * are left out, and NULL after reading. ERR_MLS_GROUP_STATE. */
enum group_trees { GROUP_TREES_INSIDE, GROUP_TREES_APART };
CHECKED struct err group_pack_write(const struct mls_group *g, enum group_trees trees,
                                    struct buf *b);
CHECKED struct err group_pack_blame(struct err err); /* of parts: ERR_MLS_GROUP_STATE */
CHECKED struct err group_pack_read(const struct mls_client *client, enum group_trees trees,
                                   struct bytes in, struct mls_group **ret_group);

/* Fills a staged object with the new epoch's secrets and secret tree; `encryption` is spent. */
CHECKED struct err mls_staged_fill(const struct mls_group *g, struct epoch_secrets *secrets,
                                   struct mls_staged *staged);

#endif
