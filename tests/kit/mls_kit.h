/* A workshop for MLS messages as a server sees them: groups, key packages, proposals, commits,
 * correct by default and correctly signed around a fault where a hook makes one.
 *
 * Public ring only: confirmation and membership tags and path ciphertexts are random bytes of the
 * right length, which nobody outside the group can tell from real ones. Everything handed out lives
 * in the kit's arena. Any error of the kit itself ends the program: the tests are about others.
 */
#ifndef TESTS_KIT_MLS_KIT_H
#define TESTS_KIT_MLS_KIT_H

#include "base/rng.h"
#include "mls/public/public_group.h"
#include "mls/public/staged_commit.h"

enum { KIT_NOW = 1800000000, KIT_MAX_CLIENTS = 16384 };

/* A client: one signature key, one identity. Its leaf index is where the group put it. */
struct kit_client {
    struct sig_key key;
    struct bytes identity;
};

struct kit;
/* Change a thing before it is signed (leaf, key_package, path, content, group_info) or after
 * (message). */
struct kit_hooks {
    void (*leaf)(struct kit *k, struct leaf_node *leaf);
    void (*key_package)(struct kit *k, struct key_package *kp);
    void (*path)(struct kit *k, struct update_path *path, struct update_path_node *nodes);
    void (*content)(struct kit *k, struct framed_content *content);
    void (*message)(struct kit *k, struct public_message *message);
    void (*group_info)(struct kit *k, struct group_info *info);
};

struct kit {
    const struct suite *suite;
    struct rng_seeded seed;
    struct rng rng;
    struct arena arena;
    struct mls_policy policy;
    struct kit_hooks hooks;
    struct kit_client *clients; /* owned, KIT_MAX_CLIENTS of them, so that they never move */
    uint32_t client_count;
    uint32_t *client_of_leaf; /* owned: number of the client at each leaf of the kit's group */
    uint32_t leaf_room;
    struct public_group group;
    struct bytes group_id; /* of the group to be founded; empty: 16 random bytes */
    struct u16_list capabilities_extensions; /* for new leaves */
    struct u16_list capabilities_proposals;
    struct u16_list capabilities_credentials;
    struct extensions leaf_extensions;
    uint16_t credential_type;
};

void kit_must(struct err err, const char *what);
#define KIT_MUST(expression) kit_must(expression, #expression)

void kit_init(struct kit *k, const struct suite *suite, uint64_t seed);
void kit_clear(struct kit *k);

struct bytes kit_take(struct kit *k, struct buf *b); /* copies into the arena, forgets the buffer */
struct bytes kit_random(struct kit *k, size_t len);
struct bytes kit_kem_key(struct kit *k); /* a fresh public key */
struct u16_list kit_list(struct kit *k, size_t count, const uint16_t *values);
/* one extension as a list */
struct extensions kit_extension(struct kit *k, uint16_t type, struct bytes data);

uint32_t kit_client_new(struct kit *k);
/* A signed leaf; leaf_index and group are bound by sources update and commit. */
struct bytes kit_leaf(struct kit *k, uint32_t client, enum leaf_source source,
                      struct bytes encryption_key, struct bytes parent_hash, uint32_t leaf_index);
struct bytes kit_key_package(struct kit *k, uint32_t client);

/* Proposals as bytes, and as elements of a commit. */
struct bytes kit_add(struct kit *k, uint32_t client);
struct bytes kit_update(struct kit *k, uint32_t leaf_index);
struct bytes kit_remove(struct kit *k, uint32_t leaf_index);
struct bytes kit_psk(struct kit *k, const struct psk_id *psk);
struct bytes kit_proposal(struct kit *k, const struct proposal *p);
struct proposal_or_ref kit_by_value(struct kit *k, struct bytes proposal);
struct proposal_or_ref kit_by_ref(struct kit *k, struct bytes proposal_message);

/* Messages. A commit's path is made for real through struct staged_commit, so its list must be
 * valid. */
struct bytes kit_proposal_message(struct kit *k, struct sender sender, const struct sig_key *key,
                                  struct bytes proposal);
struct bytes kit_member_proposal(struct kit *k, uint32_t leaf_index, struct bytes proposal);
struct bytes kit_commit(struct kit *k, uint32_t committer, const struct proposal_or_ref *list,
                        size_t count, bool with_path);
/* An external commit of a client; list without the ExternalInit, which is put first. */
struct bytes kit_external_commit(struct kit *k, uint32_t client, const struct proposal_or_ref *list,
                                 size_t count);
/* ratchet_tree: empty for the group's own. The tree hash is that of the tree, where it can be
 * loaded at all. */
struct bytes kit_group_info(struct kit *k, uint32_t signer, struct bytes ratchet_tree);

/* The kit's group: founded by a new client, grown to n members by one commit of leaf 0, and if
 * asked every member commits once. */
void kit_group(struct kit *k, uint32_t members, bool all_committed,
               const struct extensions *extensions);
/* Processes and merges a commit of ours; clients: those added, in order. */
void kit_apply(struct kit *k, struct bytes commit, const uint32_t *clients, size_t count);
struct kit_client *kit_at(struct kit *k, uint32_t leaf_index);
struct staged_commit *kit_stage(struct kit *k, struct bytes commit);

#endif
