/* RFC 9420 7.3, 7.5, 7.6, 12.4.2: paths with one fault each, the leaf and the message signed around
 * it. */
#include "kit/mls_kit.h"
#include "support/test.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k, suite_find(1), 45);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_clear(&k);
    return 0;
}

static struct err process(struct bytes message)
{
    struct staged_commit *staged = NULL;
    struct err err = public_group_process(&k.group, message, &k.policy, &staged);
    staged_commit_free(&staged);
    return err;
}

static struct err judge_path(void (*hook)(struct kit *, struct update_path *,
                                          struct update_path_node *))
{
    k.hooks.path = hook;
    struct bytes message = kit_commit(&k, 0, NULL, 0, true);
    k.hooks.path = NULL;
    return process(message);
}

static struct err judge_leaf(void (*hook)(struct kit *, struct leaf_node *))
{
    k.hooks.leaf = hook;
    struct bytes message = kit_commit(&k, 0, NULL, 0, true);
    k.hooks.leaf = NULL;
    return process(message);
}

static void one_node_less(struct kit *kit, struct update_path *path, struct update_path_node *nodes)
{
    (void)kit, (void)nodes;
    path->node_count--;
}
static void one_node_more(struct kit *kit, struct update_path *path, struct update_path_node *nodes)
{
    nodes[path->node_count] = nodes[0];
    nodes[path->node_count++].encryption_key = kit_kem_key(kit);
}
static void no_nodes(struct kit *kit, struct update_path *path, struct update_path_node *nodes)
{
    (void)kit, (void)nodes;
    path->node_count = 0;
}
static void one_ciphertext_more(struct kit *kit, struct update_path *path,
                                struct update_path_node *nodes)
{
    (void)path;
    struct buf b = BUF_INIT;
    buf_append_bytes(&b, nodes[1].ciphertexts);
    buf_append_bytes(&b, nodes[1].ciphertexts);
    nodes[1].ciphertexts = kit_take(kit, &b);
}
static void no_ciphertext(struct kit *kit, struct update_path *path, struct update_path_node *nodes)
{
    (void)kit, (void)path;
    nodes[0].ciphertexts = bytes_of(NULL, 0);
}
static void ciphertext_form(struct kit *kit, struct update_path_node *node, size_t kem_bytes,
                            size_t bytes)
{
    struct buf b = BUF_INIT;
    hpke_ciphertext_write(
        &b, &(struct hpke_ciphertext){kit_random(kit, kem_bytes), kit_random(kit, bytes)});
    node->ciphertexts = kit_take(kit, &b);
}
static void kem_output_short(struct kit *kit, struct update_path *path,
                             struct update_path_node *nodes)
{
    (void)path;
    ciphertext_form(kit, &nodes[0], 31, 48);
}
static void ciphertext_long(struct kit *kit, struct update_path *path,
                            struct update_path_node *nodes)
{
    (void)path;
    ciphertext_form(kit, &nodes[0], 32, 49);
}
static void ciphertext_right(struct kit *kit, struct update_path *path,
                             struct update_path_node *nodes)
{
    (void)path;
    ciphertext_form(kit, &nodes[0], 32, 48);
}
static void node_key_short(struct kit *kit, struct update_path *path,
                           struct update_path_node *nodes)
{
    (void)kit, (void)path;
    nodes[0].encryption_key.len--;
}
static void node_key_of_old_path(struct kit *kit, struct update_path *path,
                                 struct update_path_node *nodes)
{
    (void)path; /* of a node the path itself replaces */
    nodes[0].encryption_key = tree_node_encryption_key(tree_at(&kit->group.tree, 1));
}
static void node_key_of_a_leaf(struct kit *kit, struct update_path *path,
                               struct update_path_node *nodes)
{
    (void)path;
    nodes[0].encryption_key = tree_node_encryption_key(tree_at(&kit->group.tree, 6));
}
static void node_key_twice(struct kit *kit, struct update_path *path,
                           struct update_path_node *nodes)
{
    (void)kit, (void)path;
    nodes[0].encryption_key = nodes[1].encryption_key;
}
static void node_key_of_own_leaf(struct kit *kit, struct update_path *path,
                                 struct update_path_node *nodes)
{
    (void)kit;
    nodes[0].encryption_key = path->leaf_node.encryption_key;
}
static void node_key_other(struct kit *kit, struct update_path *path,
                           struct update_path_node *nodes)
{
    (void)path; /* good in itself, but the leaf's parent hash says another */
    nodes[1].encryption_key = kit_kem_key(kit);
}

static void faults_of_nodes(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    assert_ok(judge_path(NULL));
    assert_err(judge_path(one_node_less), MLS_PATH_LENGTH);
    assert_err(judge_path(one_node_more), MLS_PATH_LENGTH);
    assert_err(judge_path(no_nodes), MLS_PATH_LENGTH);
    assert_err(judge_path(one_ciphertext_more), MLS_PATH_CIPHERTEXT_COUNT);
    assert_err(judge_path(no_ciphertext), MLS_PATH_CIPHERTEXT_COUNT);
    assert_err(judge_path(kem_output_short), MLS_PATH_CIPHERTEXT_FORM);
    assert_err(judge_path(ciphertext_long), MLS_PATH_CIPHERTEXT_FORM);
    assert_ok(judge_path(ciphertext_right));
    assert_err(judge_path(node_key_short), MLS_PATH_KEY);
    assert_err(judge_path(node_key_of_old_path), MLS_PATH_KEY_REUSED);
    assert_err(judge_path(node_key_of_a_leaf), MLS_PATH_KEY_REUSED);
    assert_err(judge_path(node_key_twice), MLS_PATH_KEY_REUSED);
    assert_err(judge_path(node_key_of_own_leaf), MLS_PATH_KEY_REUSED);
    assert_err(judge_path(node_key_other), MLS_PATH_PARENT_HASH);
}

static void source_update(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->source = LEAF_SOURCE_UPDATE;
}
static void parent_hash_other(struct kit *kit, struct leaf_node *leaf)
{
    leaf->parent_hash = kit_random(kit, 32);
}
static void parent_hash_none(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->parent_hash.len = 0;
}
static void key_of_before(struct kit *kit, struct leaf_node *leaf)
{
    leaf->encryption_key = tree_node_encryption_key(tree_at(&kit->group.tree, 0));
}
static void key_of_another(struct kit *kit, struct leaf_node *leaf)
{
    leaf->encryption_key = tree_node_encryption_key(tree_at(&kit->group.tree, 4));
}
static void key_of_old_path(struct kit *kit, struct leaf_node *leaf)
{
    leaf->encryption_key = tree_node_encryption_key(tree_at(&kit->group.tree, 3));
}
static void signature_key_of_another(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->signature_key = public_key_view(&kit->clients[kit->client_of_leaf[2]].key.public_key);
}
static void extension_unlisted(struct kit *kit, struct leaf_node *leaf)
{
    leaf->extensions = kit_extension(kit, 0xff01, bytes_str("x"));
}

static void faults_of_the_leaf(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    assert_err(judge_leaf(source_update), MLS_LEAF_SOURCE);
    assert_err(judge_leaf(parent_hash_other), MLS_PATH_PARENT_HASH);
    assert_err(judge_leaf(parent_hash_none), MLS_PATH_PARENT_HASH);
    assert_err(judge_leaf(key_of_before), MLS_LEAF_KEY_REUSED);
    assert_err(judge_leaf(key_of_another), MLS_PATH_KEY_REUSED);
    assert_err(judge_leaf(key_of_old_path), MLS_PATH_KEY_REUSED);
    assert_err(judge_leaf(signature_key_of_another), MLS_LEAF_SIGNATURE);
    assert_err(judge_leaf(extension_unlisted), MLS_LEAF_EXTENSION_UNLISTED);
}

/* RFC 9420 12.4.2: path secrets are not encrypted to leaves added now; one more ciphertext is one
 * too many. */
static void new_leaves_get_no_ciphertext(void **state)
{
    (void)state;
    kit_group(&k, 3, true, &(struct extensions){0});
    uint32_t client = kit_client_new(&k);
    struct proposal_or_ref add = kit_by_value(&k, kit_add(&k, client));
    struct bytes message = kit_commit(&k, 0, &add, 1, true);
    struct staged_commit *staged = kit_stage(&k, message);
    assert_int_equal(staged->added.count, 1);
    assert_int_equal(staged->added.at[0], 6);
    /* copath of the root's child: leaf 2 and, added now, leaf 3; node 5 is blank */
    assert_int_equal(tree_resolution_count(&staged->diff, 5, NULL), 2);
    assert_int_equal(tree_resolution_count(&staged->diff, 5, &staged->added), 1);
    staged_commit_free(&staged);
    kit_apply(&k, message, &client, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(faults_of_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_of_the_leaf, setup, teardown),
        cmocka_unit_test_setup_teardown(new_leaves_get_no_ciphertext, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
