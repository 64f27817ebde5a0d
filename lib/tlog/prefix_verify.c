/* Recursion goes one bit deeper each time and ends at the depth of a result, 255 at most. */
#include "tlog/prefix_verify.h"

struct evaluation {
    const struct prefix_proof *proof;
    const uint8_t *indices[PREFIX_LOOKUPS_MAX]; /* sorted */
    uint8_t order[PREFIX_LOOKUPS_MAX];          /* which result each belongs to */
    const struct prefix_lookup *lookups;        /* NULL when leaves are added */
    const struct prefix_leaf *added;            /* sorted; of the same order as indices */
    size_t used;                                /* elements consumed */
};

/* Of a subtree, without and with the leaves added (the same where none are). */
struct roots {
    struct hash_value before, after;
};

/* The root of the tree of sorted, distinct leaves and possibly one more, as it is at `depth`. */
static void build_root(const struct prefix_leaf *leaves, size_t count,
                       const struct prefix_leaf *old, unsigned depth, struct hash_value *ret_root)
{
    if (count + (old != NULL) == 0) {
        *ret_root = prefix_missing;
        return;
    }
    if (count + (old != NULL) == 1) {
        prefix_leaf_hash(old != NULL ? old : leaves, ret_root);
        return;
    }
    size_t left = 0;
    while (left < count && !prefix_bit(leaves[left].index, depth))
        left++;
    unsigned side = old != NULL && prefix_bit(old->index, depth);
    struct hash_value hashes[2];
    build_root(leaves, left, side == 0 ? old : NULL, depth + 1, &hashes[0]);
    build_root(leaves + left, count - left, side == 1 ? old : NULL, depth + 1, &hashes[1]);
    prefix_parent_hash(&hashes[0], &hashes[1], ret_root);
}

static bool shares_prefix(const uint8_t *a, const uint8_t *b, unsigned depth)
{
    unsigned whole = depth / 8, rest = depth % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* The leaf that a result shows; false when it can't be, or the result shows none. */
static bool leaf_of(const struct evaluation *e, size_t i, struct prefix_leaf *ret_leaf)
{
    const struct prefix_result *result = &e->proof->results[e->order[i]];
    if (result->type == PREFIX_OTHER_LEAF) {
        memcpy(ret_leaf->index, result->leaf, INDEX_BYTES);
        memcpy(ret_leaf->commitment, result->leaf + INDEX_BYTES, HASH_VALUE_BYTES);
        return memcmp(ret_leaf->index, e->indices[i], INDEX_BYTES) != 0 &&
               shares_prefix(ret_leaf->index, e->indices[i], result->depth);
    }
    if (result->type != PREFIX_INCLUSION || e->lookups == NULL ||
        e->lookups[e->order[i]].commitment == NULL)
        return false;
    memcpy(ret_leaf->index, e->indices[i], INDEX_BYTES);
    memcpy(ret_leaf->commitment, e->lookups[e->order[i]].commitment->data, HASH_VALUE_BYTES);
    return true;
}

/* Searches that meet in one node at its depth: all must show the same one. */
static bool terminal(const struct evaluation *e, size_t from, size_t to, unsigned depth,
                     struct roots *ret_roots)
{
    struct prefix_leaf first = {0}, leaf;
    bool nothing = e->proof->results[e->order[from]].type == PREFIX_NOTHING;
    if (!nothing && !leaf_of(e, from, &first))
        return false;
    for (size_t i = from + 1; i < to; i++) {
        const struct prefix_result *result = &e->proof->results[e->order[i]];
        if (result->depth != depth || (result->type == PREFIX_NOTHING) != nothing)
            return false;
        if (!nothing && (!leaf_of(e, i, &leaf) || memcmp(&leaf, &first, sizeof leaf) != 0))
            return false;
    }
    if (nothing)
        ret_roots->before = prefix_missing;
    else
        prefix_leaf_hash(&first, &ret_roots->before);
    if (e->added != NULL)
        build_root(e->added + from, to - from, nothing ? NULL : &first, depth, &ret_roots->after);
    return true;
}

static bool evaluate(struct evaluation *e, size_t from, size_t to, unsigned depth,
                     struct roots *ret_roots)
{
    if (from == to) {
        if (e->used == e->proof->elements.count)
            return false;
        memcpy(ret_roots->before.data, hash_run_at(&e->proof->elements, e->used), HASH_VALUE_BYTES);
        ret_roots->after = ret_roots->before;
        e->used++;
        return true;
    }
    unsigned end = e->proof->results[e->order[from]].depth;
    if (end < depth)
        return false;
    if (end == depth)
        return terminal(e, from, to, depth, ret_roots);
    size_t middle = from;
    while (middle < to && !prefix_bit(e->indices[middle], depth))
        middle++;
    struct roots left, right;
    if (!evaluate(e, from, middle, depth + 1, &left) || !evaluate(e, middle, to, depth + 1, &right))
        return false;
    prefix_parent_hash(&left.before, &right.before, &ret_roots->before);
    if (e->added != NULL)
        prefix_parent_hash(&left.after, &right.after, &ret_roots->after);
    return true;
}

static struct err evaluate_all(struct evaluation *e, size_t count, struct roots *ret_roots)
{
    if (e->proof->count != count)
        return ERR(TLOG_PREFIX_PROOF);
    if (!evaluate(e, 0, count, 0, ret_roots) || e->used != e->proof->elements.count)
        return ERR(TLOG_PREFIX_PROOF);
    return ERR_OK;
}

struct err prefix_evaluate(const struct prefix_proof *proof, const struct prefix_lookup *lookups,
                           size_t count, struct hash_value *ret_root)
{
    if (count > PREFIX_LOOKUPS_MAX)
        return ERR(TLOG_PREFIX_PROOF);
    struct evaluation e = {.proof = proof, .lookups = lookups};
    struct roots roots;
    for (size_t i = 0; i < count; i++) { /* insertion sort, as in proving */
        size_t to = i;
        while (to > 0 && memcmp(e.indices[to - 1], lookups[i].index, INDEX_BYTES) > 0) {
            e.indices[to] = e.indices[to - 1];
            e.order[to] = e.order[to - 1];
            to--;
        }
        e.indices[to] = lookups[i].index;
        e.order[to] = (uint8_t)i;
    }
    TRY(evaluate_all(&e, count, &roots));
    *ret_root = roots.before;
    return ERR_OK;
}

struct err prefix_evaluate_added(const struct prefix_proof *proof, const struct prefix_leaf *leaves,
                                 size_t count, struct hash_value *ret_before,
                                 struct hash_value *ret_after)
{
    if (count > PREFIX_LOOKUPS_MAX)
        return ERR(TLOG_PREFIX_PROOF);
    struct evaluation e = {.proof = proof, .added = leaves};
    struct roots roots;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && memcmp(leaves[i - 1].index, leaves[i].index, INDEX_BYTES) >= 0)
            return ERR(TLOG_PREFIX_TWICE);
        e.indices[i] = leaves[i].index;
        e.order[i] = (uint8_t)i;
    }
    TRY(evaluate_all(&e, count, &roots));
    *ret_before = roots.before;
    *ret_after = roots.after;
    return ERR_OK;
}
