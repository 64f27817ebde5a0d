/* Tree hashes (RFC 9420 7.8) and original sibling tree hashes (7.9). */
#include "mls/public/tree_diff.h"

static void update_varint(struct hash *h, size_t value)
{
    uint8_t room[4];
    struct buf b = {.data = room, .cap = sizeof room, .limit = sizeof room};
    wire_write_varint(&b, value);
    hash_update(h, buf_view(&b));
}

static void update_vector(struct hash *h, struct bytes value)
{
    update_varint(h, value.len);
    hash_update(h, value);
}

/* LeafNodeHashInput; raw empty for a blank leaf. */
static void hash_leaf(const struct hash_alg *alg, uint32_t leaf, struct bytes raw,
                      struct digest *ret_hash)
{
    uint8_t head[6] = {NODE_LEAF,
                       (uint8_t)(leaf >> 24),
                       (uint8_t)(leaf >> 16),
                       (uint8_t)(leaf >> 8),
                       (uint8_t)leaf,
                       raw.len > 0};
    struct hash h;
    hash_init(&h, alg);
    hash_update(&h, bytes_of(head, sizeof head));
    hash_update(&h, raw);
    hash_final(&h, ret_hash);
}

/* The ParentNode with the leaves of `without` (sorted, or NULL) taken off its unmerged leaves. */
static void update_parent(struct hash *h, const struct tree_node *node,
                          const struct u32_list *without)
{
    struct parent_node parent = tree_node_parent(node);
    const struct u32_list *unmerged = &parent.unmerged_leaves;
    size_t count = u32_list_count(unmerged);
    size_t kept = 0;
    for (size_t i = 0; without != NULL && i < count; i++)
        kept += !u32_list_has_sorted(without, u32_list_at(unmerged, i));
    if (without == NULL || kept == count) {
        hash_update(h, tree_node_raw(node));
        return;
    }
    update_vector(h, parent.encryption_key);
    update_vector(h, parent.parent_hash);
    update_varint(h, 4 * kept);
    for (size_t i = 0; i < count; i++) {
        if (!u32_list_has_sorted(without, u32_list_at(unmerged, i)))
            hash_update(h, bytes_of(unmerged->raw.data + 4 * i, 4));
    }
}

/* ParentNodeHashInput; node NULL for a blank one. */
static void hash_parent(const struct hash_alg *alg, const struct tree_node *node,
                        const struct u32_list *without, struct bytes left, struct bytes right,
                        struct digest *ret_hash)
{
    uint8_t head[2] = {NODE_PARENT, node != NULL};
    struct hash h;
    hash_init(&h, alg);
    hash_update(&h, bytes_of(head, sizeof head));
    if (node != NULL)
        update_parent(&h, node, without);
    update_vector(&h, left);
    update_vector(&h, right);
    hash_final(&h, ret_hash);
}

/* Is any of the leaves in the subtree? By binary search for the first one not left of it. */
static bool any_under(const struct u32_list *leaves, uint32_t node_index)
{
    uint32_t first = tree_math_first_leaf(node_index);
    size_t low = 0;
    size_t high = u32_list_count(leaves);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (u32_list_at(leaves, middle) < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low < u32_list_count(leaves) &&
           tree_math_covers_leaf(node_index, u32_list_at(leaves, low));
}

/* Recursion as deep as the tree is high; it descends only where a leaf of `leaves` lies. With NULL:
 * the node's hash from its children's. */
void tree_hash_without(const struct tree_diff *d, uint32_t node_index,
                       const struct u32_list *leaves, struct digest *ret_hash)
{
    const struct hash_alg *alg = d->base->hash;
    const struct tree_node *node = tree_diff_at(d, node_index);
    if (leaves != NULL && !any_under(leaves, node_index)) {
        struct bytes hash = tree_diff_hash(d, node_index);
        memcpy(ret_hash->data, hash.data, hash.len);
        ret_hash->len = hash.len;
    } else if (tree_math_is_leaf(node_index)) {
        bool blank = leaves != NULL || node == NULL;
        hash_leaf(alg, node_index / 2, blank ? bytes_of(NULL, 0) : tree_node_raw(node), ret_hash);
    } else if (leaves == NULL) {
        struct bytes left = tree_diff_hash(d, tree_math_left(node_index));
        struct bytes right = tree_diff_hash(d, tree_math_right(node_index));
        hash_parent(alg, node, NULL, left, right, ret_hash);
    } else {
        struct digest left;
        struct digest right;
        tree_hash_without(d, tree_math_left(node_index), leaves, &left);
        tree_hash_without(d, tree_math_right(node_index), leaves, &right);
        hash_parent(alg, node, leaves, digest_view(&left), digest_view(&right), ret_hash);
    }
}

void tree_hash_all(struct tree *tree)
{
    struct tree_diff d;
    tree_diff_init(&d, tree);
    size_t len = tree->hash->bytes;
    uint32_t count = tree_math_node_count(tree->width);
    /* level by level: the nodes of level k are every 2^(k+1)th from 2^k - 1 on */
    for (uint32_t step = 1; step <= tree->width; step *= 2) {
        for (uint32_t x = step - 1; x < count; x += 2 * step) {
            struct digest digest;
            tree_hash_without(&d, x, NULL, &digest);
            memcpy(tree->hashes + len * x, digest.data, len);
        }
    }
}
