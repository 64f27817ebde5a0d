/* One identity of the mls_client service: a key package waiting for its Welcome, a member of a
 * group, an external signer. All live in one table, and their number there is every id that the
 * service hands out. One thread.
 */
#ifndef TESTS_INTEROP_MLS_PARTY_H
#define TESTS_INTEROP_MLS_PARTY_H

#include "mls/member/group.h"

enum { PARTY_IDENTITY_MAX = 256, PARTY_PSKS_MAX = 64 };

struct party_psk {
    struct buf id;
    struct buf key;
};

/* A proposal message of this epoch that was processed, or made, already. */
struct party_seen {
    struct digest message; /* SHA-256 */
    struct digest ref;
};

struct party {
    uint32_t id;
    const struct suite *suite;
    struct sig_key key;
    uint8_t identity[PARTY_IDENTITY_MAX];
    struct leaf_profile profile;
    struct mls_client client;
    struct mls_group_config config;
    struct key_package_bundle bundle;
    struct mls_group *group;
    uint32_t predecessor; /* of a reinitialised group: the party that was in the old one; or 0 */
    struct party_psk psks[PARTY_PSKS_MAX];
    size_t psk_count;
    struct party_seen *seen; /* [seen_count], room for seen_room */
    size_t seen_count;
    size_t seen_room;
};

/* A new one with a fresh signature key, in the table. ERR_MLS_SUITE_UNKNOWN, ERR_TOO_LARGE. */
CHECKED struct err party_new(uint32_t suite_id, struct bytes identity, bool encrypt_handshake,
                             struct party **ret_party);
/* NULL when there is none. */
struct party *party_find(uint32_t id);
void party_free(uint32_t id);
void party_free_all(void);

void party_encrypt(struct party *p, bool encrypt_handshake);
CHECKED struct err party_make_key_package(struct party *p);
/* The KeyPackage as MLSMessage. */
CHECKED struct err party_key_package(const struct party *p, struct buf *b);
CHECKED struct err party_store_psk(struct party *p, struct bytes id, struct bytes key);

/* A proposal message, ours or another's, into the group's store; the same one twice does no harm.
 */
CHECKED struct err party_learn(struct party *p, struct bytes message, struct digest *ret_ref);
/* Sends a proposal of ours and remembers it. */
CHECKED struct err party_propose(struct party *p, struct bytes proposal, struct buf *ret_message);
CHECKED struct err party_propose_update(struct party *p, struct buf *ret_message);
/* Processes a commit and merges it. */
CHECKED struct err party_handle_commit(struct party *p, struct bytes commit);
CHECKED struct err party_merge_pending(struct party *p);

/* The member with this identity. ERR_NOT_FOUND. */
CHECKED struct err party_leaf_of(const struct tree *tree, struct bytes identity,
                                 uint32_t *ret_leaf);

#endif
