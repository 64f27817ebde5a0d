/* A tree seen through a set of changes: what a commit would make of it (RFC 9420 7.5 to 7.9).
 *
 * A diff holds only the nodes that differ and the ancestors whose hashes do, so that staging a
 * small commit in a large group costs little, and dropping it leaves the tree as it was. All
 * algorithms read through a diff; one without changes costs nothing (tree_diff_init allocates
 * nothing) and stands for the tree itself.
 *
 * The base is borrowed, must outlive the diff and must not change meanwhile. After an error
 * (ERR_NO_MEMORY and ERR_MLS_TREE_TOO_LARGE are the only ones) a diff is good for nothing but
 * tree_diff_clear.
 */
#ifndef MLS_PUBLIC_TREE_DIFF_H
#define MLS_PUBLIC_TREE_DIFF_H

#include "mls/public/tree.h"

struct tree_diff_entry {
    uint32_t index; /* of the node */
    bool hash_valid;
    struct tree_node *node; /* one reference; NULL is blank */
    uint8_t hash[HASH_MAX_BYTES];
};

struct tree_diff {
    const struct tree *base;
    uint32_t width;
    uint32_t member_count;
    struct credential_uses credentials;
    struct tree_diff_entry *entries; /* in order of creation */
    uint32_t count;
    uint32_t cap;
    uint32_t *slots;      /* open addressing: number of an entry plus one; 2 * cap of them */
    uint32_t first_blank; /* no leaf before this one is blank: where the next Add begins to look */
};

void tree_diff_init(struct tree_diff *d, const struct tree *base);
/* The zero state is safe to clear. */
void tree_diff_clear(struct tree_diff *d);

/* NULL when blank or outside the (new) tree. */
const struct tree_node *tree_diff_at(const struct tree_diff *d, uint32_t node_index);
/* False when blank or outside. Views live as long as the base and the diff. */
bool tree_diff_leaf(const struct tree_diff *d, uint32_t leaf_index, struct leaf_node *ret_leaf);

/* Replaces a node, or blanks it when raw is empty, and marks the hashes above it. No rule of the
 * RFC is applied. */
CHECKED struct err tree_diff_set(struct tree_diff *d, uint32_t node_index, struct bytes raw);

/* The same for a leaf: keeps count of members and credential types too. */
CHECKED struct err tree_diff_set_leaf(struct tree_diff *d, uint32_t leaf_index, struct bytes raw);

/* RFC 9420 12.1.1: puts a leaf into the leftmost blank place, extending the tree if there is none,
 * and enters it as unmerged above. */
CHECKED struct err tree_diff_add_leaf(struct tree_diff *d, struct bytes raw_leaf,
                                      uint32_t *ret_leaf_index);
/* RFC 9420 12.1.2: replaces a leaf that is not blank and blanks its direct path. */
CHECKED struct err tree_diff_update_leaf(struct tree_diff *d, uint32_t leaf_index,
                                         struct bytes raw_leaf);
/* RFC 9420 12.1.3: blanks a leaf that is not blank and its direct path, and truncates the tree. */
CHECKED struct err tree_diff_remove_leaf(struct tree_diff *d, uint32_t leaf_index);
/* The leaf index tree_diff_add_leaf would choose. */
uint32_t tree_diff_next_leaf(const struct tree_diff *d);
/* An external joiner's leaf: as tree_diff_add_leaf, but not unmerged anywhere, since its path
 * follows. */
CHECKED struct err tree_diff_join_leaf(struct tree_diff *d, struct bytes raw_leaf,
                                       uint32_t *ret_leaf_index);
/* Blanks all nodes above a leaf. */
CHECKED struct err tree_diff_blank_path(struct tree_diff *d, uint32_t leaf_index);

/* Brings all hashes up to date; tree_diff_hash is right until the next change. */
CHECKED struct err tree_diff_rehash(struct tree_diff *d);
struct bytes tree_diff_hash(const struct tree_diff *d, uint32_t node_index);
struct bytes tree_diff_root_hash(const struct tree_diff *d);

/* What merging needs, allocated beforehand so that merging can't fail. */
struct tree_merge {
    struct tree_node **nodes; /* NULL when the base's array is large enough */
    uint8_t *hashes;
    struct key_index encryption_keys;
    struct key_index signature_keys;
};
/* Checks on the way that the keys of the new tree are unique (RFC 9420 7.3:
 * ERR_MLS_ENCRYPTION_KEY_TWICE, ERR_MLS_SIGNATURE_KEY_TWICE). The diff must be rehashed. */
CHECKED struct err tree_merge_prepare(const struct tree_diff *d, struct tree_merge *ret_merge);
void tree_merge_clear(struct tree_merge *m);
/* Makes the base what the diff shows. Both are used up. base is the diff's own, as the owner may
 * write it. */
void tree_merge(struct tree *base, struct tree_diff *d, struct tree_merge *m);

/* As the ratchet_tree extension's data, like tree_write. */
void tree_diff_write(struct buf *b, const struct tree_diff *d);

/* RFC 9420 12.4.2: does any node of the tree as the diff shows it have this encryption key? */
bool tree_diff_has_encryption_key(const struct tree_diff *d, struct bytes key);

/* tree_hash.c: all hashes of a tree whose nodes are set. */
void tree_hash_all(struct tree *tree);
/* RFC 9420 7.9: the tree hash of a node as if the leaves listed (sorted) were blank and nowhere
 * unmerged. The diff must be rehashed. */
void tree_hash_without(const struct tree_diff *d, uint32_t node_index,
                       const struct u32_list *leaves, struct digest *ret_hash);

#endif
