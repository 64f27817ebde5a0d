/* Array-based tree arithmetic (RFC 9420 appendix C): node indices of a full binary tree.
 *
 * A tree of `width` leaves (a power of two) has nodes 0 to 2*width-2; leaf i is node 2i, parents
 * are odd. The level of a node is its height: 0 for leaves. Nothing here looks at a tree; arguments
 * must lie inside it.
 */
#ifndef MLS_PUBLIC_TREE_MATH_H
#define MLS_PUBLIC_TREE_MATH_H

#include <stdbool.h>
#include <stdint.h>

/* A tree has at most 2^31 leaves, so levels and paths have at most 31 steps. */
enum { TREE_MATH_MAX_LEVEL = 31 };

static inline uint32_t tree_math_node_count(uint32_t width)
{
    return 2 * width - 1;
}

static inline uint32_t tree_math_root(uint32_t width)
{
    return width - 1;
}

static inline uint32_t tree_math_level(uint32_t x)
{
    return (uint32_t)__builtin_ctz(~x);
}

static inline bool tree_math_is_leaf(uint32_t x)
{
    return (x & 1) == 0;
}

/* Children of a parent node. */
static inline uint32_t tree_math_left(uint32_t x)
{
    return x ^ (1u << (tree_math_level(x) - 1));
}

static inline uint32_t tree_math_right(uint32_t x)
{
    return x ^ (3u << (tree_math_level(x) - 1));
}

/* Of any node but the root. */
static inline uint32_t tree_math_parent(uint32_t x)
{
    uint32_t k = tree_math_level(x);
    return (x | 1u << k) & ~(1u << (k + 1));
}

static inline uint32_t tree_math_sibling(uint32_t x)
{
    uint32_t p = tree_math_parent(x);
    return x < p ? tree_math_right(p) : tree_math_left(p);
}

/* Leaves under a node: indices first to first + count - 1. */
static inline uint32_t tree_math_first_leaf(uint32_t x)
{
    return (x + 1 - (1u << tree_math_level(x))) / 2;
}

static inline uint32_t tree_math_leaf_count(uint32_t x)
{
    return 1u << tree_math_level(x);
}

static inline bool tree_math_covers_leaf(uint32_t x, uint32_t leaf)
{
    return leaf - tree_math_first_leaf(x) < tree_math_leaf_count(x);
}

/* Is node y in the subtree of x (or x itself)? */
static inline bool tree_math_covers(uint32_t x, uint32_t y)
{
    uint32_t reach = tree_math_leaf_count(x) - 1; /* nodes on either side of x in its subtree */
    return y + reach - x <= 2 * reach;
}

/* The lowest node that covers both. */
static inline uint32_t tree_math_common_ancestor(uint32_t x, uint32_t y)
{
    while (!tree_math_covers(x, y))
        x = tree_math_parent(x);
    return x;
}

/* The child of x on the way down to y, which x covers and is not. */
static inline uint32_t tree_math_child_toward(uint32_t x, uint32_t y)
{
    return y < x ? tree_math_left(x) : tree_math_right(x);
}

/* The smallest power of two that is at least n, n from 1. */
static inline uint32_t tree_math_width_for(uint32_t n)
{
    uint32_t width = 1;
    while (width < n)
        width *= 2;
    return width;
}

#endif
