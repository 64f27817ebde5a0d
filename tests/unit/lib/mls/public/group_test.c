/* What a group offers besides following messages: pending proposals, storage, links between groups,
 * bounds. */
#include "crypto/labelled.h"
#include "kit/mls_kit.h"
#include "support/test.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k, suite_find(1), 51);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_clear(&k);
    return 0;
}

static void pending_proposals(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    struct bytes remove = kit_member_proposal(&k, 1, kit_remove(&k, 2));
    struct bytes update = kit_member_proposal(&k, 3, kit_update(&k, 3));
    assert_false(public_group_remove_pending(&k.group, 2));
    assert_null(kit_stage(&k, remove));
    assert_null(kit_stage(&k, update));
    assert_true(public_group_remove_pending(&k.group, 2));
    assert_false(public_group_remove_pending(&k.group, 1));
    struct proposal_or_ref list[] = {kit_by_ref(&k, remove), kit_by_ref(&k, update)};
    struct staged_commit *one = kit_stage(&k, kit_commit(&k, 0, list, 1, true));
    assert_false(staged_commit_covers_pending(one));
    struct staged_commit *both =
        kit_stage(&k, kit_commit(&k, 0, list, 2, true)); /* two staged at once are fine */
    assert_true(staged_commit_covers_pending(both));
    staged_commit_free(&one);
    public_group_merge(&k.group, &both);
    assert_false(public_group_remove_pending(&k.group, 2));
}

static void the_store_is_bounded(void **state)
{
    (void)state;
    struct proposal_store store = {0};
    struct authenticated_content c = {.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE};
    c.content = (struct framed_content){.sender = {SENDER_MEMBER, 0}, .type = CONTENT_PROPOSAL};
    c.content.proposal.type = PROPOSAL_REMOVE;
    for (uint32_t i = 0; i < PROPOSAL_STORE_MAX_COUNT; i++) {
        c.content.proposal.remove = i;
        assert_ok(proposal_store_add(&store, &hash_sha256, &c));
    }
    assert_ok(proposal_store_add(&store, &hash_sha256, &c)); /* the last one again */
    c.content.proposal.remove++;
    assert_err(proposal_store_add(&store, &hash_sha256, &c), MLS_TOO_MANY_PROPOSALS);
    for (uint32_t i = 0; i < PROPOSAL_STORE_MAX_COUNT; i += 97) {
        struct digest ref;
        c.content.proposal.remove = i;
        assert_ok(proposal_ref(&hash_sha256, &c, &ref));
        const struct stored_proposal *found = proposal_store_find(&store, digest_view(&ref));
        assert_non_null(found);
        assert_int_equal(found->proposal.remove, i);
    }
    proposal_store_clear(&store);
}

static void credential_types_are_counted(void **state)
{
    (void)state;
    struct credential_uses uses = {0};
    for (uint16_t type = 0; type < TREE_MAX_CREDENTIAL_TYPES; type++)
        assert_ok(credential_uses_add(&uses, type));
    assert_ok(credential_uses_add(&uses, 3));
    assert_err(credential_uses_add(&uses, 1000), WIRE_LIMIT);
    credential_uses_remove(&uses, 3);
    credential_uses_remove(&uses, 1000); /* is not there */
    assert_int_equal(uses.count, TREE_MAX_CREDENTIAL_TYPES);
    credential_uses_remove(&uses, 3);
    assert_int_equal(uses.count, TREE_MAX_CREDENTIAL_TYPES - 1);
    assert_ok(credential_uses_add(&uses, 1000));
}

static void trees_are_bounded(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    wire_write_varint(&b, 2 * MLS_MAX_LEAVES);
    uint8_t *blanks = buf_extend(&b, 2 * MLS_MAX_LEAVES);
    assert_non_null(blanks);
    memset(blanks, 0, 2 * MLS_MAX_LEAVES);
    struct tree tree;
    assert_err(tree_load(&hash_sha256, buf_view(&b), &tree), MLS_TREE_TOO_LARGE);
    buf_clear(&b);
    /* a full tree of the largest width: the next Add finds no place, before any node is looked at
     */
    struct tree full = {
        .hash = &hash_sha256, .width = MLS_MAX_LEAVES, .member_count = MLS_MAX_LEAVES};
    struct tree_diff d;
    uint32_t leaf;
    tree_diff_init(&d, &full);
    assert_err(tree_diff_add_leaf(&d, bytes_str("leaf"), &leaf), MLS_TREE_TOO_LARGE);
    tree_diff_clear(&d);
}

/* A PrivateMessage of someone who is no member; an Update of someone without a leaf: such content
 * can only come from a caller that decoded it otherwise, and is refused all the same. */
static void content_from_elsewhere(void **state)
{
    (void)state;
    kit_group(&k, 2, true, &(struct extensions){0});
    struct mls_message m;
    struct bytes message =
        kit_proposal_message(&k, (struct sender){SENDER_NEW_MEMBER_PROPOSAL, 0},
                             &kit_at(&k, 0)->key, kit_add(&k, k.client_of_leaf[0]));
    assert_ok(mls_message_parse(message, &k.arena, &m));
    struct authenticated_content *c = &m.public_message.content;
    assert_ok(public_group_verify(&k.group, c));
    c->wire_format = WIRE_FORMAT_PRIVATE_MESSAGE;
    assert_err(public_group_verify(&k.group, c), MLS_EXTERNAL_PRIVATE);
    struct proposal_scope scope = {k.suite, &k.group.tree, k.group.context.group_id, &k.policy, 0};
    struct proposal_or_ref update = kit_by_value(&k, kit_update(&k, 1));
    assert_ok(validate_proposal(&scope, &update.proposal, (struct sender){SENDER_MEMBER, 1}));
    assert_err(
        validate_proposal(&scope, &update.proposal, (struct sender){SENDER_NEW_MEMBER_COMMIT, 1}),
        MLS_UPDATE_SENDER);
    assert_err(validate_proposal(&scope, &update.proposal, (struct sender){SENDER_MEMBER, 9}),
               MLS_UPDATE_SENDER);
    /* resumption PSKs of another usage, while doing just that */
    struct psk_id psk = {
        .type = PSK_RESUMPTION, .usage = PSK_USAGE_BRANCH, .nonce = kit_random(&k, 32)};
    struct proposal_or_ref p = kit_by_value(&k, kit_psk(&k, &psk));
    assert_err(validate_proposal(&scope, &p.proposal, (struct sender){SENDER_MEMBER, 0}),
               MLS_PSK_USAGE);
    scope.psk_usage = PSK_USAGE_BRANCH;
    assert_ok(validate_proposal(&scope, &p.proposal, (struct sender){SENDER_MEMBER, 0}));
    scope.psk_usage = PSK_USAGE_REINIT;
    assert_err(validate_proposal(&scope, &p.proposal, (struct sender){SENDER_MEMBER, 0}),
               MLS_PSK_USAGE);
}

static void required_credentials(void **state)
{
    (void)state;
    struct required_capabilities r = {.credential_types =
                                          kit_list(&k, 1, (const uint16_t[]){CREDENTIAL_X509})};
    struct buf b = BUF_INIT;
    required_capabilities_write(&b, &r);
    struct extensions e = kit_extension(&k, EXTENSION_REQUIRED_CAPABILITIES, kit_take(&k, &b));
    struct group_rules rules;
    struct leaf_node leaf;
    assert_ok(group_rules_read(&e, &rules));
    struct bytes raw =
        kit_leaf(&k, kit_client_new(&k), LEAF_SOURCE_UPDATE, kit_kem_key(&k), bytes_of(NULL, 0), 0);
    assert_ok(leaf_node_parse(raw, &leaf));
    assert_err(validate_leaf_in_group(&leaf, &rules), MLS_LEAF_REQUIRED_CREDENTIAL);
}

static void broken_states_are_refused(void **state)
{
    (void)state;
    kit_group(&k, 3, true, &(struct extensions){0});
    assert_null(kit_stage(&k, kit_member_proposal(&k, 1, kit_remove(&k, 2))));
    struct buf b = BUF_INIT;
    struct public_group g;
    public_group_save(&b, &k.group);
    for (size_t len = 0; len < b.len; len++)
        assert_false(err_is_ok(public_group_load(bytes_of(b.data, len), &g)));
    b.data[1] ^= 2; /* the format */
    assert_err(public_group_load(buf_view(&b), &g), WIRE_VALUE);
    b.data[1] ^= 2;
    assert_ok(public_group_load(buf_view(&b), &g));
    assert_int_equal(g.proposals.count, 1);
    public_group_clear(&g);
    /* the context says another tree hash than the tree has */
    uint8_t *hash = memmem(b.data, b.len, tree_root_hash(&k.group.tree).data, 32);
    assert_non_null(hash);
    *hash ^= 1;
    assert_err(public_group_load(buf_view(&b), &g), MLS_TREE_HASH);
    *hash ^= 1;
    buf_clear(&b);
    k.group.confirmation_tag.len--;
    public_group_save(&b, &k.group);
    assert_err(public_group_load(buf_view(&b), &g), WIRE_VALUE);
    buf_clear(&b);
}

/* A server is handed the GroupInfo and the Welcomes of the next epoch together with the commit. */
static void what_comes_with_a_commit(void **state)
{
    (void)state;
    kit_group(&k, 3, true, &(struct extensions){0});
    struct mls_message old;
    assert_ok(mls_message_parse(kit_group_info(&k, 1, bytes_of(NULL, 0)), &k.arena, &old));
    assert_ok(public_group_check_info(&k.group, &old.group_info));
    uint32_t clients[2] = {kit_client_new(&k), kit_client_new(&k)};
    struct proposal_or_ref adds[2];
    struct welcome welcomes[2];
    for (int i = 0; i < 2; i++) {
        struct buf b = BUF_INIT;
        struct digest ref;
        adds[i] = kit_by_value(&k, kit_add(&k, clients[i]));
        assert_ok(labelled_ref_hash(k.suite->hash, bytes_str("MLS 1.0 KeyPackage Reference"),
                                    adds[i].proposal.add->raw, &ref));
        struct encrypted_group_secrets e = {.new_member = digest_view(&ref)};
        encrypted_group_secrets_write(&b, &e);
        welcomes[i] =
            (struct welcome){.cipher_suite = 1, .secrets = kit_take(&k, &b), .secret_count = 1};
    }
    struct bytes commit = kit_commit(&k, 0, adds, 2, true);
    struct staged_commit *staged = kit_stage(&k, commit);
    struct welcome twice[2] = {welcomes[1], welcomes[1]};
    struct welcome strange = {.cipher_suite = 1};
    strange.secrets = bytes_of("\3abc\0\0", 6);
    assert_ok(staged_commit_check_welcomes(staged, welcomes, 2));
    assert_err(staged_commit_check_welcomes(staged, welcomes, 1), MLS_WELCOME_MEMBERS);
    assert_err(staged_commit_check_welcomes(staged, welcomes, 0), MLS_WELCOME_MEMBERS);
    assert_err(staged_commit_check_welcomes(staged, twice, 2), MLS_WELCOME_MEMBERS);
    assert_err(staged_commit_check_welcomes(staged, &strange, 1), MLS_WELCOME_MEMBERS);
    struct encrypted_group_secrets longer = {.new_member = kit_random(&k, 200)};
    struct buf w = BUF_INIT;
    encrypted_group_secrets_write(&w, &longer);
    strange.secrets = kit_take(&k, &w);
    assert_err(staged_commit_check_welcomes(staged, &strange, 1), MLS_WELCOME_MEMBERS);
    welcomes[1].cipher_suite = 2;
    assert_err(staged_commit_check_welcomes(staged, welcomes, 2), MLS_KEY_PACKAGE_SUITE);
    assert_err(staged_commit_check_info(staged, &old.group_info), MLS_GROUP_INFO_STATE);
    struct buf context = BUF_INIT;
    buf_append_bytes(&context, buf_view(&staged->context));
    public_group_merge(&k.group, &staged);
    assert_true(bytes_equal(buf_view(&context), public_group_context(&k.group)));
    buf_clear(&context);
    assert_err(public_group_check_info(&k.group, &old.group_info), MLS_GROUP_INFO_STATE);
}

static struct bytes next_tag;
static void info_of_next_epoch(struct kit *kit, struct group_info *info)
{
    (void)kit;
    info->confirmation_tag = next_tag;
}

static void info_of_other_context(struct kit *kit, struct group_info *info)
{
    info->group_context.extensions =
        kit_extension(kit, EXTENSION_EXTERNAL_SENDERS, bytes_of("", 1));
}

static void info_of_a_staged_commit(void **state)
{
    (void)state;
    kit_group(&k, 3, true, &(struct extensions){0});
    struct buf saved = BUF_INIT;
    public_group_save(&saved, &k.group);
    struct public_group before;
    assert_ok(public_group_load(buf_view(&saved), &before));
    buf_clear(&saved);
    struct bytes commit = kit_commit(&k, 0, NULL, 0, true);
    struct staged_commit *staged = NULL;
    assert_ok(public_group_process(&before, commit, &k.policy, &staged));
    kit_apply(&k, commit, NULL, 0);
    struct mls_message m;
    assert_ok(mls_message_parse(kit_group_info(&k, 2, bytes_of(NULL, 0)), &k.arena, &m));
    assert_ok(staged_commit_check_info(staged, &m.group_info));
    assert_err(public_group_check_info(&before, &m.group_info), MLS_GROUP_INFO_STATE);
    m.group_info.signer = 1;
    assert_err(staged_commit_check_info(staged, &m.group_info), MLS_GROUP_INFO_SIGNATURE);
    m.group_info.signer = 3;
    assert_err(staged_commit_check_info(staged, &m.group_info), MLS_GROUP_INFO_SIGNER);
    assert_err(public_group_check_info(&k.group, &m.group_info), MLS_GROUP_INFO_SIGNER);
    next_tag = kit_random(&k, 32);
    k.hooks.group_info = info_of_next_epoch;
    assert_ok(mls_message_parse(kit_group_info(&k, 2, bytes_of(NULL, 0)), &k.arena, &m));
    k.hooks.group_info = NULL;
    assert_err(staged_commit_check_info(staged, &m.group_info), MLS_GROUP_INFO_STATE);
    k.hooks.group_info = info_of_other_context; /* with the right tag, and signed */
    assert_ok(mls_message_parse(kit_group_info(&k, 2, bytes_of(NULL, 0)), &k.arena, &m));
    k.hooks.group_info = NULL;
    assert_err(staged_commit_check_info(staged, &m.group_info), MLS_GROUP_INFO_STATE);
    staged_commit_free(&staged);
    public_group_clear(&before);
}

/* Who makes a commit is held to what a receiver would say. */
static void creators(void **state)
{
    (void)state;
    kit_group(&k, 3, true, &(struct extensions){0});
    struct staged_commit *s = NULL;
    struct staged_options none = {0};
    struct sender member = {SENDER_MEMBER, 3};
    assert_err(staged_commit_begin(&k.group, member, NULL, 0, &k.policy, &none, &s),
               MLS_SENDER_LEAF);
    member.type = SENDER_EXTERNAL;
    assert_err(staged_commit_begin(&k.group, member, NULL, 0, &k.policy, &none, &s),
               MLS_CONTENT_SENDER);
    member = (struct sender){SENDER_MEMBER, 0};
    assert_err(staged_commit_begin(&k.group, member, NULL, MLS_MAX_COMMIT_PROPOSALS + 1, &k.policy,
                                   &none, &s),
               WIRE_LIMIT);
    struct proposal_or_ref made = kit_by_value(&k, kit_add(&k, kit_client_new(&k)));
    made.proposal.raw.len = 0;
    assert_err(staged_commit_begin(&k.group, member, &made, 1, &k.policy, &none, &s), ARGUMENT);
    assert_null(s);
    assert_ok(staged_commit_begin(&k.group, member, NULL, 0, &k.policy, &none, &s));
    assert_true(s->path_required);
    assert_err(staged_commit_settle(s), MLS_PATH_REQUIRED);
    assert_ok(staged_commit_shape(s));
    struct bytes keys[2] = {kit_kem_key(&k), kit_kem_key(&k)};
    assert_int_equal(s->path.count, 2);
    assert_err(staged_commit_set_keys(s, kit_kem_key(&k), keys, 1), MLS_PATH_LENGTH);
    assert_err(staged_commit_set_keys(s, kit_random(&k, 31), keys, 2), MLS_LEAF_ENCRYPTION_KEY);
    assert_ok(staged_commit_set_keys(s, kit_kem_key(&k), keys, 2));
    struct bytes other = kit_leaf(&k, k.client_of_leaf[0], LEAF_SOURCE_COMMIT, kit_kem_key(&k),
                                  digest_view(&s->leaf_parent_hash), 0);
    assert_err(staged_commit_set_leaf(s, other), ARGUMENT); /* not the key just set */
    assert_err(staged_commit_set_tag(s, kit_random(&k, 31)), MLS_CONFIRMATION_TAG_LENGTH);
    assert_false(s->ready);
    staged_commit_free(&s);
    k.group.context.epoch = UINT64_MAX;
    assert_err(staged_commit_begin(&k.group, member, NULL, 0, &k.policy, &none, &s), MLS_EPOCH);
}

/* A group of n members, as the first epoch after its creation, made by a kit of its own. */
static void next_group(struct kit *kit, uint32_t members, uint32_t first_client,
                       struct bytes group_id, uint64_t epoch)
{
    kit_init(kit, suite_find(1), 60);
    while (kit->client_count < first_client)
        (void)kit_client_new(kit);
    kit_group(kit, members, false, &(struct extensions){0});
    struct group_context gc = kit->group.context;
    gc.group_id = group_id;
    gc.epoch = epoch;
    struct buf b = BUF_INIT;
    group_context_write(&b, &gc);
    assert_ok(public_group_adopt_context(&kit->group, kit_take(kit, &b)));
}

static void links(void **state)
{
    (void)state;
    struct kit next;
    struct proposal p = {.type = PROPOSAL_REINIT, .reinit = {bytes_str("next"), 1, 1, {{NULL, 0}}}};
    kit_group(&k, 3, false, &(struct extensions){0});
    next_group(&next, 3, 0, bytes_str("next"), 1); /* names of clients are the same in every kit */
    assert_err(public_group_check_reinit(&k.group, &next.group),
               MLS_REINIT_MISMATCH); /* not closed */
    assert_ok(public_group_check_branch(&k.group, &next.group));
    struct proposal_or_ref reinit = kit_by_value(&k, kit_proposal(&k, &p));
    kit_apply(&k, kit_commit(&k, 0, &reinit, 1, false), NULL, 0);
    assert_ok(public_group_check_reinit(&k.group, &next.group));
    kit_clear(&next);
    next_group(&next, 3, 0, bytes_str("next"), 2);
    assert_err(public_group_check_reinit(&k.group, &next.group), MLS_REINIT_MISMATCH);
    assert_err(public_group_check_branch(&k.group, &next.group), MLS_BRANCH_MISMATCH);
    kit_clear(&next);
    next_group(&next, 3, 0, bytes_str("other"), 1);
    assert_err(public_group_check_reinit(&k.group, &next.group), MLS_REINIT_MISMATCH);
    kit_clear(&next);
    next_group(&next, 2, 0, bytes_str("next"), 1); /* one stayed behind */
    assert_err(public_group_check_reinit(&k.group, &next.group), MLS_REINIT_MEMBERS);
    assert_ok(public_group_check_branch(&k.group, &next.group));
    kit_clear(&next);
    next_group(&next, 3, 1, bytes_str("next"),
               1); /* clients 1 to 3: one is a stranger, one is missing */
    assert_err(public_group_check_reinit(&k.group, &next.group), MLS_REINIT_MEMBERS);
    assert_err(public_group_check_branch(&k.group, &next.group), MLS_BRANCH_MEMBERS);
    kit_clear(&next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pending_proposals, setup, teardown),
        cmocka_unit_test_setup_teardown(the_store_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(credential_types_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(trees_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(content_from_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(required_credentials, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_states_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_comes_with_a_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(info_of_a_staged_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(creators, setup, teardown),
        cmocka_unit_test_setup_teardown(links, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
