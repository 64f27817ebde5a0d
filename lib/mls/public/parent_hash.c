#include "mls/public/parent_hash.h"

static void update_vector(struct hash *h, struct bytes value)
{
    uint8_t room[4];
    struct buf head = {.data = room, .cap = sizeof room, .limit = sizeof room};
    wire_write_varint(&head, value.len);
    hash_update(h, buf_view(&head));
    hash_update(h, value);
}

void parent_hash_compute(const struct hash_alg *alg, struct bytes encryption_key,
                         struct bytes parent_hash, struct bytes original_sibling_tree_hash,
                         struct digest *ret_hash)
{
    struct hash h;
    hash_init(&h, alg);
    update_vector(&h, encryption_key);
    update_vector(&h, parent_hash);
    update_vector(&h, original_sibling_tree_hash);
    hash_final(&h, ret_hash);
}

static struct err set_parent(struct tree_diff *d, uint32_t index, struct bytes key,
                             struct bytes parent_hash)
{
    struct buf b = BUF_INIT;
    parent_node_write(&b, &(struct parent_node){.encryption_key = key, .parent_hash = parent_hash});
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = tree_diff_set(d, index, buf_view(&b));
    buf_clear(&b);
    return err;
}

struct err parent_hash_apply_path(struct tree_diff *d, uint32_t leaf_index,
                                  const struct filtered_path *path, const struct bytes *keys,
                                  struct digest *ret_leaf_parent_hash)
{
    /* The siblings' hashes are taken before the path is touched; blanking the direct path leaves
     * them as they are. */
    struct digest hash = {.len = 0};
    struct digest above[TREE_MATH_MAX_LEVEL];
    for (uint32_t i = path->count; i > 0; i--) {
        above[i - 1] = hash; /* empty for the topmost */
        parent_hash_compute(d->base->hash, keys[i - 1], digest_view(&above[i - 1]),
                            tree_diff_hash(d, path->copath[i - 1]), &hash);
    }
    TRY(tree_diff_blank_path(d, leaf_index));
    for (uint32_t i = 0; i < path->count; i++)
        TRY(set_parent(d, path->nodes[i], keys[i], digest_view(&above[i])));
    *ret_leaf_parent_hash = hash;
    return ERR_OK;
}

/* The parent_hash field of a node; empty where it has none. */
static struct bytes field_of(const struct tree_diff *d, uint32_t index)
{
    const struct tree_node *node = tree_diff_at(d, index);
    return tree_math_is_leaf(index) ? tree_node_leaf(node).parent_hash
                                    : tree_node_parent(node).parent_hash;
}

/* RFC 9420 7.9.2: the unmerged leaves of P under C are the resolution of C without D. Both go from
 * left to right. */
static bool unmerged_are_rest(const struct u32_list *unmerged, uint32_t c,
                              const struct node_list *resolution, uint32_t d_index)
{
    uint32_t first = tree_math_first_leaf(c);
    size_t next = 0;
    while (next < u32_list_count(unmerged) && u32_list_at(unmerged, next) < first)
        next++;
    for (uint32_t i = 0; i < resolution->count; i++) {
        uint32_t x = resolution->at[i];
        if (x == d_index)
            continue;
        if (!tree_math_is_leaf(x) || next == u32_list_count(unmerged) ||
            u32_list_at(unmerged, next) != x / 2)
            return false;
        next++;
    }
    return next == u32_list_count(unmerged) ||
           !tree_math_covers_leaf(c, u32_list_at(unmerged, next));
}

/* How many nodes D under child C of P are valid with respect to P. D is one of the non-blank nodes
 * nearest to C: any other node in the resolution of C is an unmerged leaf of such a node, which
 * then remains in the resolution without D and is no leaf, so the last rule can't hold. */
static struct err count_valid(const struct tree_diff *d, uint32_t p, uint32_t c, uint32_t s,
                              struct node_list lists[2], uint32_t *valid)
{
    struct parent_node parent = tree_node_parent(tree_diff_at(d, p));
    struct node_list *frontier = &lists[0];
    struct node_list *resolution = &lists[1];
    frontier->count = 0;
    TRY(tree_frontier(d, c, frontier));
    struct digest expected = {.len = 0};
    for (uint32_t i = 0; i < frontier->count; i++) {
        struct bytes field = field_of(d, frontier->at[i]);
        if (field.len == 0)
            continue;
        if (expected.len == 0) { /* worked out once, and only where something claims it */
            struct digest sibling;
            tree_hash_without(d, s, &parent.unmerged_leaves, &sibling);
            parent_hash_compute(d->base->hash, parent.encryption_key, parent.parent_hash,
                                digest_view(&sibling), &expected);
        }
        if (!bytes_equal(field, digest_view(&expected)))
            continue;
        resolution->count = 0;
        TRY(tree_resolution(d, c, resolution));
        *valid += unmerged_are_rest(&parent.unmerged_leaves, c, resolution, frontier->at[i]);
    }
    return ERR_OK;
}

static struct err check_parent(const struct tree_diff *d, uint32_t p, struct node_list lists[2])
{
    uint32_t left = tree_math_left(p);
    uint32_t right = tree_math_right(p);
    uint32_t valid = 0;
    TRY(count_valid(d, p, left, right, lists, &valid));
    TRY(count_valid(d, p, right, left, lists, &valid));
    return valid == 1 ? ERR_OK : ERR(MLS_PARENT_HASH);
}

struct err parent_hash_check_tree(const struct tree_diff *d)
{
    struct node_list lists[2] = {{0}};
    struct err err = ERR_OK;
    for (uint32_t p = 1; p < tree_math_node_count(d->width) && err_is_ok(err); p += 2) {
        if (tree_diff_at(d, p) != NULL)
            err = check_parent(d, p, lists);
    }
    node_list_clear(&lists[0]);
    node_list_clear(&lists[1]);
    return err;
}
