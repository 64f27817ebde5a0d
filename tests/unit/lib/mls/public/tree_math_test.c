/* Relations of nodes against their definition, for every pair of a tree of 32 leaves. The official
 * vectors hold root, children, parent and sibling; these are the rest. */
#include "mls/public/tree_math.h"
#include "support/test.h"

enum { WIDTH = 32 };

static bool is_ancestor_or_self(uint32_t x, uint32_t y)
{
    while (y != x && y != tree_math_root(WIDTH))
        y = tree_math_parent(y);
    return y == x;
}

static void cover(void **state)
{
    (void)state;
    for (uint32_t x = 0; x < tree_math_node_count(WIDTH); x++) {
        uint32_t leaves = 0;
        for (uint32_t y = 0; y < tree_math_node_count(WIDTH); y++) {
            bool below = is_ancestor_or_self(x, y);
            assert_int_equal(tree_math_covers(x, y), below);
            if (tree_math_is_leaf(y)) {
                assert_int_equal(tree_math_covers_leaf(x, y / 2), below);
                if (below && leaves++ == 0)
                    assert_int_equal(tree_math_first_leaf(x), y / 2);
            }
            if (below && x != y)
                assert_true(is_ancestor_or_self(tree_math_child_toward(x, y), y));
        }
        assert_int_equal(tree_math_leaf_count(x), leaves);
        assert_false(tree_math_covers_leaf(x, 0x80000000));
        assert_false(tree_math_covers_leaf(x, UINT32_MAX));
    }
}

static void common_ancestors(void **state)
{
    (void)state;
    for (uint32_t x = 0; x < tree_math_node_count(WIDTH); x++) {
        for (uint32_t y = 0; y < tree_math_node_count(WIDTH); y++) {
            uint32_t z = tree_math_common_ancestor(x, y);
            assert_true(is_ancestor_or_self(z, x) && is_ancestor_or_self(z, y));
            if (z != x && z != y)
                assert_int_not_equal(tree_math_child_toward(z, x), tree_math_child_toward(z, y));
        }
    }
}

static void widths(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {{1, 1}, {2, 2},       {3, 4},        {4, 4},
                                        {5, 8}, {1000, 1024}, {65536, 65536}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(tree_math_width_for(cases[i][0]), cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cover),
        cmocka_unit_test(common_ancestors),
        cmocka_unit_test(widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
