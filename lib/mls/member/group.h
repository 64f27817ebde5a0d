/* A group as one of its members knows it (RFC 9420): the ring that holds the secrets.
 *
 * It contains the public ring (lib/mls/public/public_group.h) and goes through the same validation;
 * on top of it come path secrets, the key schedule, the secret tree and the tags. Bytes in, bytes
 * out: no I/O, no clock, no randomness but what struct mls_client brings.
 *
 *     group_create, group_join (Welcome), group_join_external     how one gets in
 *     group_propose, group_commit                                 own handshake messages
 *     group_process                                               those of others, and application
 * data
 *     group_merge, group_merge_pending, group_drop_pending        into the next epoch, or not
 *     group_protect                                               application data
 *     group_leaf_decrypt                                          what is sealed to one's own leaf
 *     group_write, group_read                                     storage, under the caller's seal
 *     group_save, group_load (group_save.h)                       the same in pieces
 *
 * Commits are staged: making one leaves it pending in the group until the server has accepted it
 * (group_merge_pending) or another's won (merging that drops ours). A received commit is staged in
 * struct mls_received and merged by the caller after it has stored what it must.
 *
 * Every function that fails leaves the group as it was, but for a generation of one's own sender
 * ratchet, which may be skipped. Secrets are wiped as RFC 9420 9.2 wants; what a group retains of
 * past epochs is bounded by its config. Not thread-safe.
 */
#ifndef MLS_MEMBER_GROUP_H
#define MLS_MEMBER_GROUP_H

#include "crypto/sig.h"
#include "mls/member/secret_tree.h"
#include "mls/public/public_group.h"
#include "mls/public/staged_commit.h"

struct mls_group;
struct mls_staged;

/* What a group asks of the client it belongs to. Members may be NULL: then no PSK is known, and
 * every credential is accepted. */
struct mls_client_ops {
    /* Appends an external PSK. ERR_MLS_PSK_UNKNOWN. */
    CHECKED struct err (*psk)(void *self, struct bytes psk_id, struct buf *psk);
    /* resumption_psk of another group (group_resumption_psk). ERR_MLS_PSK_UNKNOWN. */
    CHECKED struct err (*resumption)(void *self, struct bytes group_id, uint64_t epoch,
                                     struct secret *ret_psk);
    /* RFC 9420 5.3.1: does the credential speak the truth about the key? replaced: the leaf whose
     * place the new one takes (Update, path of a commit, resync), or NULL; the application then
     * decides whether both are the same client. ERR_MLS_CREDENTIAL_REFUSED. */
    CHECKED struct err (*accept)(void *self, const struct mls_credential *credential,
                                 struct bytes signature_key, const struct leaf_node *replaced);
};

/* Borrowed by each call. */
struct mls_client {
    const struct rng *rng;
    const struct sig_key *signer;     /* of our leaf; NULL where a call does not sign */
    struct mls_policy policy;         /* with the time */
    const struct mls_client_ops *ops; /* NULL: none of them */
    void *self;
};

/* How a group is used; chosen at start, stored with it. */
struct mls_group_config {
    bool public_handshake; /* our proposals and commits go as PublicMessage */
    /* Application messages are padded with zeros to a multiple of this, handshake messages in
     * PrivateMessages too; 0: no padding (RFC 9420 6.3.1, 16.1). At most MLS_PADDING_MAX. */
    uint32_t padding_block;
    /* Epochs before the current one whose application messages still can be read. Each keeps its
     * secret tree and costs forward secrecy. At most MLS_PAST_EPOCHS_MAX. */
    uint32_t past_epochs;
    /* Keys of our leaf that a commit replaced stay as long as their epoch does, for
     * group_leaf_decrypt. They also open the path secrets of commits of that time. */
    bool past_leaf_keys;
    /* Epochs, the current one included, whose resumption_psk is kept. At least 1, at most
     * MLS_RESUMPTIONS_MAX. */
    uint32_t resumptions;
    struct secret_tree_limits limits;
};
enum { MLS_PADDING_MAX = 65536, MLS_PAST_EPOCHS_MAX = 16, MLS_RESUMPTIONS_MAX = 64 };
#define MLS_GROUP_CONFIG_DEFAULT                    \
    ((struct mls_group_config){.padding_block = 32, \
                               .past_epochs = 2,    \
                               .resumptions = 8,    \
                               .limits = SECRET_TREE_LIMITS_DEFAULT})

/* ---- key packages ---- */

/* Our side of a KeyPackage: what must be kept until it is used. Clear it. */
struct key_package_bundle {
    struct buf key_package; /* encoded KeyPackage, without MLSMessage around */
    struct secret init_key; /* private; to be deleted after one use (RFC 9420 16.8) */
    struct secret leaf_key; /* private half of the leaf's encryption_key */
};
void key_package_bundle_clear(struct key_package_bundle *bundle);

/* What a leaf says of its client. Borrowed. */
struct leaf_profile {
    struct mls_credential credential;
    struct capabilities capabilities; /* raw lists; see capabilities_default */
    struct extensions extensions;
};
/* mls10, the seven suites, no further extensions and proposals, basic and x509 credentials, and a
 * GREASE value (RFC 9420 13.5) in each list but the first. Views into static memory. */
struct capabilities capabilities_default(void);

/* RFC 9420 10. Valid from an hour before client->policy.now, since clocks differ, until
 * lifetime_seconds after it. extensions: of the KeyPackage, or NULL.
 * Errors: ERR_ARGUMENT (no signer), ERR_IO (rng), ERR_NO_MEMORY. */
CHECKED struct err key_package_make(const struct mls_client *client, const struct suite *suite,
                                    const struct leaf_profile *profile, uint64_t lifetime_seconds,
                                    const struct extensions *extensions,
                                    struct key_package_bundle *ret_bundle);
/* KeyPackageRef (RFC 9420 5.2). ERR_MLS_SUITE_UNKNOWN. */
CHECKED struct err key_package_ref(struct bytes key_package, struct digest *ret_ref);

/* ---- getting in ---- */

/* A group of one, epoch 0 (RFC 9420 11). The caller chooses a group_id that nobody else has. */
CHECKED struct err group_create(const struct mls_client *client, const struct suite *suite,
                                const struct mls_group_config *config, struct bytes group_id,
                                const struct extensions *extensions,
                                const struct leaf_profile *profile, struct mls_group **ret_group);

/* By Welcome (RFC 9420 12.4.3.1): an MLSMessage. ratchet_tree: from outside, or empty when it is in
 * the GroupInfo. The caller deletes the bundle's private keys after success and refuses a group_id
 * it already has (12.4.3.1).
 * predecessor: the group that this one follows (11.2) or branches off (11.3), or NULL; then a
 * resumption PSK of usage reinit or branch in the Welcome is refused. Errors: ERR_MLS_WELCOME_...,
 * ERR_MLS_PSK_UNKNOWN, ERR_MLS_PATH_SECRET, ERR_MLS_CONFIRMATION_TAG, ERR_MLS_CREDENTIAL_REFUSED,
 * ERR_MLS_SUCCESSOR, those of public_group_from_group_info. */
CHECKED struct err group_join(const struct mls_client *client,
                              const struct mls_group_config *config,
                              const struct key_package_bundle *bundle, struct bytes welcome,
                              struct bytes ratchet_tree, const struct mls_group *predecessor,
                              struct mls_group **ret_group);
/* What a Welcome says before one joins, for who fetches the tree elsewhere: group, epoch and the
 * extensions of the GroupInfo. Nothing of it is verified but that whoever made it knew the PSKs:
 * group_join() verifies, given the same Welcome. Clear it, which wipes. Errors:
 * ERR_MLS_WELCOME_..., ERR_MLS_PSK_UNKNOWN. */
struct welcome_news {
    struct buf group_id;
    uint64_t epoch;
    struct buf extensions; /* encoded, for extensions_find() */
};
CHECKED struct err welcome_peek(const struct mls_client *client,
                                const struct key_package_bundle *bundle, struct bytes welcome,
                                const struct mls_group *predecessor, struct welcome_news *ret_news);
void welcome_news_clear(struct welcome_news *news);
/* Is there something for the KeyPackage in the Welcome (an MLSMessage)? */
bool welcome_has(struct bytes welcome, struct bytes key_package_ref);
/* A Welcome (MLSMessage) with the secrets of one joiner only, for servers that hand out pieces.
 * ERR_MLS_WELCOME_NOT_FOR_US. */
CHECKED struct err welcome_split(struct bytes welcome, struct bytes key_package_ref,
                                 struct buf *ret_welcome);

struct external_join {
    struct bytes group_info;   /* MLSMessage with a GroupInfo that has external_pub */
    struct bytes ratchet_tree; /* or empty: in the GroupInfo */
    bool resync;               /* remove a former leaf of ours (RFC 9420 12.4.3.2) */
    uint32_t former_leaf;      /* which */
    const struct psk_id *psks; /* nonces are drawn here, those given are ignored */
    size_t psk_count;
    struct bytes authenticated_data;
};
/* By external commit: the group is not active until group_merge_pending. */
CHECKED struct err group_join_external(const struct mls_client *client,
                                       const struct mls_group_config *config,
                                       const struct external_join *join,
                                       const struct leaf_profile *profile, struct buf *ret_commit,
                                       struct mls_group **ret_group);

/* Wipes and frees; NULL is fine. */
void group_free(struct mls_group *g);

/* ---- what it is ---- */

const struct public_group *group_public(const struct mls_group *g);
uint32_t group_own_leaf(const struct mls_group *g);
/* False before an external commit is accepted and after one's removal. */
bool group_is_active(const struct mls_group *g);
bool group_has_pending(const struct mls_group *g);
uint64_t group_epoch(const struct mls_group *g);
/* 8.7; a secret view, until the next merge. */
struct bytes group_epoch_authenticator(const struct mls_group *g);
/* MLS-Exporter (8.5), len at most 255 * Nh. ERR_MLS_GROUP_INACTIVE, ERR_CRYPTO_LENGTH. */
CHECKED struct err group_export(const struct mls_group *g, struct bytes label, struct bytes context,
                                size_t len, uint8_t *ret_out);
/* ERR_MLS_PSK_UNKNOWN for an epoch that is not kept. */
CHECKED struct err group_resumption_psk(const struct mls_group *g, uint64_t epoch,
                                        struct secret *ret_psk);
/* The ratchet_tree extension's data. */
CHECKED struct err group_ratchet_tree(const struct mls_group *g, struct buf *b);
/* A signed GroupInfo as MLSMessage, of the current epoch (12.4.3). */
struct group_info_options {
    bool ratchet_tree;
    bool external_pub;
};
CHECKED struct err group_make_info(const struct mls_group *g, const struct mls_client *client,
                                   struct group_info_options options, struct buf *ret_info);

/* ---- own handshake messages ---- */

/* An encoded Proposal, signed, framed as the config says and kept for commits by reference. An
 * Update must have been made by group_propose_update. Errors: those of validate_proposal,
 * ERR_MLS_GROUP_INACTIVE, ERR_MLS_SIGNER. ret_ref may be NULL. */
CHECKED struct err group_propose(struct mls_group *g, const struct mls_client *client,
                                 struct bytes proposal, struct bytes authenticated_data,
                                 struct buf *ret_message, struct digest *ret_ref);
/* A fresh leaf; new_signer, profile: or NULL for as before. client->signer stays the old one until
 * a commit with the Update is merged (look at one's own leaf then). At most 64 in an epoch. */
CHECKED struct err group_propose_update(struct mls_group *g, const struct mls_client *client,
                                        const struct sig_key *new_signer,
                                        const struct leaf_profile *profile,
                                        struct bytes authenticated_data, struct buf *ret_message,
                                        struct digest *ret_ref);

struct commit_options {
    const struct bytes *proposals; /* by value: encoded Proposals */
    size_t proposal_count;
    /* by reference: all that are stored and can stand in one list, unless given here */
    bool some_references;
    const struct bytes *references; /* ProposalRefs */
    size_t reference_count;
    bool force_path;
    struct bytes authenticated_data;
    bool private_message, public_message; /* neither: as the config says */
    bool tree_beside;  /* Welcomes without ratchet_tree; it comes from elsewhere */
    bool external_pub; /* in Welcomes' and the given GroupInfo */
    /* encoded Extensions, for joiners only: in the Welcomes' GroupInfo, not in the given one, and
     * the committer signs both. No ratchet_tree, no external_pub, each type once. */
    struct bytes welcome_extensions;
    /* for the new leaf, or NULL; client->signer must be this one from the merge on */
    const struct sig_key *new_signer;
    const struct leaf_profile *profile; /* the same */
    /* in the first commit of a successor (group_reinit, group_branch): whose resumption PSK it is,
     * and PSK_USAGE_REINIT or _BRANCH; else NULL, 0 */
    const struct mls_group *predecessor;
    int psk_usage;
};
/* What to send. Clear it. */
struct commit_output {
    struct buf commit;     /* MLSMessage */
    struct buf welcome;    /* MLSMessage; empty when nobody was added */
    struct buf group_info; /* MLSMessage of the new epoch, with external_pub and, unless
                              tree_beside, ratchet_tree; empty unless external_pub was asked */
};
void commit_output_clear(struct commit_output *out);
/* Makes a commit and keeps it pending, in the place of one that was. Errors: those of the
 * staged_commit steps, ERR_MLS_PSK_UNKNOWN, ERR_MLS_GROUP_INACTIVE, ERR_MLS_SIGNER. */
CHECKED struct err group_commit(struct mls_group *g, const struct mls_client *client,
                                const struct commit_options *options,
                                struct commit_output *ret_output);
/* ---- successors ---- */

/* A new group of members of an old one, tied to it by a resumption PSK; its first commit is
 * pending, the Welcome is for the others. */
struct successor {
    const struct bytes *key_packages; /* of the others, encoded, of the new group's suite */
    size_t count;
    const struct leaf_profile *profile; /* of our leaf */
    const struct mls_group_config *config;
    bool force_path;
    bool tree_beside;
    /* group_branch only; a ReInit has its own */
    struct bytes group_id;
    const struct extensions *extensions; /* or NULL */
};
/* RFC 9420 11.2: after the commit of a ReInit; the group is as that says. client->signer is of the
 * new suite. ERR_WRONG_STATE when the old group has not ended, ERR_MLS_SUITE_UNKNOWN. */
CHECKED struct err group_reinit(const struct mls_group *closed, const struct mls_client *client,
                                const struct successor *successor, struct commit_output *ret_output,
                                struct mls_group **ret_group);
/* RFC 9420 11.3: a subgroup, of the same suite, from the current epoch. */
CHECKED struct err group_branch(const struct mls_group *from, const struct mls_client *client,
                                const struct successor *successor, struct commit_output *ret_output,
                                struct mls_group **ret_group);

/* ---- pending commits ---- */

/* NULL when there is none. For looking at. */
const struct staged_commit *group_pending(const struct mls_group *g);
/* The signed GroupInfo of the epoch that our pending commit leads to, as MLSMessage: what goes with
 * an external commit, and what a regular one gave as commit_output.group_info. client->signer is
 * that of our leaf to come. Works after a restart too. ERR_WRONG_STATE when nothing is pending,
 * ERR_MLS_SIGNER. */
CHECKED struct err group_make_pending_info(const struct mls_group *g,
                                           const struct mls_client *client,
                                           struct group_info_options options, struct buf *ret_info);
/* Into the epoch of our own commit. ERR_WRONG_STATE when nothing is pending. */
CHECKED struct err group_merge_pending(struct mls_group *g);
void group_drop_pending(struct mls_group *g);

/* ---- from outside ---- */

/* A proposal by who is not a member (RFC 9420 12.1.8), as PublicMessage: sender external (the index
 * in external_senders, whose key signs) or new_member_proposal (an Add of oneself, signed with the
 * KeyPackage's key). proposal: encoded. ERR_ARGUMENT for another sender. */
CHECKED struct err outside_propose(const struct sig_key *signer, struct bytes group_id,
                                   uint64_t epoch, struct sender sender, struct bytes proposal,
                                   struct buf *ret_message);

/* ---- received messages ---- */

enum mls_received_type { MLS_RECEIVED_APPLICATION, MLS_RECEIVED_PROPOSAL, MLS_RECEIVED_COMMIT };

/* Everything that came out of a message; views live until it is cleared. `staged` looks into it
 * too, so merge or free that first; clearing frees what is still there. */
struct mls_received {
    enum mls_received_type type;
    uint64_t epoch; /* of the message: for application data perhaps a past one */
    struct sender sender;
    struct bytes authenticated_data;
    struct bytes application_data; /* application only; wiped on clear */
    struct bytes sender_leaf;      /* encoded LeafNode of a member, as of that epoch */
    struct digest proposal_ref;    /* proposal only */
    struct mls_staged *staged;     /* commit only; group_merge takes it */
    struct arena arena;
};
void mls_received_clear(struct mls_received *received);

/* An MLSMessage with a PublicMessage or PrivateMessage. A proposal is stored; a commit is checked
 * in full, confirmation tag included, and staged; application data is decrypted and its key used
 * up. Errors: those of public_group_verify, of proposals and commits, and ERR_MLS_MEMBERSHIP_TAG,
 * ERR_MLS_CONFIRMATION_TAG, ERR_MLS_OWN_MESSAGE, ERR_MLS_EPOCH_GONE, ERR_MLS_EPOCH (ahead of us),
 * ERR_MLS_GENERATION_..., ERR_CRYPTO_TAG, ERR_MLS_PSK_UNKNOWN, ERR_MLS_PATH_SECRET,
 * ERR_MLS_CREDENTIAL_REFUSED, ERR_MLS_GROUP_INACTIVE. */
CHECKED struct err group_process(struct mls_group *g, const struct mls_client *client,
                                 struct bytes message, struct mls_received *ret_received);

/* Into the epoch of a received commit; a pending one of ours is dropped, *staged becomes NULL. If
 * the commit removed us, the group becomes inactive and the secrets of the epoch that ends are
 * wiped; of the past epochs before it, messages within the window stay readable. ERR_WRONG_STATE
 * when the commit is not of the group's current epoch; then nothing happens. */
CHECKED struct err group_merge(struct mls_group *g, struct mls_staged **staged);
/* What the commit does; views live as long as it. */
const struct staged_commit *mls_staged_view(const struct mls_staged *staged);
bool mls_staged_removes_us(const struct mls_staged *staged);
/* Wipes and frees; *staged becomes NULL. */
void mls_staged_free(struct mls_staged **staged);

/* ---- application data ---- */

/* A PrivateMessage. RFC 9420 15.2: refused while proposals are stored that no commit covers yet
 * would be stricter than the RFC asks; that is left to the application. Errors:
 * ERR_MLS_GROUP_INACTIVE, ERR_MLS_GROUP_CLOSED, ERR_MLS_SIGNER, ERR_MLS_RATCHET_END. */
CHECKED struct err group_protect(struct mls_group *g, const struct mls_client *client,
                                 struct bytes data, struct bytes authenticated_data,
                                 struct buf *ret_message);

/* ---- sealed to our leaf ---- */

/* DecryptWithLabel (RFC 9420 5.1.3) with the private key of our leaf's encryption_key: what others
 * seal to us alone, such as a rotated state key. Tried are the keys that our leaf has or may get:
 * that of the current epoch, then those of our Updates that no commit has covered, then that of our
 * pending commit, and where the group keeps them (past_leaf_keys) those of past epochs. So a commit
 * that took one of our Updates and can't be processed keeps nothing from us. Otherwise what was
 * sealed to a key that was replaced is lost when the commit is merged (RFC 9420 9.2); who replaces
 * the group itself (resync) keeps the old one while messages to it may come. ret_plaintext takes
 * ciphertext.len - AEAD_TAG_BYTES bytes; on failure its contents are lost. ERR_MLS_GROUP_INACTIVE,
 * ERR_CRYPTO_TAG when no key opens it, those of kem_decap. */
CHECKED struct err group_leaf_decrypt(const struct mls_group *g, struct bytes prefix,
                                      struct bytes label, struct bytes context,
                                      struct bytes kem_output, struct bytes ciphertext,
                                      uint8_t *ret_plaintext);

/* ---- storage ---- */

/* Appends the whole state, pending commit and secrets included. */
CHECKED struct err group_write(const struct mls_group *g, struct buf *b);
/* Trusts what group_write wrote, but checks form. client: its policy, for a pending commit.
 * ERR_MLS_GROUP_STATE. */
CHECKED struct err group_read(const struct mls_client *client, struct bytes in,
                              struct mls_group **ret_group);

#endif
