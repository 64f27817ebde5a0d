/* ParentNode (RFC 9420 7.1) and the ratchet_tree extension (12.4.3.3).
 *
 *     struct { HPKEPublicKey encryption_key;  opaque parent_hash<V>;  uint32 unmerged_leaves<V>; }
 * ParentNode; struct { NodeType node_type; select (node_type) { case leaf: LeafNode;  case parent:
 * ParentNode; }; } Node; optional<Node> ratchet_tree<V>;
 *
 * The tree is walked, not stored: lib/mls/public/tree.h builds one. A node's kind must fit its
 * place, leaf at even and parent at odd indices.
 */
#ifndef MLS_CODEC_RATCHET_TREE_H
#define MLS_CODEC_RATCHET_TREE_H

#include "mls/codec/leaf_node.h"

struct parent_node {
    struct bytes encryption_key;
    struct bytes parent_hash;
    struct u32_list unmerged_leaves; /* at most MLS_MAX_LEAVES */
    struct bytes raw;                /* the whole as read; empty in one that was made */
};

void parent_node_read(struct wire_reader *r, struct parent_node *parent);
CHECKED struct err parent_node_parse(struct bytes in, struct parent_node *ret_parent);
void parent_node_write(struct buf *b, const struct parent_node *parent);

enum node_type { NODE_BLANK = 0, NODE_LEAF = 1, NODE_PARENT = 2 };

struct tree_entry {
    enum node_type type;
    union {
        struct leaf_node leaf;
        struct parent_node parent;
    };
};

/* Walks the entries of a ratchet_tree:
 *     struct ratchet_tree_walk w = ratchet_tree_walk_of(data);
 *     while (ratchet_tree_next(&w, &entry)) ...
 *     TRY(ratchet_tree_walk_end(&w)); */
struct ratchet_tree_walk {
    struct wire_reader outer;
    struct wire_reader nodes;
    uint32_t index; /* of the next node */
    bool last_was_blank;
    enum err_code failure;
};

struct ratchet_tree_walk ratchet_tree_walk_of(struct bytes data);
bool ratchet_tree_next(struct ratchet_tree_walk *w, struct tree_entry *ret_entry);
/* Errors: ERR_WIRE_...; ERR_MLS_TREE_NODE_TYPE (kind does not fit the place), ERR_MLS_TREE_EMPTY,
 * ERR_MLS_TREE_TRAILING_BLANK, ERR_MLS_TREE_EVEN,
 * ERR_MLS_TREE_TOO_LARGE (over MLS_MAX_LEAVES). */
CHECKED struct err ratchet_tree_walk_end(const struct ratchet_tree_walk *w);
/* The present flag, the type and the node. */
void tree_entry_write(struct buf *b, const struct tree_entry *entry);

#endif
