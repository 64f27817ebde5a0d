#include "mls/public/tree.h"

#include <stdlib.h>

#include "mls/public/key_index.h"
#include "mls/public/tree_diff.h"

struct tree_node *tree_node_new(struct bytes raw)
{
    struct tree_node *node = malloc(sizeof *node + raw.len);
    if (node == NULL)
        return NULL;
    node->refs = 1;
    node->len = (uint32_t)raw.len; /* below WIRE_VECTOR_MAX: it came out of a vector */
    if (raw.len > 0)
        memcpy(node->raw, raw.data, raw.len);
    return node;
}

struct tree_node *tree_node_ref(struct tree_node *node)
{
    if (node != NULL)
        node->refs++;
    return node;
}

void tree_node_unref(struct tree_node *node)
{
    if (node == NULL || --node->refs > 0)
        return;
    bytes_wipe(node->raw, node->len); /* who is in a group: nothing for a dump of memory */
    free(node);
}

struct bytes tree_node_encryption_key(const struct tree_node *node)
{
    struct wire_reader r = wire_reader_of(tree_node_raw(node));
    return wire_read_vector(&r);
}

struct bytes tree_node_signature_key(const struct tree_node *leaf)
{
    struct wire_reader r = wire_reader_of(tree_node_raw(leaf));
    (void)wire_read_vector(&r);
    return wire_read_vector(&r);
}

struct leaf_node tree_node_leaf(const struct tree_node *node)
{
    struct wire_reader r = wire_reader_of(tree_node_raw(node));
    struct leaf_node leaf;
    leaf_node_read(&r, &leaf);
    return leaf;
}

struct parent_node tree_node_parent(const struct tree_node *node)
{
    struct wire_reader r = wire_reader_of(tree_node_raw(node));
    struct parent_node parent;
    parent_node_read(&r, &parent);
    return parent;
}

struct err credential_uses_add(struct credential_uses *uses, uint16_t type)
{
    for (uint32_t i = 0; i < uses->count; i++) {
        if (uses->at[i].type == type) {
            uses->at[i].count++;
            return ERR_OK;
        }
    }
    if (uses->count == TREE_MAX_CREDENTIAL_TYPES)
        return ERR(WIRE_LIMIT);
    uses->at[uses->count++] = (struct credential_use){type, 1};
    return ERR_OK;
}

void credential_uses_remove(struct credential_uses *uses, uint16_t type)
{
    for (uint32_t i = 0; i < uses->count; i++) {
        if (uses->at[i].type != type)
            continue;
        if (--uses->at[i].count == 0)
            uses->at[i] = uses->at[--uses->count];
        return;
    }
}

void tree_clear(struct tree *tree)
{
    for (uint32_t i = 0; tree->width > 0 && i < tree_math_node_count(tree->width); i++)
        tree_node_unref(tree->nodes[i]);
    free(tree->nodes);
    free(tree->hashes);
    key_index_clear(&tree->encryption_keys);
    key_index_clear(&tree->signature_keys);
    *tree = (struct tree){0};
}

const struct tree_node *tree_at(const struct tree *tree, uint32_t node_index)
{
    if (tree->width == 0 || node_index >= tree_math_node_count(tree->width))
        return NULL;
    return tree->nodes[node_index];
}

bool tree_leaf(const struct tree *tree, uint32_t leaf_index, struct leaf_node *ret_leaf)
{
    if (leaf_index >= tree->width || tree->nodes[2 * leaf_index] == NULL)
        return false;
    *ret_leaf = tree_node_leaf(tree->nodes[2 * leaf_index]);
    return true;
}

struct bytes tree_root_hash(const struct tree *tree)
{
    size_t len = tree->hash->bytes;
    return bytes_of(tree->hashes + len * tree_math_root(tree->width), len);
}

bool tree_find_encryption_key(const struct tree *tree, struct bytes key, uint32_t *ret_node_index)
{
    return key_index_find(&tree->encryption_keys, tree->nodes, tree_node_encryption_key, key,
                          ret_node_index);
}

bool tree_find_signature_key(const struct tree *tree, struct bytes key, uint32_t *ret_leaf_index)
{
    uint32_t node_index;
    if (!key_index_find(&tree->signature_keys, tree->nodes, tree_node_signature_key, key,
                        &node_index))
        return false;
    *ret_leaf_index = node_index / 2;
    return true;
}

/* Entries up to the last one present; bounded by MLS_MAX_LEAVES before anything is allocated. */
static struct err count_entries(struct bytes ratchet_tree, uint32_t *ret_count)
{
    struct ratchet_tree_walk w = ratchet_tree_walk_of(ratchet_tree);
    struct tree_entry entry;
    while (ratchet_tree_next(&w, &entry)) {
    }
    TRY(ratchet_tree_walk_end(&w));
    *ret_count = w.index;
    return ERR_OK;
}

static struct err read_nodes(struct tree *tree, struct bytes ratchet_tree)
{
    struct ratchet_tree_walk w = ratchet_tree_walk_of(ratchet_tree);
    struct tree_entry entry;
    for (uint32_t i = 0; ratchet_tree_next(&w, &entry); i++) {
        if (entry.type == NODE_BLANK)
            continue;
        bool is_leaf = entry.type == NODE_LEAF;
        tree->nodes[i] = tree_node_new(is_leaf ? entry.leaf.raw : entry.parent.raw);
        if (tree->nodes[i] == NULL)
            return ERR(NO_MEMORY);
        if (!is_leaf)
            continue;
        tree->member_count++;
        TRY(credential_uses_add(&tree->credentials, entry.leaf.credential.type));
    }
    return ratchet_tree_walk_end(&w);
}

static struct err load(struct tree *tree, struct bytes ratchet_tree, uint32_t entries)
{
    uint32_t width = tree_math_width_for(entries / 2 + 1);
    uint32_t node_count = tree_math_node_count(width);
    tree->nodes = calloc(node_count, sizeof *tree->nodes);
    tree->hashes = malloc(node_count * tree->hash->bytes);
    if (tree->nodes == NULL || tree->hashes == NULL)
        return ERR(NO_MEMORY);
    tree->width = width;
    TRY(read_nodes(tree, ratchet_tree));
    if (!key_index_build(&tree->encryption_keys, tree->nodes, node_count, 1,
                         tree_node_encryption_key) ||
        !key_index_build(&tree->signature_keys, tree->nodes, node_count, 2,
                         tree_node_signature_key))
        return ERR(NO_MEMORY);
    /* RFC 9420 7.3, 12.4.3.1: an encryption key occurs nowhere else in the tree; signature keys are
     * unique */
    if (key_index_has_twins(&tree->encryption_keys, tree->nodes, tree_node_encryption_key))
        return ERR(MLS_ENCRYPTION_KEY_TWICE);
    if (key_index_has_twins(&tree->signature_keys, tree->nodes, tree_node_signature_key))
        return ERR(MLS_SIGNATURE_KEY_TWICE);
    tree_hash_all(tree);
    return ERR_OK;
}

struct err tree_load(const struct hash_alg *hash, struct bytes ratchet_tree, struct tree *ret_tree)
{
    uint32_t entries = 0;
    TRY(count_entries(ratchet_tree, &entries));
    struct tree tree = {.hash = hash};
    struct err err = load(&tree, ratchet_tree, entries);
    if (!err_is_ok(err)) {
        tree_clear(&tree);
        return err;
    }
    *ret_tree = tree;
    return ERR_OK;
}

void tree_write(struct buf *b, const struct tree *tree)
{
    size_t mark = wire_vector_begin(b);
    uint32_t count = tree_math_node_count(tree->width);
    while (count > 0 && tree->nodes[count - 1] == NULL)
        count--;
    for (uint32_t i = 0; i < count; i++) {
        const struct tree_node *node = tree->nodes[i];
        wire_write_present(b, node != NULL);
        if (node == NULL)
            continue;
        wire_write_u8(b, tree_math_is_leaf(i) ? NODE_LEAF : NODE_PARENT);
        wire_write_fixed(b, tree_node_raw(node));
    }
    wire_vector_end(b, mark);
}
