#include "mls/public/tree_diff.h"

#include <assert.h>
#include <stdlib.h>

void tree_diff_init(struct tree_diff *d, const struct tree *base)
{
    *d = (struct tree_diff){
        .base = base,
        .width = base->width,
        .member_count = base->member_count,
        .credentials = base->credentials,
    };
}

void tree_diff_clear(struct tree_diff *d)
{
    for (uint32_t i = 0; i < d->count; i++)
        tree_node_unref(d->entries[i].node);
    free(d->entries);
    free(d->slots);
    *d = (struct tree_diff){0};
}

static uint32_t slot_of(const struct tree_diff *d, uint32_t index)
{
    uint32_t mask = 2 * d->cap - 1;
    uint32_t slot = (index * 2654435761u) >> 8 & mask;
    while (d->slots[slot] != 0 && d->entries[d->slots[slot] - 1].index != index)
        slot = (slot + 1) & mask;
    return slot;
}

static struct tree_diff_entry *find(const struct tree_diff *d, uint32_t index)
{
    if (d->cap == 0)
        return NULL;
    uint32_t number = d->slots[slot_of(d, index)];
    return number == 0 ? NULL : &d->entries[number - 1];
}

static struct err grow(struct tree_diff *d)
{
    assert(d->entries != NULL || d->count == 0);
    uint32_t cap = d->cap == 0 ? 32 : 2 * d->cap;
    uint32_t *slots = calloc(2 * (size_t)cap, sizeof *slots);
    if (slots == NULL)
        return ERR(NO_MEMORY);
    struct tree_diff_entry *entries = realloc(d->entries, cap * sizeof *entries);
    if (entries == NULL) {
        free(slots);
        return ERR(NO_MEMORY);
    }
    free(d->slots);
    d->slots = slots;
    d->entries = entries;
    d->cap = cap;
    for (uint32_t i = 0; i < d->count; i++)
        d->slots[slot_of(d, entries[i].index)] = i + 1;
    return ERR_OK;
}

/* The entry of a node, made if need be with what the base has there. */
static struct err touch(struct tree_diff *d, uint32_t index, struct tree_diff_entry **ret_entry)
{
    struct tree_diff_entry *entry = find(d, index);
    if (entry == NULL) {
        if (d->count == d->cap)
            TRY(grow(d));
        assert(d->entries != NULL);
        bool in_base = index < tree_math_node_count(d->base->width);
        struct tree_node *node = in_base ? tree_node_ref(d->base->nodes[index]) : NULL;
        d->slots[slot_of(d, index)] = d->count + 1;
        entry = &d->entries[d->count++];
        *entry = (struct tree_diff_entry){.index = index, .node = node};
    }
    entry->hash_valid = false;
    *ret_entry = entry;
    return ERR_OK;
}

const struct tree_node *tree_diff_at(const struct tree_diff *d, uint32_t node_index)
{
    if (d->width == 0 || node_index >= tree_math_node_count(d->width))
        return NULL;
    const struct tree_diff_entry *entry = find(d, node_index);
    return entry != NULL ? entry->node : tree_at(d->base, node_index);
}

bool tree_diff_leaf(const struct tree_diff *d, uint32_t leaf_index, struct leaf_node *ret_leaf)
{
    const struct tree_node *node = leaf_index < d->width ? tree_diff_at(d, 2 * leaf_index) : NULL;
    if (node == NULL)
        return false;
    *ret_leaf = tree_node_leaf(node);
    return true;
}

static struct err set_node(struct tree_diff *d, uint32_t index, struct bytes raw)
{
    struct tree_node *node = NULL;
    if (raw.len > 0) {
        node = tree_node_new(raw);
        if (node == NULL)
            return ERR(NO_MEMORY);
    }
    struct tree_diff_entry *entry;
    struct err err = touch(d, index, &entry);
    if (!err_is_ok(err)) {
        tree_node_unref(node);
        return err;
    }
    tree_node_unref(entry->node);
    entry->node = node;
    return ERR_OK;
}

struct err tree_diff_set(struct tree_diff *d, uint32_t node_index, struct bytes raw)
{
    TRY(set_node(d, node_index, raw));
    uint32_t root = tree_math_root(d->width);
    struct tree_diff_entry *entry;
    for (uint32_t x = node_index; x != root;) {
        x = tree_math_parent(x);
        TRY(touch(d, x, &entry));
    }
    return ERR_OK;
}

struct err tree_diff_blank_path(struct tree_diff *d, uint32_t leaf_index)
{
    uint32_t root = tree_math_root(d->width);
    for (uint32_t x = 2 * leaf_index; x != root;) {
        x = tree_math_parent(x);
        TRY(set_node(d, x, bytes_of(NULL, 0)));
    }
    return ERR_OK;
}

struct err tree_diff_set_leaf(struct tree_diff *d, uint32_t leaf_index, struct bytes raw)
{
    struct leaf_node leaf;
    if (tree_diff_leaf(d, leaf_index, &leaf)) {
        credential_uses_remove(&d->credentials, leaf.credential.type);
        d->member_count--;
    }
    if (raw.len > 0) {
        TRY(leaf_node_parse(raw, &leaf));
        TRY(credential_uses_add(&d->credentials, leaf.credential.type));
        d->member_count++;
    }
    return tree_diff_set(d, 2 * leaf_index, raw);
}

uint32_t tree_diff_next_leaf(const struct tree_diff *d)
{
    if (d->member_count == d->width)
        return d->width;
    uint32_t leaf = d->first_blank;
    while (leaf < d->width && tree_diff_at(d, 2 * leaf) != NULL)
        leaf++;
    return leaf;
}

/* RFC 9420 7.7: a new blank root, the tree as its left half, an all-blank right half. */
static struct err extend(struct tree_diff *d)
{
    if (d->width >= MLS_MAX_LEAVES)
        return ERR(MLS_TREE_TOO_LARGE);
    d->width *= 2;
    /* an entry for the root, even where the base has a node: the tree may have been truncated below
     * it before */
    return set_node(d, tree_math_root(d->width), bytes_of(NULL, 0));
}

static struct err place_leaf(struct tree_diff *d, struct bytes raw_leaf, uint32_t *ret_leaf_index)
{
    uint32_t leaf = tree_diff_next_leaf(d);
    while (leaf >= d->width)
        TRY(extend(d));
    TRY(tree_diff_set_leaf(d, leaf, raw_leaf));
    d->first_blank = leaf + 1;
    *ret_leaf_index = leaf;
    return ERR_OK;
}

struct err tree_diff_join_leaf(struct tree_diff *d, struct bytes raw_leaf, uint32_t *ret_leaf_index)
{
    return place_leaf(d, raw_leaf, ret_leaf_index);
}

/* Rewrites a parent with one more unmerged leaf, in its sorted place. */
static struct err add_unmerged(struct tree_diff *d, uint32_t index, const struct tree_node *node,
                               uint32_t leaf, struct buf *scratch)
{
    struct parent_node parent = tree_node_parent(node);
    size_t before = 0;
    while (before < u32_list_count(&parent.unmerged_leaves) &&
           u32_list_at(&parent.unmerged_leaves, before) < leaf)
        before++;
    struct bytes old = parent.unmerged_leaves.raw;
    buf_reset_unwiped(scratch);
    wire_write_vector(scratch, parent.encryption_key);
    wire_write_vector(scratch, parent.parent_hash);
    wire_write_varint(scratch, old.len + 4);
    wire_write_fixed(scratch, bytes_of(old.data, 4 * before));
    wire_write_u32(scratch, leaf);
    if (old.len > 4 * before)
        wire_write_fixed(scratch, bytes_of(old.data + 4 * before, old.len - 4 * before));
    TRY(buf_check(scratch));
    return set_node(d, index, buf_view(scratch));
}

struct err tree_diff_add_leaf(struct tree_diff *d, struct bytes raw_leaf, uint32_t *ret_leaf_index)
{
    uint32_t leaf;
    TRY(place_leaf(d, raw_leaf, &leaf));
    struct buf scratch = BUF_INIT;
    struct err err = ERR_OK;
    uint32_t root = tree_math_root(d->width);
    for (uint32_t x = 2 * leaf; x != root && err_is_ok(err);) {
        x = tree_math_parent(x);
        const struct tree_node *node = tree_diff_at(d, x);
        if (node != NULL)
            err = add_unmerged(d, x, node, leaf, &scratch);
    }
    buf_clear(&scratch);
    TRY(err);
    *ret_leaf_index = leaf;
    return ERR_OK;
}

struct err tree_diff_update_leaf(struct tree_diff *d, uint32_t leaf_index, struct bytes raw_leaf)
{
    TRY(tree_diff_set_leaf(d, leaf_index, raw_leaf));
    return tree_diff_blank_path(d, leaf_index);
}

static bool right_half_is_blank(const struct tree_diff *d)
{
    for (uint32_t leaf = d->width; leaf > d->width / 2; leaf--) {
        if (tree_diff_at(d, 2 * (leaf - 1)) != NULL)
            return false;
    }
    return true;
}

struct err tree_diff_remove_leaf(struct tree_diff *d, uint32_t leaf_index)
{
    TRY(tree_diff_set_leaf(d, leaf_index, bytes_of(NULL, 0)));
    TRY(tree_diff_blank_path(d, leaf_index));
    if (leaf_index < d->first_blank)
        d->first_blank = leaf_index;
    /* RFC 9420 7.7: halve while the right half has no member; a tree without members is not
     * truncated to nothing */
    while (d->width > 1 && right_half_is_blank(d))
        d->width /= 2;
    return ERR_OK;
}

/* Was the hash of the base kept for this node? */
static struct bytes base_hash(const struct tree_diff *d, uint32_t index)
{
    size_t len = d->base->hash->bytes;
    return bytes_of(d->base->hashes + len * index, len);
}

struct bytes tree_diff_hash(const struct tree_diff *d, uint32_t node_index)
{
    const struct tree_diff_entry *entry = find(d, node_index);
    return entry != NULL ? bytes_of(entry->hash, d->base->hash->bytes) : base_hash(d, node_index);
}

struct bytes tree_diff_root_hash(const struct tree_diff *d)
{
    return tree_diff_hash(d, tree_math_root(d->width));
}

/* Recursion as deep as the tree is high, at most 17 levels. A node without entry lies in the base
 * and has its hash there, or lies beyond it and is blank: then it gets an entry to keep the hash.
 */
static struct err rehash(struct tree_diff *d, uint32_t index)
{
    struct tree_diff_entry *entry = find(d, index);
    if (entry == NULL && index < tree_math_node_count(d->base->width))
        return ERR_OK;
    if (entry != NULL && entry->hash_valid)
        return ERR_OK;
    if (!tree_math_is_leaf(index)) {
        TRY(rehash(d, tree_math_left(index)));
        TRY(rehash(d, tree_math_right(index)));
    }
    TRY(touch(d, index, &entry));
    struct digest digest;
    tree_hash_without(d, index, NULL, &digest);
    memcpy(entry->hash, digest.data, digest.len);
    entry->hash_valid = true;
    return ERR_OK;
}

struct err tree_diff_rehash(struct tree_diff *d)
{
    return rehash(d, tree_math_root(d->width));
}

void tree_diff_write(struct buf *b, const struct tree_diff *d)
{
    size_t mark = wire_vector_begin(b);
    uint32_t count = tree_math_node_count(d->width);
    while (count > 0 && tree_diff_at(d, count - 1) == NULL)
        count--;
    for (uint32_t i = 0; i < count; i++) {
        const struct tree_node *node = tree_diff_at(d, i);
        wire_write_present(b, node != NULL);
        if (node == NULL)
            continue;
        wire_write_u8(b, tree_math_is_leaf(i) ? NODE_LEAF : NODE_PARENT);
        wire_write_fixed(b, tree_node_raw(node));
    }
    wire_vector_end(b, mark);
}
