/* The log's two trees in memory, behind the callbacks of lib/tlog: for tests, fuzz seeds and
 * benches. Every epoch of the prefix tree stays readable.
 */
#ifndef KIT_TLOG_MEMORY_LOG_H
#define KIT_TLOG_MEMORY_LOG_H

#include "tlog/log_tree.h"
#include "tlog/prefix_tree.h"

struct memory_log {
    struct {
        struct hash_value *at;
        size_t count, cap;
    } levels[64];
};

/* The zero state is empty. Borrows *log. */
struct log_store memory_log_store(struct memory_log *log);
void memory_log_clear(struct memory_log *log);

struct memory_tree {
    struct memory_slot *slots; /* open addressing; cap is a power of two */
    size_t cap, count;
    struct memory_node *nodes;
    size_t node_count, node_cap;
    uint32_t now; /* the epoch that is being written */
};

/* The tree as it was at the end of an epoch. */
struct memory_view {
    struct memory_tree *tree;
    uint32_t epoch;
};

/* The zero state is empty. Borrow *tree and *view. */
struct prefix_store memory_tree_store(struct memory_tree *tree); /* reads and writes `now` */
struct prefix_store memory_view_store(struct memory_view *view); /* reads */
/* What an operator who cheats does: the tree is again as it was at the end of `epoch`, for every
 * epoch from there on that is written after. */
CHECKED struct err memory_tree_copy(const struct memory_tree *tree, uint32_t epoch,
                                    struct memory_tree *ret_copy);
void memory_tree_clear(struct memory_tree *tree);

#endif
