/* TreeKEM: path secrets and the private keys that follow from them (RFC 9420 7.4 to 7.6).
 *
 *     path_secret[n+1] = DeriveSecret(path_secret[n], "path")
 *     node_secret[n]   = DeriveSecret(path_secret[n], "node"),  KEM.DeriveKeyPair(node_secret[n])
 *     commit_secret    = DeriveSecret(path_secret of the last node, "path")
 *
 * n counts the nodes of the committer's filtered direct path, from the leaf up. Public keys stand
 * in the tree; a member keeps private keys only: of its leaf and of those nodes above it whose
 * secrets it was told.
 */
#ifndef MLS_MEMBER_TREEKEM_H
#define MLS_MEMBER_TREEKEM_H

#include "crypto/labelled.h"
#include "crypto/suite.h"
#include "mls/codec/commit.h"
#include "mls/public/tree_path.h"

struct treekem_key {
    uint32_t node; /* node index */
    struct secret private_key;
};

/* What one member holds. 2.8 KB, embedded; the zero state may be cleared. */
struct treekem_keys {
    struct secret leaf;
    struct treekem_key at[TREE_MATH_MAX_LEVEL]; /* from the leaf up */
    uint32_t count;
};
void treekem_keys_clear(struct treekem_keys *keys);
/* NULL when this key is not held. */
const struct secret *treekem_keys_find(const struct treekem_keys *keys, uint32_t leaf_index,
                                       uint32_t node);
/* RFC 9420 7.5, 12.4.2: forgets keys of nodes that the changes blanked or gave another key. The
 * leaf is left alone. */
void treekem_keys_prune(struct treekem_keys *keys, const struct tree_diff *d);
/* Takes a node's key, in the place of one held for it already. ERR_INTERNAL when full, which paths
 * can't make it. */
CHECKED struct err treekem_keys_put(struct treekem_keys *keys, uint32_t node,
                                    const struct secret *private_key);

/* The key pair of a node from its path secret. */
CHECKED struct err treekem_pair(const struct suite *suite, const struct secret *path_secret,
                                struct secret *ret_private, struct public_key *ret_public);
/* The next path secret, or after the last node the commit secret. */
CHECKED struct err treekem_next(const struct suite *suite, const struct secret *path_secret,
                                struct secret *ret_next);

/* A committer's new path. 9.6 KB; heap or one at a time. */
struct treekem_path {
    struct secret leaf; /* private key */
    struct public_key leaf_public;
    uint32_t count;
    struct secret secrets[TREE_MATH_MAX_LEVEL]; /* path_secret[n] */
    struct secret keys[TREE_MATH_MAX_LEVEL];    /* private */
    struct public_key publics[TREE_MATH_MAX_LEVEL];
    struct secret commit; /* commit_secret */
};
/* With a fresh leaf key pair only. */
CHECKED struct err treekem_path_new(const struct suite *suite, const struct rng *rng,
                                    struct treekem_path **ret_path);
/* Fresh secrets for count nodes, and the commit secret. */
CHECKED struct err treekem_path_fill(const struct suite *suite, const struct rng *rng,
                                     uint32_t count, struct treekem_path *path);
/* Wipes and frees; NULL is fine. *path becomes NULL. */
void treekem_path_free(struct treekem_path **path);
/* RFC 9420 7.6: appends to *ciphertexts path_secret[n] for each node of the resolution of the
 * copath node, but for the leaves added now (sorted node indices). context: the provisional
 * GroupContext. *ret_count ciphertexts. */
CHECKED struct err treekem_encrypt(const struct suite *suite, const struct rng *rng,
                                   const struct tree_diff *d, const struct secret *path_secret,
                                   uint32_t copath, const struct node_list *added,
                                   struct bytes context, struct buf *ciphertexts,
                                   uint32_t *ret_count);

/* A received path, over the tree that has it already (the nodes off the path, which is all that
 * ciphertexts are for, are the same before and after). */
struct treekem_received {
    const struct tree_diff *diff;
    const struct filtered_path *path;
    const struct update_path_node *nodes; /* path->count of them */
    const struct node_list *added;        /* leaf nodes added by this commit, sorted */
    struct bytes context;                 /* the provisional GroupContext */
};
/* Decrypts the one path secret meant for a leaf, derives those above and enters their keys into
 * *keys, which must have been pruned. Each derived public key must be that of the path (RFC 9420
 * 12.4.2). *keys is spoilt on failure. Errors: ERR_MLS_PATH_SECRET (not decryptable, or another key
 * comes out), ERR_INTERNAL (no key held: our own state is wrong), ERR_NO_MEMORY. */
CHECKED struct err treekem_receive(const struct suite *suite,
                                   const struct treekem_received *received, uint32_t own_leaf,
                                   struct treekem_keys *keys, struct secret *ret_commit);

/* From the path secret of a node on a path that is in the tree: the keys of it and of every
 * non-blank node above, checked against the tree (RFC 9420 12.4.3.1). ERR_MLS_PATH_SECRET. */
CHECKED struct err treekem_climb(const struct suite *suite, const struct tree_diff *d,
                                 uint32_t node, const struct secret *path_secret,
                                 struct treekem_keys *keys, struct secret *ret_commit);

#endif
