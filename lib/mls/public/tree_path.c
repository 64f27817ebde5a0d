#include "mls/public/tree_path.h"

#include <stdlib.h>

struct err node_list_add(struct node_list *list, uint32_t node_index)
{
    if (list->count == list->cap) {
        uint32_t cap = list->cap == 0 ? 16 : 2 * list->cap;
        uint32_t *wider = realloc(list->at, cap * sizeof *wider);
        if (wider == NULL)
            return ERR(NO_MEMORY);
        list->at = wider;
        list->cap = cap;
    }
    list->at[list->count++] = node_index;
    return ERR_OK;
}

void node_list_clear(struct node_list *list)
{
    free(list->at);
    *list = (struct node_list){0};
}

bool node_list_has_sorted(const struct node_list *list, uint32_t node_index)
{
    uint32_t low = 0;
    uint32_t high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->at[middle] == node_index)
            return true;
        if (list->at[middle] < node_index)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Walks the subtree of a node from left to right and stops at the first non-blank node of each
 * branch. A stack of the right siblings still to visit takes the place of recursion. */
struct frontier_walk {
    const struct tree_diff *d;
    uint32_t stack[TREE_MATH_MAX_LEVEL + 1];
    uint32_t depth;
};

static struct frontier_walk walk_of(const struct tree_diff *d, uint32_t node_index)
{
    return (struct frontier_walk){.d = d, .stack = {node_index}, .depth = 1};
}

static const struct tree_node *walk_next(struct frontier_walk *w, uint32_t *ret_index)
{
    while (w->depth > 0) {
        uint32_t x = w->stack[--w->depth];
        const struct tree_node *node = tree_diff_at(w->d, x);
        if (node != NULL) {
            *ret_index = x;
            return node;
        }
        if (!tree_math_is_leaf(x)) {
            w->stack[w->depth++] = tree_math_right(x);
            w->stack[w->depth++] = tree_math_left(x);
        }
    }
    return NULL;
}

struct err tree_frontier(const struct tree_diff *d, uint32_t node_index, struct node_list *list)
{
    struct frontier_walk w = walk_of(d, node_index);
    uint32_t x;
    while (walk_next(&w, &x) != NULL)
        TRY(node_list_add(list, x));
    return ERR_OK;
}

struct err tree_resolution(const struct tree_diff *d, uint32_t node_index, struct node_list *list)
{
    struct frontier_walk w = walk_of(d, node_index);
    const struct tree_node *node;
    uint32_t x;
    while ((node = walk_next(&w, &x)) != NULL) {
        TRY(node_list_add(list, x));
        if (tree_math_is_leaf(x))
            continue;
        struct parent_node parent = tree_node_parent(node);
        for (size_t i = 0; i < u32_list_count(&parent.unmerged_leaves); i++)
            TRY(node_list_add(list, 2 * u32_list_at(&parent.unmerged_leaves, i)));
    }
    return ERR_OK;
}

uint32_t tree_resolution_count(const struct tree_diff *d, uint32_t node_index,
                               const struct node_list *without)
{
    uint32_t count = 0;
    struct frontier_walk w = walk_of(d, node_index);
    const struct tree_node *node;
    uint32_t x;
    while ((node = walk_next(&w, &x)) != NULL) {
        if (tree_math_is_leaf(x)) {
            count += without == NULL || !node_list_has_sorted(without, x);
            continue;
        }
        count++;
        struct parent_node parent = tree_node_parent(node);
        for (size_t i = 0; i < u32_list_count(&parent.unmerged_leaves); i++) {
            uint32_t leaf = 2 * u32_list_at(&parent.unmerged_leaves, i);
            count += without == NULL || !node_list_has_sorted(without, leaf);
        }
    }
    return count;
}

bool tree_resolution_is_empty(const struct tree_diff *d, uint32_t node_index)
{
    struct frontier_walk w = walk_of(d, node_index);
    uint32_t x;
    return walk_next(&w, &x) == NULL;
}

void tree_filtered_path(const struct tree_diff *d, uint32_t leaf_index,
                        struct filtered_path *ret_path)
{
    struct filtered_path path = {.count = 0};
    uint32_t root = tree_math_root(d->width);
    for (uint32_t x = 2 * leaf_index; x != root; x = tree_math_parent(x)) {
        uint32_t sibling = tree_math_sibling(x);
        if (tree_resolution_is_empty(d, sibling))
            continue;
        path.nodes[path.count] = tree_math_parent(x);
        path.copath[path.count++] = sibling;
    }
    *ret_path = path;
}
