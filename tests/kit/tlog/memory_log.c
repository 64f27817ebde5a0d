#include "kit/tlog/memory_log.h"

#include <stdlib.h>

static struct err log_get(void *self, unsigned level, uint64_t n, struct hash_value *ret_hash)
{
    struct memory_log *log = self;
    if (level >= 64 || n >= log->levels[level].count)
        return ERR(TLOG_STORE);
    *ret_hash = log->levels[level].at[n];
    return ERR_OK;
}

static struct err log_put(void *self, unsigned level, uint64_t n, const struct hash_value *hash)
{
    struct memory_log *log = self;
    if (level >= 64 || n > log->levels[level].count)
        return ERR(TLOG_STORE);
    if (n == log->levels[level].cap) {
        size_t cap = n == 0 ? 16 : 2 * n;
        struct hash_value *at = realloc(log->levels[level].at, cap * sizeof *at);
        if (at == NULL)
            return ERR(NO_MEMORY);
        log->levels[level].at = at;
        log->levels[level].cap = cap;
    }
    log->levels[level].at[n] = *hash;
    if (n == log->levels[level].count)
        log->levels[level].count++;
    return ERR_OK;
}

struct log_store memory_log_store(struct memory_log *log)
{
    return (struct log_store){log_get, log_put, log};
}

void memory_log_clear(struct memory_log *log)
{
    for (size_t i = 0; i < 64; i++)
        free(log->levels[i].at);
    *log = (struct memory_log){0};
}

/* ---- prefix tree: positions hashed to the newest of their nodes, each pointing to the one before
 */

struct memory_slot {
    struct prefix_position at;
    uint32_t node; /* index plus one; 0: free */
};

struct memory_node {
    uint32_t born;
    uint32_t before; /* index plus one */
    enum prefix_kind kind;
    uint8_t body[PREFIX_LEAF_BYTES]; /* a leaf, or the hash of a parent */
};

/* Indices are evenly spread, so their own first bits serve. */
static size_t home_of(const struct memory_tree *tree, const struct prefix_position *at)
{
    uint64_t bits;
    memcpy(&bits, at->bits, sizeof bits);
    bits = (bits ^ (uint64_t)at->depth << 32) * 0x9e3779b97f4a7c15u;
    bits ^= bits >> 29;
    return (bits * 0xbf58476d1ce4e5b9u) >> 20 & (tree->cap - 1);
}

static struct memory_slot *slot_of(const struct memory_tree *tree, const struct prefix_position *at)
{
    size_t i = home_of(tree, at);
    while (tree->slots[i].node != 0 &&
           (tree->slots[i].at.depth != at->depth ||
            memcmp(tree->slots[i].at.bits, at->bits, sizeof at->bits) != 0))
        i = (i + 1) & (tree->cap - 1);
    return &tree->slots[i];
}

static struct err get_at(const struct memory_tree *tree, uint32_t epoch,
                         const struct prefix_position *at, struct prefix_node *ret_node)
{
    uint32_t i = tree->cap == 0 ? 0 : slot_of(tree, at)->node;
    while (i != 0 && tree->nodes[i - 1].born > epoch)
        i = tree->nodes[i - 1].before;
    memset(ret_node, 0, sizeof *ret_node);
    if (i == 0)
        return ERR_OK;
    const struct memory_node *node = &tree->nodes[i - 1];
    ret_node->kind = node->kind;
    if (node->kind == PREFIX_PARENT) {
        memcpy(ret_node->hash.data, node->body, HASH_VALUE_BYTES);
    } else {
        memcpy(&ret_node->leaf, node->body, PREFIX_LEAF_BYTES);
        prefix_leaf_hash(&ret_node->leaf, &ret_node->hash);
    }
    return ERR_OK;
}

static struct err tree_get(void *self, const struct prefix_position *at,
                           struct prefix_node *ret_node)
{
    return get_at(self, UINT32_MAX, at, ret_node);
}

static struct err view_get(void *self, const struct prefix_position *at,
                           struct prefix_node *ret_node)
{
    const struct memory_view *view = self;
    return get_at(view->tree, view->epoch, at, ret_node);
}

static struct err grow(struct memory_tree *tree)
{
    struct memory_tree larger = *tree;
    larger.cap = tree->cap == 0 ? 1024 : 2 * tree->cap;
    larger.slots = calloc(larger.cap, sizeof *larger.slots);
    if (larger.slots == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < tree->cap; i++) {
        if (tree->slots[i].node != 0)
            *slot_of(&larger, &tree->slots[i].at) = tree->slots[i];
    }
    free(tree->slots);
    *tree = larger;
    return ERR_OK;
}

static struct err new_node(struct memory_tree *tree, uint32_t before, uint32_t *ret_node)
{
    if (tree->node_count == tree->node_cap) {
        size_t cap = tree->node_cap == 0 ? 1024 : 2 * tree->node_cap;
        struct memory_node *nodes = realloc(tree->nodes, cap * sizeof *nodes);
        if (nodes == NULL)
            return ERR(NO_MEMORY);
        tree->nodes = nodes;
        tree->node_cap = cap;
    }
    tree->nodes[tree->node_count] = (struct memory_node){.born = tree->now, .before = before};
    *ret_node = (uint32_t)++tree->node_count;
    return ERR_OK;
}

static struct err tree_put(void *self, const struct prefix_position *at,
                           const struct prefix_node *node)
{
    struct memory_tree *tree = self;
    if (2 * (tree->count + 1) > tree->cap)
        TRY(grow(tree));
    struct memory_slot *slot = slot_of(tree, at);
    uint32_t i = slot->node;
    if (i == 0 || tree->nodes[i - 1].born != tree->now) {
        TRY(new_node(tree, slot->node, &i));
        tree->count += slot->node == 0;
        slot->at = *at;
        slot->node = i;
    }
    struct memory_node *to = &tree->nodes[i - 1];
    to->kind = node->kind;
    memcpy(to->body, node->kind == PREFIX_PARENT ? node->hash.data : node->leaf.index,
           node->kind == PREFIX_PARENT ? HASH_VALUE_BYTES : INDEX_BYTES);
    if (node->kind == PREFIX_LEAF)
        memcpy(to->body + INDEX_BYTES, node->leaf.commitment, HASH_VALUE_BYTES);
    return ERR_OK;
}

struct prefix_store memory_tree_store(struct memory_tree *tree)
{
    return (struct prefix_store){tree_get, tree_put, tree};
}

struct prefix_store memory_view_store(struct memory_view *view)
{
    return (struct prefix_store){view_get, NULL, view};
}

struct err memory_tree_copy(const struct memory_tree *tree, uint32_t epoch,
                            struct memory_tree *ret_copy)
{
    struct memory_tree copy = {.now = epoch};
    struct prefix_store store = memory_tree_store(&copy);
    for (size_t i = 0; i < tree->cap; i++) {
        struct prefix_node node;
        if (tree->slots[i].node == 0)
            continue;
        struct err err = get_at(tree, epoch, &tree->slots[i].at, &node);
        if (err_is_ok(err) && node.kind != PREFIX_EMPTY)
            err = store.put(store.self, &tree->slots[i].at, &node);
        if (!err_is_ok(err)) {
            memory_tree_clear(&copy);
            return err;
        }
    }
    *ret_copy = copy;
    return ERR_OK;
}

void memory_tree_clear(struct memory_tree *tree)
{
    free(tree->slots);
    free(tree->nodes);
    *tree = (struct memory_tree){0};
}
