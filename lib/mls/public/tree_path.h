/* Resolutions and filtered direct paths (RFC 9420 4.1.1, 4.1.2). */
#ifndef MLS_PUBLIC_TREE_PATH_H
#define MLS_PUBLIC_TREE_PATH_H

#include "mls/public/tree_diff.h"

/* Node indices; owned. The zero state is empty and safe to clear. */
struct node_list {
    uint32_t *at;
    uint32_t count;
    uint32_t cap;
};
CHECKED struct err node_list_add(struct node_list *list, uint32_t node_index);
void node_list_clear(struct node_list *list);
/* For a sorted list. */
bool node_list_has_sorted(const struct node_list *list, uint32_t node_index);

/* Appends the resolution of a node: what a secret for it must be encrypted to, from left to right,
 * each parent followed by its unmerged leaves. */
CHECKED struct err tree_resolution(const struct tree_diff *d, uint32_t node_index,
                                   struct node_list *list);
/* How long it is without the leaf nodes of `without` (sorted node indices, or NULL). */
uint32_t tree_resolution_count(const struct tree_diff *d, uint32_t node_index,
                               const struct node_list *without);
bool tree_resolution_is_empty(const struct tree_diff *d, uint32_t node_index);
/* The non-blank nodes nearest below (or at) a node: the resolution without unmerged leaves. */
CHECKED struct err tree_frontier(const struct tree_diff *d, uint32_t node_index,
                                 struct node_list *list);

/* The direct path of a leaf without the nodes whose copath child has an empty resolution, from the
 * leaf up. */
struct filtered_path {
    uint32_t nodes[TREE_MATH_MAX_LEVEL];
    uint32_t copath[TREE_MATH_MAX_LEVEL]; /* the child of nodes[i] that is not on the path */
    uint32_t count;
};
void tree_filtered_path(const struct tree_diff *d, uint32_t leaf_index,
                        struct filtered_path *ret_path);

#endif
