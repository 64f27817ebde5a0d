/* A valid tree: hash and resolution of each node, and every rule of joining (RFC 9420 12.4.3.1). */
#include "mls/public/tree_path.h"
#include "mls/public/validate_tree.h"
#include "vectors/vector_case.h"

static void check_resolution(struct vector_case *c, const struct tree_diff *d, uint32_t x,
                             struct node_list *list)
{
    const json_t *want = json_array_get(vector_field(c, c->json, "resolutions"), x);
    list->count = 0;
    CHECK_OK(tree_resolution(d, x, list));
    CHECK(json_array_size(want) == list->count);
    CHECK(tree_resolution_count(d, x, NULL) == list->count);
    CHECK(tree_resolution_is_empty(d, x) == (list->count == 0));
    for (uint32_t i = 0; i < list->count; i++)
        CHECK(json_integer_value(json_array_get(want, i)) == list->at[i]);
}

static void check(struct vector_case *c, const struct suite *suite, const struct tree *tree)
{
    struct tree_diff d;
    tree_diff_init(&d, tree);
    const json_t *hashes = vector_field(c, c->json, "tree_hashes");
    CHECK(json_array_size(hashes) == tree_math_node_count(tree->width));
    struct node_list list = {0};
    for (uint32_t x = 0; x < tree_math_node_count(tree->width) && !c->failed; x++) {
        check_resolution(c, &d, x, &list);
        if (!bytes_equal(tree_diff_hash(&d, x), vector_hex_of(c, json_array_get(hashes, x))))
            vector_fail(c, "tree hash of node %u", x);
    }
    node_list_clear(&list);
    struct group_rules rules = {0};
    struct mls_policy policy = mls_policy_at(c->now);
    policy.max_lifetime_seconds = 0; /* they are of every length */
    CHECK_OK(validate_tree(&d, suite, vector_hex(c, c->json, "group_id"), &rules, &policy));
}

void vector_tree_validation(struct vector_case *c)
{
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    struct tree tree;
    CHECK_OK(tree_load(suite->hash, vector_hex(c, c->json, "tree"), &tree));
    check(c, suite, &tree);
    tree_clear(&tree);
}
