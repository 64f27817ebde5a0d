/* The public ratchet tree (RFC 9420 7) of one epoch, at rest: nodes as received, tree hashes,
 * sorted keys.
 *
 * Changed only by merging a struct tree_diff (tree_diff.h), which is also the way to read it: every
 * algorithm takes a diff, and an empty one stands for the tree itself. Invariants:
 *   - width is a power of two; the right half has a member, unless width is 1;
 *   - hashes holds the tree hash of every node (7.8), so that a change rehashes one path;
 *   - encryption_keys and signature_keys list each key in use once, sorted, so that a search costs
 * log n and a peer can't choose keys that make it slow, as it could with a hash table;
 *   - a leaf's bytes and a parent's bytes were parsed once, so parsing them again can't fail.
 * Memory for 1,000 members: about 90 bytes per node beside the nodes' own bytes.
 */
#ifndef MLS_PUBLIC_TREE_H
#define MLS_PUBLIC_TREE_H

#include "crypto/hash.h"
#include "mls/codec/ratchet_tree.h"
#include "mls/public/tree_math.h"

/* An immutable node: the encoded LeafNode (even index) or ParentNode (odd). Counted, so that
 * several epochs can share it. Not thread-safe. */
struct tree_node {
    uint32_t refs;
    uint32_t len; /* bytes in raw */
    uint8_t raw[];
};

/* One reference, the caller's; NULL when out of memory. */
struct tree_node *tree_node_new(struct bytes raw);
struct tree_node *tree_node_ref(struct tree_node *node); /* NULL gives NULL */
void tree_node_unref(struct tree_node *node);            /* NULL is ignored */

static inline struct bytes tree_node_raw(const struct tree_node *node)
{
    return bytes_of(node->raw, node->len);
}

/* The first field of either kind, and the second of a leaf; views into the node. */
struct bytes tree_node_encryption_key(const struct tree_node *node);
struct bytes tree_node_signature_key(const struct tree_node *leaf);
/* Views into the node. */
struct leaf_node tree_node_leaf(const struct tree_node *node);
struct parent_node tree_node_parent(const struct tree_node *node);

/* Node indices sorted by the key the node holds. */
struct key_index {
    uint32_t *sorted; /* owned */
    uint32_t count;
};

/* How many members show a credential of that type. */
enum { TREE_MAX_CREDENTIAL_TYPES = 32 };
struct credential_use {
    uint16_t type;
    uint32_t count;
};
struct credential_uses {
    struct credential_use at[TREE_MAX_CREDENTIAL_TYPES];
    uint32_t count;
};
/* ERR_WIRE_LIMIT at the 33rd type in use. */
CHECKED struct err credential_uses_add(struct credential_uses *uses, uint16_t type);
void credential_uses_remove(struct credential_uses *uses, uint16_t type);

struct tree {
    const struct hash_alg *hash;
    uint32_t width;                   /* leaves, blank ones included; 0 in the zero state */
    uint32_t member_count;            /* leaves that are not blank */
    struct tree_node **nodes;         /* owned, 2 * width - 1; NULL is blank */
    uint8_t *hashes;                  /* owned, hash->bytes for each node */
    struct key_index encryption_keys; /* of all nodes */
    struct key_index signature_keys;  /* of leaves */
    struct credential_uses credentials;
};

/* From a ratchet_tree (12.4.3.3). Checks its form, that keys are unique (7.3:
 * ERR_MLS_ENCRYPTION_KEY_TWICE, ERR_MLS_SIGNATURE_KEY_TWICE), nothing else: validate_tree.h does
 * that. Errors also: those of ratchet_tree_walk_end, ERR_NO_MEMORY. */
CHECKED struct err tree_load(const struct hash_alg *hash, struct bytes ratchet_tree,
                             struct tree *ret_tree);
/* The zero state is safe to clear. */
void tree_clear(struct tree *tree);
/* As the ratchet_tree extension's data. */
void tree_write(struct buf *b, const struct tree *tree);

/* NULL when blank or outside. */
const struct tree_node *tree_at(const struct tree *tree, uint32_t node_index);
/* False when blank or outside. */
bool tree_leaf(const struct tree *tree, uint32_t leaf_index, struct leaf_node *ret_leaf);
struct bytes tree_root_hash(const struct tree *tree); /* a view into the tree */

/* The node that has this key; false when none has. */
bool tree_find_encryption_key(const struct tree *tree, struct bytes key, uint32_t *ret_node_index);
bool tree_find_signature_key(const struct tree *tree, struct bytes key, uint32_t *ret_leaf_index);

#endif
