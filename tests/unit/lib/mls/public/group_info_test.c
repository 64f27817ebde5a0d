/* RFC 9420 7.1, 7.9.2, 12.4.3.1, 12.4.3.3: a GroupInfo and its tree with one fault each. */
#include "kit/mls_kit.h"
#include "support/test.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k, suite_find(1), 43);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_clear(&k);
    return 0;
}

static struct err validate(struct bytes message, struct bytes tree)
{
    struct mls_message m;
    struct public_group g;
    TRY(mls_message_parse(message, &k.arena, &m));
    TRY(public_group_from_group_info(&m.group_info, tree, &k.policy, &g));
    public_group_clear(&g);
    return ERR_OK;
}

static struct err judge(void (*hook)(struct kit *, struct group_info *))
{
    k.hooks.group_info = hook;
    struct bytes message = kit_group_info(&k, 0, bytes_of(NULL, 0));
    k.hooks.group_info = NULL;
    return validate(message, bytes_of(NULL, 0));
}

static void tag_short(struct kit *kit, struct group_info *info)
{
    (void)kit;
    info->confirmation_tag.len--;
}
static void no_tree(struct kit *kit, struct group_info *info)
{
    (void)kit;
    info->extensions = (struct extensions){0};
}
static void tree_hash_other(struct kit *kit, struct group_info *info)
{
    info->group_context.tree_hash = kit_random(kit, 32);
}
static void transcript_short(struct kit *kit, struct group_info *info)
{
    info->group_context.confirmed_transcript_hash = kit_random(kit, 31);
}
static void signer_outside(struct kit *kit, struct group_info *info)
{
    (void)kit;
    info->signer = 77;
}
static void suite_unknown(struct kit *kit, struct group_info *info)
{
    (void)kit;
    info->group_context.cipher_suite = 99;
}
static void add_extension(struct kit *kit, struct group_info *info, uint16_t type,
                          struct bytes data)
{
    struct buf b = BUF_INIT;
    buf_append_bytes(&b, info->extensions.raw);
    extension_write(&b, type, data);
    info->extensions.raw = kit_take(kit, &b);
}
static void external_pub_bad(struct kit *kit, struct group_info *info)
{
    add_extension(kit, info, EXTENSION_EXTERNAL_PUB, bytes_str("\x03xyz"));
}
static void extension_twice(struct kit *kit, struct group_info *info)
{
    add_extension(kit, info, 0x3a3a, bytes_str("a"));
    add_extension(kit, info, 0x3a3a, bytes_str("b"));
}
static void grease(struct kit *kit, struct group_info *info)
{
    add_extension(kit, info, 0x3a3a, bytes_str("a"));
}
static void context_extension_unsupported(struct kit *kit, struct group_info *info)
{
    info->group_context.extensions = kit_extension(kit, 0xff07, bytes_str("a"));
}

static void faults_of_the_info(void **state)
{
    (void)state;
    kit_group(&k, 5, false, &(struct extensions){0});
    assert_ok(judge(NULL));
    assert_ok(judge(grease));
    assert_err(judge(tag_short), MLS_CONFIRMATION_TAG_LENGTH);
    assert_err(judge(no_tree), MLS_TREE_MISSING);
    assert_err(judge(tree_hash_other), MLS_TREE_HASH);
    assert_err(judge(transcript_short), MLS_TRANSCRIPT_HASH_LENGTH);
    assert_err(judge(signer_outside), MLS_GROUP_INFO_SIGNER);
    assert_err(judge(suite_unknown), MLS_SUITE_UNKNOWN);
    assert_err(judge(external_pub_bad), MLS_EXTERNAL_PUB);
    assert_err(judge(extension_twice), MLS_EXTENSION_TWICE);
    assert_err(judge(context_extension_unsupported), MLS_LEAF_GROUP_EXTENSION);
    struct bytes message = kit_group_info(&k, 1, bytes_of(NULL, 0));
    struct mls_message m;
    struct public_group g;
    assert_ok(mls_message_parse(message, &k.arena, &m));
    m.group_info.signer = 2; /* not who signed */
    assert_err(public_group_from_group_info(&m.group_info, bytes_of(NULL, 0), &k.policy, &g),
               MLS_GROUP_INFO_SIGNATURE);
}

/* Changes the nodes of the group's tree and signs a GroupInfo for what comes out. */
enum { MOST_NODES = 64 };
struct nodes {
    struct tree_entry at[MOST_NODES];
    uint32_t count;
};

static struct err judge_tree(void (*change)(struct nodes *))
{
    struct buf b = BUF_INIT;
    struct nodes nodes = {.count = 0};
    tree_write(&b, &k.group.tree);
    struct ratchet_tree_walk w = ratchet_tree_walk_of(kit_take(&k, &b));
    while (ratchet_tree_next(&w, &nodes.at[nodes.count]))
        nodes.count++;
    if (change != NULL)
        change(&nodes);
    size_t mark = wire_vector_begin(&b);
    for (uint32_t i = 0; i < nodes.count; i++)
        tree_entry_write(&b, &nodes.at[i]);
    wire_vector_end(&b, mark);
    struct bytes tree = kit_take(&k, &b);
    return validate(kit_group_info(&k, 0, tree), bytes_of(NULL, 0));
}

static void set_unmerged(struct parent_node *parent, size_t count, const uint32_t *leaves)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < count; i++)
        wire_write_u32(&b, leaves[i]);
    parent->unmerged_leaves.raw = kit_take(&k, &b);
}

static void trailing_blank(struct nodes *n)
{
    n->at[n->count++].type = NODE_BLANK;
}
static void even_count(struct nodes *n)
{
    n->at[n->count] = n->at[1];
    n->count++;
}
static void leaf_at_parent(struct nodes *n)
{
    n->at[1] = n->at[0];
}
static void parent_at_leaf(struct nodes *n)
{
    n->at[2] = n->at[1];
}
static void empty(struct nodes *n)
{
    n->count = 0;
}
static void parent_key_twice(struct nodes *n)
{
    n->at[1].parent.encryption_key = n->at[3].parent.encryption_key;
}
static void parent_key_of_leaf(struct nodes *n)
{
    n->at[1].parent.encryption_key = n->at[8].leaf.encryption_key;
}
static void leaf_twice(struct nodes *n)
{
    n->at[8] = n->at[6];
}
static void parent_key_short(struct nodes *n)
{
    n->at[1].parent.encryption_key.len--;
}
static void unmerged_order(struct nodes *n)
{
    set_unmerged(&n->at[3].parent, 2, (const uint32_t[]){3, 2});
}
static void unmerged_twice(struct nodes *n)
{
    set_unmerged(&n->at[3].parent, 2, (const uint32_t[]){3, 3});
}
static void unmerged_elsewhere(struct nodes *n)
{
    set_unmerged(&n->at[3].parent, 1, (const uint32_t[]){4});
}
static void unmerged_far(struct nodes *n)
{
    set_unmerged(&n->at[3].parent, 1, (const uint32_t[]){0xffffffff});
}
static void unmerged_gap(struct nodes *n)
{
    set_unmerged(&n->at[3].parent, 1, (const uint32_t[]){3}); /* not in node 5 between */
}
static void unmerged_blank(struct nodes *n)
{
    set_unmerged(&n->at[7].parent, 1, (const uint32_t[]){5}); /* leaf 5 of 8 is blank */
}
static void parent_key_other(struct nodes *n)
{
    n->at[3].parent.encryption_key = kit_kem_key(&k);
}
static void parent_hash_other(struct nodes *n)
{
    n->at[3].parent.parent_hash = kit_random(&k, 32);
}
static void parent_of_nobody(struct nodes *n)
{
    n->at[5] = n->at[3]; /* a key over leaves 2 and 3 that no commit put there */
    n->at[5].parent.encryption_key = kit_kem_key(&k);
}
static void parent_lost(struct nodes *n)
{
    n->at[3].type = NODE_BLANK; /* leaf 0's and node 1's hashes then say what is not so */
}
static void leaf_signature_other(struct nodes *n)
{
    n->at[8].leaf.signature =
        n->at[4].leaf.signature; /* of the last committer: in no parent hash */
}

static void faults_of_the_tree(void **state)
{
    (void)state;
    kit_group(&k, 5, true, &(struct extensions){0});
    assert_ok(judge_tree(NULL));
    assert_err(judge_tree(trailing_blank), MLS_TREE_TRAILING_BLANK);
    assert_err(judge_tree(even_count), MLS_TREE_EVEN);
    assert_err(judge_tree(leaf_at_parent), MLS_TREE_NODE_TYPE);
    assert_err(judge_tree(parent_at_leaf), MLS_TREE_NODE_TYPE);
    assert_err(judge_tree(empty), MLS_TREE_EMPTY);
    assert_err(judge_tree(parent_key_twice), MLS_ENCRYPTION_KEY_TWICE);
    assert_err(judge_tree(parent_key_of_leaf), MLS_ENCRYPTION_KEY_TWICE);
    assert_err(judge_tree(leaf_twice), MLS_ENCRYPTION_KEY_TWICE);
    assert_err(judge_tree(parent_key_short), MLS_PARENT_KEY);
    assert_err(judge_tree(unmerged_order), MLS_UNMERGED_ORDER);
    assert_err(judge_tree(unmerged_twice), MLS_UNMERGED_ORDER);
    assert_err(judge_tree(unmerged_elsewhere), MLS_UNMERGED_RANGE);
    assert_err(judge_tree(unmerged_far), MLS_UNMERGED_RANGE);
    assert_err(judge_tree(unmerged_gap), MLS_UNMERGED_GAP);
    assert_err(judge_tree(unmerged_blank), MLS_UNMERGED_BLANK);
    assert_err(judge_tree(parent_key_other), MLS_PARENT_HASH);
    assert_err(judge_tree(parent_hash_other), MLS_PARENT_HASH);
    assert_err(judge_tree(parent_lost), MLS_PARENT_HASH);
    assert_err(judge_tree(leaf_signature_other), MLS_LEAF_SIGNATURE);
}

static void parents_come_from_commits(void **state)
{
    (void)state;
    kit_group(&k, 5, false, &(struct extensions){0}); /* only leaf 0 has committed: nodes 1, 3, 7 */
    assert_ok(judge_tree(NULL));
    assert_err(judge_tree(parent_of_nobody), MLS_PARENT_HASH);
}

static void same_signature_key(struct nodes *n)
{
    n->at[2].leaf.signature_key = n->at[4].leaf.signature_key;
}
static void other_credential(struct nodes *n)
{
    n->at[2].leaf.credential.type = 0xff01;
    n->at[2].leaf.capabilities.credentials =
        kit_list(&k, 2, (const uint16_t[]){CREDENTIAL_BASIC, 0xff01});
}

/* RFC 9420 7.3: keys unique, credential types supported by all, before any signature is looked at.
 */
static void members_must_fit_each_other(void **state)
{
    (void)state;
    kit_group(&k, 5, true, &(struct extensions){0});
    assert_err(judge_tree(same_signature_key), MLS_SIGNATURE_KEY_TWICE);
    assert_err(judge_tree(other_credential), MLS_CREDENTIAL_MUTUAL);
}

static void unmerged_forgotten(struct nodes *n)
{
    n->at[3].parent.unmerged_leaves.raw.len = 0;
}
static void unmerged_too_many(struct nodes *n)
{
    set_unmerged(&n->at[3].parent, 2,
                 (const uint32_t[]){2, 3}); /* leaf 2 was there when node 3 was set */
}
static void unmerged_on_this_side(struct nodes *n)
{
    set_unmerged(&n->at[1].parent, 1, (const uint32_t[]){0}); /* in a node below, not in node 3 */
}

/* RFC 9420 7.9.2 with unmerged leaves: node 3 is set by leaf 0's commit while leaf 3 joins after;
 * the parent hash must be computed over a sibling without it, and be valid for exactly one
 * descendant. */
static void unmerged_leaves_are_left_out_of_parent_hashes(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    struct proposal_or_ref remove = kit_by_value(&k, kit_remove(&k, 3));
    kit_apply(&k, kit_commit(&k, 0, &remove, 1, true), NULL, 0);
    kit_apply(&k, kit_commit(&k, 2, NULL, 0, true), NULL, 0);
    kit_apply(&k, kit_commit(&k, 1, NULL, 0, true), NULL, 0);
    uint32_t client = kit_client_new(&k);
    struct proposal_or_ref add = kit_by_value(&k, kit_add(&k, client));
    kit_apply(&k, kit_commit(&k, 1, &add, 1, false), &client,
              1); /* without path: leaf 3 is unmerged in the root */
    struct parent_node root = tree_node_parent(tree_at(&k.group.tree, 3));
    assert_int_equal(u32_list_count(&root.unmerged_leaves), 1);
    assert_int_equal(u32_list_at(&root.unmerged_leaves, 0), 3);
    assert_ok(judge_tree(NULL));
    assert_err(judge_tree(unmerged_forgotten), MLS_PARENT_HASH);
    assert_err(judge_tree(unmerged_too_many), MLS_PARENT_HASH);
    assert_err(judge_tree(unmerged_on_this_side), MLS_PARENT_HASH);
}

static void unmerged_with_the_committer(struct nodes *n)
{
    set_unmerged(&n->at[3].parent, 2, (const uint32_t[]){0, 1});
}
static void root_forgets(struct nodes *n)
{
    n->at[7].parent.unmerged_leaves.raw.len = 0;
}

/* RFC 9420 7.9.2: the unmerged leaves on the committer's own side stand in no hash, so that only
 * the comparison with the resolution shows who was left out of a node: D a leaf, then a parent. */
static void unmerged_leaves_beside_the_committer(void **state)
{
    (void)state;
    uint32_t client = 0;
    kit_group(&k, 4, true, &(struct extensions){0});
    struct proposal_or_ref remove = kit_by_value(&k, kit_remove(&k, 1));
    kit_apply(&k, kit_commit(&k, 0, &remove, 1, true), NULL, 0); /* root only: node 1 is blank */
    client = kit_client_new(&k);
    struct proposal_or_ref add = kit_by_value(&k, kit_add(&k, client));
    kit_apply(&k, kit_commit(&k, 2, &add, 1, false), &client, 1);
    assert_null(tree_at(&k.group.tree, 1));
    assert_ok(judge_tree(NULL));
    assert_err(judge_tree(unmerged_forgotten), MLS_PARENT_HASH);
    assert_err(judge_tree(unmerged_with_the_committer), MLS_PARENT_HASH);
    teardown(state);
    setup(state);
    kit_group(&k, 8, true, &(struct extensions){0});
    remove = kit_by_value(&k, kit_remove(&k, 3));
    kit_apply(&k, kit_commit(&k, 0, &remove, 1, true), NULL, 0); /* nodes 1, 3 and 7 */
    client = kit_client_new(&k);
    add = kit_by_value(&k, kit_add(&k, client));
    kit_apply(&k, kit_commit(&k, 7, &add, 1, false), &client, 1);
    assert_ok(judge_tree(NULL));
    assert_err(judge_tree(root_forgets), MLS_PARENT_HASH);
}

/* RFC 9420 7.3: an idle member whose leaf has expired keeps nobody out, unless asked for. */
static void expired_leaves_in_a_tree(void **state)
{
    (void)state;
    kit_group(&k, 3, false, &(struct extensions){0});
    k.policy.now = KIT_NOW + 400ULL * 86400;
    assert_ok(judge(NULL));
    k.policy.strict_tree_lifetime = true;
    assert_err(judge(NULL), MLS_LIFETIME_EXPIRED);
    k.policy.now = KIT_NOW - 400ULL * 86400;
    assert_err(judge(NULL), MLS_LIFETIME_EARLY);
    k.policy.strict_tree_lifetime = false;
    assert_ok(judge(NULL));
    k.policy.max_lifetime_seconds = 3600; /* a lifetime's length is judged at any time */
    assert_err(judge(NULL), MLS_LIFETIME_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(faults_of_the_info, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_of_the_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(parents_come_from_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(members_must_fit_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(unmerged_leaves_beside_the_committer, setup, teardown),
        cmocka_unit_test_setup_teardown(unmerged_leaves_are_left_out_of_parent_hashes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(expired_leaves_in_a_tree, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
