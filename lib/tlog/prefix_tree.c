/* Recursion here goes one bit deeper each time, 256 deep at most; frames are small. */
#include <stdlib.h>

#include "tlog/prefix_tree.h"

enum { DEPTH_MAX = 8 * INDEX_BYTES };

static struct prefix_position child_of(const struct prefix_position *at, unsigned side)
{
    struct prefix_position child = *at;
    if (side)
        child.bits[at->depth / 8] |= (uint8_t)(0x80 >> at->depth % 8);
    child.depth++;
    return child;
}

struct err prefix_root(const struct prefix_store *store, struct hash_value *ret_root)
{
    const struct prefix_position root = {0};
    struct prefix_node node;
    TRY(store->get(store->self, &root, &node));
    *ret_root = node.hash;
    return ERR_OK;
}

/* ---- inserting */

static int by_index(const void *a, const void *b)
{
    const struct prefix_leaf *x = a, *y = b;
    return memcmp(x->index, y->index, INDEX_BYTES);
}

/* How many of the sorted leaves go left. */
static size_t split_leaves(const struct prefix_leaf *leaves, size_t count, unsigned depth)
{
    size_t left = 0, right = count;
    while (left < right) {
        size_t middle = left + (right - left) / 2;
        if (prefix_bit(leaves[middle].index, depth))
            right = middle;
        else
            left = middle + 1;
    }
    return left;
}

static struct err put_leaf(const struct prefix_store *store, const struct prefix_position *at,
                           const struct prefix_leaf *leaf, struct hash_value *ret_hash)
{
    struct prefix_node node = {.kind = PREFIX_LEAF, .leaf = *leaf};
    prefix_leaf_hash(leaf, &node.hash);
    *ret_hash = node.hash;
    return store->put(store->self, at, &node);
}

static struct err put_parent(const struct prefix_store *store, const struct prefix_position *at,
                             const struct hash_value sides[2], struct hash_value *ret_hash)
{
    struct prefix_node node = {.kind = PREFIX_PARENT};
    prefix_parent_hash(&sides[0], &sides[1], &node.hash);
    *ret_hash = node.hash;
    return store->put(store->self, at, &node);
}

/* Below a position where nothing was but possibly one leaf, `old`, or NULL. */
static struct err build(const struct prefix_store *store, const struct prefix_position *at,
                        const struct prefix_leaf *leaves, size_t count,
                        const struct prefix_leaf *old, struct hash_value *ret_hash)
{
    if (count == 0 && old == NULL) {
        *ret_hash = prefix_missing;
        return ERR_OK;
    }
    if (count == 0)
        return put_leaf(store, at, old, ret_hash);
    if (count == 1 && old == NULL)
        return put_leaf(store, at, leaves, ret_hash);
    if (at->depth == DEPTH_MAX)
        return ERR(TLOG_PREFIX_TWICE);
    size_t left = split_leaves(leaves, count, at->depth);
    unsigned side = old != NULL && prefix_bit(old->index, at->depth);
    const struct prefix_position children[2] = {child_of(at, 0), child_of(at, 1)};
    struct hash_value hashes[2];
    TRY(build(store, &children[0], leaves, left, side == 0 ? old : NULL, &hashes[0]));
    TRY(build(store, &children[1], leaves + left, count - left, side == 1 ? old : NULL,
              &hashes[1]));
    return put_parent(store, at, hashes, ret_hash);
}

static struct err insert_at(const struct prefix_store *store, const struct prefix_position *at,
                            const struct prefix_leaf *leaves, size_t count,
                            struct hash_value *ret_hash)
{
    struct prefix_node node;
    TRY(store->get(store->self, at, &node));
    *ret_hash = node.hash;
    if (count == 0)
        return ERR_OK;
    if (node.kind != PREFIX_PARENT)
        return build(store, at, leaves, count, node.kind == PREFIX_LEAF ? &node.leaf : NULL,
                     ret_hash);
    if (at->depth == DEPTH_MAX)
        return ERR(TLOG_STORE);
    size_t left = split_leaves(leaves, count, at->depth);
    struct hash_value hashes[2];
    for (unsigned side = 0; side < 2; side++) {
        struct prefix_position child = child_of(at, side);
        TRY(insert_at(store, &child, side ? leaves + left : leaves, side ? count - left : left,
                      &hashes[side]));
    }
    return put_parent(store, at, hashes, ret_hash);
}

struct err prefix_insert(const struct prefix_store *store, struct prefix_leaf *leaves, size_t count,
                         struct hash_value *ret_root)
{
    const struct prefix_position root = {0};
    struct hash_value hash;
    if (count > 1)
        qsort(leaves, count, sizeof *leaves, by_index);
    for (size_t i = 1; i < count; i++) {
        if (by_index(&leaves[i - 1], &leaves[i]) == 0)
            return ERR(TLOG_PREFIX_TWICE);
    }
    TRY(insert_at(store, &root, leaves, count, &hash));
    *ret_root = hash;
    return ERR_OK;
}

/* ---- proving */

struct lookups {
    const struct prefix_store *store;
    const uint8_t *const *indices;
    uint8_t order[PREFIX_LOOKUPS_MAX]; /* of the lookups, sorted by index */
    struct prefix_proof proof;
    struct prefix_leaf leaves[PREFIX_LOOKUPS_MAX]; /* what the results show */
    bool *present;
    struct buf elements;
};

/* Insertion sort: at most 255, usually a dozen. */
static void sort_lookups(struct lookups *l, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t to = i;
        while (to > 0 && memcmp(l->indices[l->order[to - 1]], l->indices[i], INDEX_BYTES) > 0) {
            l->order[to] = l->order[to - 1];
            to--;
        }
        l->order[to] = (uint8_t)i;
    }
}

static void terminate(struct lookups *l, size_t from, size_t to, const struct prefix_node *node,
                      unsigned depth)
{
    for (size_t i = from; i < to; i++) {
        size_t which = l->order[i];
        struct prefix_result *result = &l->proof.results[which];
        result->depth = (uint8_t)depth;
        result->type = PREFIX_NOTHING;
        result->leaf = NULL;
        if (node->kind == PREFIX_LEAF) {
            bool same = memcmp(node->leaf.index, l->indices[which], INDEX_BYTES) == 0;
            l->leaves[which] = node->leaf;
            result->type = same ? PREFIX_INCLUSION : PREFIX_OTHER_LEAF;
            result->leaf = same ? NULL : l->leaves[which].index;
        }
        l->present[which] = result->type == PREFIX_INCLUSION;
    }
}

static struct err prove_at(struct lookups *l, const struct prefix_position *at, size_t from,
                           size_t to)
{
    struct prefix_node node;
    TRY(l->store->get(l->store->self, at, &node));
    if (from == to) {
        buf_append(&l->elements, node.hash.data, HASH_VALUE_BYTES);
        return ERR_OK;
    }
    if (at->depth >= DEPTH_MAX) /* depth is a byte; two such leaves don't happen (2^-255) */
        return ERR(TLOG_STORE);
    if (node.kind != PREFIX_PARENT) {
        terminate(l, from, to, &node, at->depth);
        return ERR_OK;
    }
    size_t middle = from;
    while (middle < to && !prefix_bit(l->indices[l->order[middle]], at->depth))
        middle++;
    const struct prefix_position children[2] = {child_of(at, 0), child_of(at, 1)};
    TRY(prove_at(l, &children[0], from, middle));
    return prove_at(l, &children[1], middle, to);
}

_Static_assert(sizeof(struct prefix_leaf) == PREFIX_LEAF_BYTES, "a leaf is its own encoding");

struct err prefix_prove(const struct prefix_store *store, const uint8_t *const *indices,
                        size_t count, struct buf *b, bool *ret_present)
{
    if (count > PREFIX_LOOKUPS_MAX)
        return ERR(ARGUMENT);
    const struct prefix_position root = {0};
    FILLED_LATER struct lookups l;
    l.store = store;
    l.indices = indices;
    l.present = ret_present;
    l.elements = BUF_INIT;
    sort_lookups(&l, count);
    struct err err = prove_at(&l, &root, 0, count);
    if (err_is_ok(err))
        err = buf_check(&l.elements);
    if (err_is_ok(err)) {
        l.proof.count = count;
        l.proof.elements = (struct hash_run){l.elements.data, l.elements.len / HASH_VALUE_BYTES};
        prefix_proof_write(b, &l.proof);
        err = buf_check(b);
    }
    buf_clear(&l.elements);
    return err;
}

struct err prefix_find(const struct prefix_store *store, const uint8_t *index, bool *ret_present,
                       struct prefix_leaf *ret_leaf)
{
    struct prefix_position at = {0};
    for (;;) {
        struct prefix_node node;
        TRY(store->get(store->self, &at, &node));
        if (node.kind == PREFIX_PARENT) {
            if (at.depth >= DEPTH_MAX)
                return ERR(TLOG_STORE);
            at = child_of(&at, prefix_bit(index, at.depth));
            continue;
        }
        *ret_present = node.kind == PREFIX_LEAF && memcmp(node.leaf.index, index, INDEX_BYTES) == 0;
        if (*ret_present)
            *ret_leaf = node.leaf;
        return ERR_OK;
    }
}
