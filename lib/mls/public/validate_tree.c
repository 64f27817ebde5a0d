#include "mls/public/validate_tree.h"

#include "mls/public/parent_hash.h"

/* The first non-blank node on the way down from p to the leaf, which p covers; the leaf itself when
 * blank. */
static uint32_t next_below(const struct tree_diff *d, uint32_t p, uint32_t leaf)
{
    uint32_t x = p;
    do {
        x = tree_math_child_toward(x, 2 * leaf);
    } while (!tree_math_is_leaf(x) && tree_diff_at(d, x) == NULL);
    return x;
}

static struct err check_unmerged(const struct tree_diff *d, uint32_t p,
                                 const struct u32_list *unmerged)
{
    /* RFC 9420 7.1: sorted in increasing order, so each once */
    for (size_t i = 1; i < u32_list_count(unmerged); i++) {
        if (u32_list_at(unmerged, i - 1) >= u32_list_at(unmerged, i))
            return ERR(MLS_UNMERGED_ORDER);
    }
    for (size_t i = 0; i < u32_list_count(unmerged); i++) {
        uint32_t leaf = u32_list_at(unmerged, i);
        /* RFC 9420 12.4.3.1: a descendant of the parent node */
        if (!tree_math_covers_leaf(p, leaf))
            return ERR(MLS_UNMERGED_RANGE);
        /* RFC 9420 12.4.3.1: a non-blank leaf node */
        if (tree_diff_at(d, 2 * leaf) == NULL)
            return ERR(MLS_UNMERGED_BLANK);
        /* RFC 9420 12.4.3.1: every non-blank intermediate node between has it too. Looking at the
         * nearest is enough, since that one is checked the same way. */
        uint32_t below = next_below(d, p, leaf);
        if (tree_math_is_leaf(below))
            continue;
        struct parent_node between = tree_node_parent(tree_diff_at(d, below));
        if (!u32_list_has_sorted(&between.unmerged_leaves, leaf))
            return ERR(MLS_UNMERGED_GAP);
    }
    return ERR_OK;
}

struct err validate_parents(const struct tree_diff *d, const struct suite *suite)
{
    for (uint32_t p = 1; p < tree_math_node_count(d->width); p += 2) {
        const struct tree_node *node = tree_diff_at(d, p);
        if (node == NULL)
            continue;
        struct parent_node parent = tree_node_parent(node);
        /* RFC 9420 5.1.1, 7.1: an HPKE public key of the suite */
        TRY(validate_blame(kem_check_public(suite->hpke.kem, parent.encryption_key),
                           ERR_MLS_PARENT_KEY));
        TRY(check_unmerged(d, p, &parent.unmerged_leaves));
    }
    return ERR_OK;
}

/* What is cheap, for all leaves, before the first signature. */
static struct err check_leaves(const struct tree_diff *d, const struct suite *suite,
                               const struct group_rules *rules, const struct mls_policy *policy)
{
    struct leaf_node leaf;
    for (uint32_t i = 0; i < d->width; i++) {
        if (!tree_diff_leaf(d, i, &leaf))
            continue;
        TRY(validate_leaf_alone(&leaf, suite, 0, policy));
        TRY(validate_leaf_in_group(&leaf, rules));
        TRY(validate_leaf_credentials(&leaf, &d->credentials));
    }
    return ERR_OK;
}

struct err validate_tree(const struct tree_diff *d, const struct suite *suite,
                         struct bytes group_id, const struct group_rules *rules,
                         const struct mls_policy *policy)
{
    TRY(check_leaves(d, suite, rules, policy));
    TRY(validate_parents(d, suite));
    TRY(parent_hash_check_tree(d));
    struct leaf_node leaf;
    for (uint32_t i = 0; i < d->width; i++) {
        if (tree_diff_leaf(d, i, &leaf))
            TRY(validate_leaf_signature(&leaf, suite, group_id, i));
    }
    return ERR_OK;
}
