/* The prefix tree: inserting and proving (transparency.md 5). Shapes and hashes are in
 * prefix_proof.h, verifying in prefix_verify.h.
 *
 * Nodes lie behind callbacks, named by their position. A store that also remembers when a node was
 * put (position, epoch) serves every retained epoch's tree; each call here works on one tree.
 */
#ifndef TLOG_PREFIX_TREE_H
#define TLOG_PREFIX_TREE_H

#include "tlog/prefix_proof.h"

enum prefix_kind { PREFIX_EMPTY, PREFIX_LEAF, PREFIX_PARENT };

struct prefix_node {
    enum prefix_kind kind;
    struct hash_value hash;  /* prefix_missing when empty */
    struct prefix_leaf leaf; /* of a leaf */
};

/* The node that is reached by the first `depth` bits; the bits after them are 0. */
struct prefix_position {
    uint16_t depth; /* 0 to 256 */
    uint8_t bits[INDEX_BYTES];
};

struct prefix_store {
    /* PREFIX_EMPTY where nothing was put. */
    CHECKED struct err (*get)(void *self, const struct prefix_position *at,
                              struct prefix_node *ret_node);
    /* In place of what was there. Never PREFIX_EMPTY. NULL where nothing is inserted. */
    CHECKED struct err (*put)(void *self, const struct prefix_position *at,
                              const struct prefix_node *node);
    void *self;
};

CHECKED struct err prefix_root(const struct prefix_store *store, struct hash_value *ret_root);

/* Adds `count` leaves and gives the new root (the old one for count 0). leaves is sorted by index
 * in place. Each node on the way is read and written once for all of them. ERR_TLOG_PREFIX_TWICE
 * when an index is there already, or twice among the leaves. After an error the caller undoes what
 * was put, as by rolling back its transaction. */
CHECKED struct err prefix_insert(const struct prefix_store *store, struct prefix_leaf *leaves,
                                 size_t count, struct hash_value *ret_root);

/* Appends the PrefixProof of `count` lookups, at most PREFIX_LOOKUPS_MAX (ERR_ARGUMENT), in their
 * order. ret_present[i] tells whether indices[i] is in the tree. */
CHECKED struct err prefix_prove(const struct prefix_store *store, const uint8_t *const *indices,
                                size_t count, struct buf *b, bool *ret_present);
/* Is it there, and with which commitment? */
CHECKED struct err prefix_find(const struct prefix_store *store, const uint8_t *index,
                               bool *ret_present, struct prefix_leaf *ret_leaf);

#endif
