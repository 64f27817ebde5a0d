/* What a secret tree consists of. Internal to secret_tree*.c. */
#ifndef MLS_MEMBER_SECRET_TREE_STATE_H
#define MLS_MEMBER_SECRET_TREE_STATE_H

#include "mls/member/ratchet.h"

/* tree_node_secret_[node], from which nothing was derived yet. */
struct node_secret {
    uint32_t node;
    uint8_t secret[HASH_MAX_BYTES]; /* the first Nh */
};

struct sender {
    uint32_t leaf;
    bool changed; /* since secret_tree_saved */
    struct ratchet ratchets[RATCHET_TYPE_COUNT];
};

/* Every leaf is either a sender or under exactly one of the nodes. */
struct secret_tree {
    const struct suite *suite;
    struct secret_tree_limits limits;
    uint32_t width;            /* leaves, a power of two */
    struct node_secret *nodes; /* ascending */
    size_t node_count, node_cap;
    bool nodes_changed;      /* since secret_tree_saved */
    struct sender **senders; /* ascending by leaf */
    size_t sender_count, sender_cap;
};

/* Room for that many; nothing else changes. ERR_NO_MEMORY. */
CHECKED struct err secret_tree_reserve_nodes(struct secret_tree *tree, size_t need);
CHECKED struct err secret_tree_reserve_senders(struct secret_tree *tree, size_t need);

#endif
