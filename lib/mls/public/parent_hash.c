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

/* The resolution of C beside the unmerged leaves of P that lie under C. Worked out once for each C:
 * a tree can claim one parent hash in all its leaves. */
struct under {
    struct node_list *resolution; /* borrowed */
    uint32_t parents;             /* nodes in it that are not leaves */
    struct u32_list unmerged;     /* the part under C */
};

static size_t first_not_below(const struct u32_list *list, uint32_t value)
{
    size_t low = 0;
    size_t high = u32_list_count(list);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (u32_list_at(list, middle) < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct err look_under(const struct tree_diff *d, const struct u32_list *unmerged, uint32_t c,
                             struct under *u)
{
    u->resolution->count = 0;
    TRY(tree_resolution(d, c, u->resolution));
    u->parents = 0;
    for (uint32_t i = 0; i < u->resolution->count; i++)
        u->parents += !tree_math_is_leaf(u->resolution->at[i]);
    uint32_t first_leaf = tree_math_first_leaf(c);
    size_t from = first_not_below(unmerged, first_leaf);
    size_t to = first_not_below(unmerged, first_leaf + tree_math_leaf_count(c));
    u->unmerged.raw =
        from < to ? bytes_of(unmerged->raw.data + 4 * from, 4 * (to - from)) : bytes_of(NULL, 0);
    return ERR_OK;
}

/* RFC 9420 7.9.2: the unmerged leaves of P under C are the resolution of C without D. The first
 * three questions cost little and leave at most one D for which the lists are compared. Both lists
 * go from left to right. */
static bool unmerged_are_rest(const struct under *u, uint32_t d_index)
{
    bool is_leaf = tree_math_is_leaf(d_index);
    if (u->parents != (is_leaf ? 0 : 1) ||
        u32_list_count(&u->unmerged) != u->resolution->count - 1 ||
        (is_leaf && u32_list_has_sorted(&u->unmerged, d_index / 2)))
        return false;
    size_t next = 0;
    for (uint32_t i = 0; i < u->resolution->count; i++) {
        uint32_t x = u->resolution->at[i];
        if (x == d_index)
            continue;
        if (next == u32_list_count(&u->unmerged) || u32_list_at(&u->unmerged, next) != x / 2)
            return false;
        next++;
    }
    return true;
}

/* How many nodes D under child C of P are valid with respect to P. D is one of the non-blank nodes
 * nearest to C: any other node in the resolution of C is an unmerged leaf of such a node, which
 * then remains in the resolution without D and is no leaf, so the last rule can't hold. */
static struct err count_valid(const struct tree_diff *d, uint32_t p, uint32_t c, uint32_t s,
                              struct node_list lists[2], uint32_t *valid)
{
    struct parent_node parent = tree_node_parent(tree_diff_at(d, p));
    struct node_list *frontier = &lists[0];
    struct under under = {.resolution = &lists[1]};
    struct digest expected = {.len = 0};
    bool looked = false;
    frontier->count = 0;
    TRY(tree_frontier(d, c, frontier));
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
        if (!looked)
            TRY(look_under(d, &parent.unmerged_leaves, c, &under));
        looked = true;
        *valid += unmerged_are_rest(&under, frontier->at[i]);
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
