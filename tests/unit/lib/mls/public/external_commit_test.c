/* RFC 9420 12.2, 12.4.3.2: external commits, joining and coming back. */
#include "kit/mls_kit.h"
#include "support/test.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k, suite_find(1), 47);
    kit_group(&k, 5, true, &(struct extensions){0});
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

/* Lists that break the rules are put in after a good path was made, and signed over. */
static struct proposal_or_ref faulty[4];
static size_t faulty_count;
static void put_list(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->commit.proposals = faulty;
    c->commit.proposal_count = faulty_count;
}
static void no_path(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->commit.path = NULL;
}

static struct err judge_list(size_t count, struct proposal_or_ref a, struct proposal_or_ref b,
                             struct proposal_or_ref c)
{
    faulty[0] = a;
    faulty[1] = b;
    faulty[2] = c;
    faulty_count = count;
    k.hooks.content = put_list;
    struct bytes message = kit_external_commit(&k, kit_client_new(&k), NULL, 0);
    k.hooks.content = NULL;
    return process(message);
}

static struct proposal_or_ref init(struct bytes kem_output)
{
    struct proposal p = {.type = PROPOSAL_EXTERNAL_INIT, .external_init = kem_output};
    return kit_by_value(&k, kit_proposal(&k, &p));
}

static void join(void **state)
{
    (void)state;
    uint32_t client = kit_client_new(&k);
    struct bytes message = kit_external_commit(&k, client, NULL, 0);
    struct staged_commit *staged = kit_stage(&k, message);
    assert_int_equal(staged->committer_leaf, 5);
    assert_int_equal(staged->added.count, 0);
    public_group_merge(&k.group, &staged);
    k.client_of_leaf[5] = client;
    assert_int_equal(public_group_member_count(&k.group), 6);
    kit_apply(&k, kit_commit(&k, 5, NULL, 0, true), NULL, 0); /* a member like any other now */
}

static void resync_takes_the_old_place(void **state)
{
    (void)state;
    struct proposal_or_ref remove = kit_by_value(&k, kit_remove(&k, 2));
    struct staged_commit *staged =
        kit_stage(&k, kit_external_commit(&k, k.client_of_leaf[2], &remove, 1));
    assert_int_equal(staged->committer_leaf, 2); /* the leftmost blank leaf after the Remove */
    public_group_merge(&k.group, &staged);
    assert_int_equal(public_group_member_count(&k.group), 5);
    kit_apply(&k, kit_commit(&k, 2, NULL, 0, true), NULL, 0);
}

static void resync_of_another_is_refused(void **state)
{
    (void)state;
    struct proposal_or_ref remove = kit_by_value(&k, kit_remove(&k, 2));
    struct proposal_or_ref ok = init(kit_kem_key(&k));
    assert_err(judge_list(2, ok, remove, ok), MLS_RESYNC_IDENTITY);
    k.policy.any_resync = true;
    struct proposal_or_ref list[] = {remove};
    assert_ok(process(kit_external_commit(&k, kit_client_new(&k), list, 1)));
}

static uint32_t key_owner;
static void key_of_a_leaf(struct kit *kit, struct leaf_node *leaf)
{
    leaf->encryption_key = tree_node_encryption_key(tree_at(&kit->group.tree, 2 * key_owner));
}

/* RFC 9420 12.2, 12.4.2: neither the key of the leaf it replaces nor that of anybody else. */
static void joiners_bring_new_keys(void **state)
{
    (void)state;
    struct proposal_or_ref remove = kit_by_value(&k, kit_remove(&k, 2));
    k.hooks.leaf = key_of_a_leaf;
    key_owner = 2;
    assert_err(process(kit_external_commit(&k, k.client_of_leaf[2], &remove, 1)),
               MLS_LEAF_KEY_REUSED);
    key_owner = 1;
    assert_err(process(kit_external_commit(&k, k.client_of_leaf[2], &remove, 1)),
               MLS_PATH_KEY_REUSED);
    assert_err(process(kit_external_commit(&k, kit_client_new(&k), NULL, 0)), MLS_PATH_KEY_REUSED);
}

static void a_member_cannot_join_twice(void **state)
{
    (void)state;
    k.hooks.content = NULL;
    assert_err(process(kit_external_commit(&k, k.client_of_leaf[2], NULL, 0)),
               MLS_SIGNATURE_KEY_TWICE);
}

static void lists(void **state)
{
    (void)state;
    struct proposal_or_ref ok = init(kit_kem_key(&k));
    struct proposal_or_ref remove = kit_by_value(&k, kit_remove(&k, 2));
    struct proposal_or_ref add = kit_by_value(&k, kit_add(&k, kit_client_new(&k)));
    struct psk_id id = {.type = PSK_EXTERNAL, .id = bytes_str("id"), .nonce = kit_random(&k, 32)};
    struct proposal_or_ref psk = kit_by_value(&k, kit_psk(&k, &id));
    struct bytes sent = kit_member_proposal(&k, 1, kit_remove(&k, 3));
    assert_ok(process(sent));
    struct proposal_or_ref by_ref = kit_by_ref(&k, sent);
    assert_ok(judge_list(1, ok, ok, ok));
    assert_ok(judge_list(2, ok, psk, ok));
    assert_err(judge_list(0, ok, ok, ok), MLS_EXTERNAL_COMMIT_INIT);
    assert_err(judge_list(1, psk, ok, ok), MLS_EXTERNAL_COMMIT_INIT);
    assert_err(judge_list(2, ok, ok, ok), MLS_EXTERNAL_COMMIT_INIT);
    assert_err(judge_list(3, ok, remove, remove), MLS_EXTERNAL_COMMIT_REMOVE);
    assert_err(judge_list(2, ok, add, ok), MLS_EXTERNAL_COMMIT_PROPOSAL);
    assert_err(judge_list(2, ok, by_ref, ok), MLS_EXTERNAL_COMMIT_REFERENCE);
    assert_err(judge_list(3, ok, psk, psk), MLS_PSK_TWICE);
    assert_err(judge_list(1, init(kit_random(&k, 31)), ok, ok), MLS_KEM_OUTPUT);
}

static void a_path_is_needed(void **state)
{
    (void)state;
    k.hooks.content = no_path;
    struct bytes message = kit_external_commit(&k, kit_client_new(&k), NULL, 0);
    assert_err(process(message), MLS_PATH_REQUIRED);
}

/* The only member is replaced by a joiner: the tree keeps one leaf. */
static void last_member_comes_back(void **state)
{
    (void)state;
    kit_clear(&k);
    kit_init(&k, suite_find(1), 48);
    kit_group(&k, 3, false, &(struct extensions){0});
    struct proposal_or_ref list[] = {kit_by_value(&k, kit_remove(&k, 0)),
                                     kit_by_value(&k, kit_remove(&k, 1))};
    kit_apply(&k, kit_commit(&k, 2, list, 2, true), NULL, 0);
    assert_int_equal(k.group.tree.width, 4);
    struct proposal_or_ref remove = kit_by_value(&k, kit_remove(&k, 2));
    struct staged_commit *staged =
        kit_stage(&k, kit_external_commit(&k, k.client_of_leaf[2], &remove, 1));
    assert_int_equal(staged->committer_leaf, 0);
    public_group_merge(&k.group, &staged);
    assert_int_equal(k.group.tree.width, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(join, setup, teardown),
        cmocka_unit_test_setup_teardown(resync_takes_the_old_place, setup, teardown),
        cmocka_unit_test_setup_teardown(resync_of_another_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(joiners_bring_new_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(a_member_cannot_join_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(lists, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_is_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(last_member_comes_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
