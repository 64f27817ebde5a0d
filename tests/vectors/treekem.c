/* Update paths over a tree (RFC 9420 7.5, 7.6, 7.9): the public part. Path secrets and commit
 * secrets need a member. */
#include "mls/codec/commit.h"
#include "mls/public/parent_hash.h"
#include "mls/public/validate_tree.h"
#include "vectors/vector_case.h"

static void check_path(struct vector_case *c, const struct suite *suite, const struct tree *tree,
                       const json_t *json, struct tree_diff *d)
{
    struct wire_reader r = wire_reader_of(vector_hex(c, json, "update_path"));
    uint32_t sender = (uint32_t)vector_uint(c, json, "sender");
    struct update_path update;
    update_path_read(&r, &c->arena, &update);
    CHECK_OK(wire_reader_end(&r));
    struct filtered_path path;
    tree_diff_init(d, tree);
    tree_filtered_path(d, sender, &path);
    CHECK(path.count == update.node_count);
    struct bytes keys[MLS_MAX_PATH_NODES];
    for (uint32_t i = 0; i < path.count; i++) {
        keys[i] = update.nodes[i].encryption_key;
        CHECK(update.nodes[i].ciphertext_count == tree_resolution_count(d, path.copath[i], NULL));
    }
    struct digest parent_hash;
    CHECK_OK(parent_hash_apply_path(d, sender, &path, keys, &parent_hash));
    CHECK_BYTES(update.leaf_node.parent_hash, digest_view(&parent_hash));
    CHECK_OK(validate_leaf_signature(&update.leaf_node, suite, vector_hex(c, c->json, "group_id"),
                                     sender));
    CHECK_OK(tree_diff_set_leaf(d, sender, update.leaf_node.raw));
    CHECK_OK(tree_diff_rehash(d));
    CHECK_BYTES(tree_diff_root_hash(d), vector_hex(c, json, "tree_hash_after"));
    CHECK_OK(parent_hash_check_tree(d));
}

void vector_treekem(struct vector_case *c)
{
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    struct tree tree;
    CHECK_OK(tree_load(suite->hash, vector_hex(c, c->json, "ratchet_tree"), &tree));
    const json_t *paths = vector_field(c, c->json, "update_paths");
    for (size_t i = 0; i < json_array_size(paths) && !c->failed; i++) {
        struct tree_diff d = {0};
        check_path(c, suite, &tree, json_array_get(paths, i), &d);
        tree_diff_clear(&d);
    }
    tree_clear(&tree);
}
