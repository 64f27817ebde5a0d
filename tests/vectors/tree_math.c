/* Tree arithmetic (RFC 9420 appendix C) for each node of a tree. */
#include "mls/public/tree_math.h"
#include "vectors/vector_case.h"

/* null where the relation does not exist */
static bool same(const json_t *list, uint32_t x, bool exists, uint32_t value)
{
    const json_t *want = json_array_get(list, x);
    return exists ? json_is_integer(want) && json_integer_value(want) == value : json_is_null(want);
}

void vector_tree_math(struct vector_case *c)
{
    uint32_t width = (uint32_t)vector_uint(c, c->json, "n_leaves");
    uint32_t root = tree_math_root(width);
    CHECK(vector_uint(c, c->json, "n_nodes") == tree_math_node_count(width));
    CHECK(vector_uint(c, c->json, "root") == root);
    CHECK(tree_math_width_for(width) == width);
    const json_t *left = vector_field(c, c->json, "left");
    const json_t *right = vector_field(c, c->json, "right");
    const json_t *parent = vector_field(c, c->json, "parent");
    const json_t *sibling = vector_field(c, c->json, "sibling");
    CHECK(json_array_size(left) == tree_math_node_count(width));
    for (uint32_t x = 0; x < tree_math_node_count(width); x++) {
        bool is_parent = !tree_math_is_leaf(x);
        CHECK(same(left, x, is_parent, is_parent ? tree_math_left(x) : 0));
        CHECK(same(right, x, is_parent, is_parent ? tree_math_right(x) : 0));
        CHECK(same(parent, x, x != root, x != root ? tree_math_parent(x) : 0));
        CHECK(same(sibling, x, x != root, x != root ? tree_math_sibling(x) : 0));
    }
}
