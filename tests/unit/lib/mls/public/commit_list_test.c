/* RFC 9420 12.1, 12.2, 12.3: proposals and lists of a commit with one fault each. */
#include "kit/mls_kit.h"
#include "support/test.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k, suite_find(1), 44);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_clear(&k);
    return 0;
}

/* What the group says to a message; a staged commit is dropped. */
static struct err process(struct bytes message)
{
    struct staged_commit *staged = NULL;
    struct err err = public_group_process(&k.group, message, &k.policy, &staged);
    staged_commit_free(&staged);
    return err;
}

/* Commits without path: list rules come before the path's. */
static struct err commit1(struct proposal_or_ref a)
{
    return process(kit_commit(&k, 0, &a, 1, false));
}
static struct err commit2(struct proposal_or_ref a, struct proposal_or_ref b)
{
    struct proposal_or_ref list[] = {a, b};
    return process(kit_commit(&k, 0, list, 2, false));
}

static struct proposal_or_ref value(struct bytes proposal)
{
    return kit_by_value(&k, proposal);
}

/* Sends a proposal of the member at a leaf; gives the reference for a commit. */
static struct proposal_or_ref sent(uint32_t leaf, struct bytes proposal)
{
    struct bytes message = kit_member_proposal(&k, leaf, proposal);
    assert_ok(process(message));
    return kit_by_ref(&k, message);
}

static struct bytes extensions_proposal(uint16_t type, struct bytes data)
{
    struct proposal p = {.type = PROPOSAL_GROUP_CONTEXT_EXTENSIONS};
    p.group_context_extensions = kit_extension(&k, type, data);
    return kit_proposal(&k, &p);
}

static struct bytes psk(enum psk_type type, enum psk_usage usage, size_t nonce_bytes)
{
    struct psk_id id = {
        .type = type, .usage = usage, .id = bytes_str("id"), .group_id = bytes_str("group")};
    id.nonce = kit_random(&k, nonce_bytes);
    return kit_psk(&k, &id);
}

static struct bytes reinit(uint16_t version)
{
    struct proposal p = {.type = PROPOSAL_REINIT};
    p.reinit =
        (struct reinit){.group_id = bytes_str("next"), .version = version, .cipher_suite = 2};
    return kit_proposal(&k, &p);
}

static void single_proposals(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    assert_err(commit1(value(kit_remove(&k, 9))), MLS_REMOVE_BLANK);
    assert_err(commit1(value(kit_remove(&k, 0xffffffff))), MLS_REMOVE_BLANK);
    assert_ok(commit1(value(psk(PSK_EXTERNAL, 0, 32))));
    assert_ok(commit1(value(psk(PSK_RESUMPTION, PSK_USAGE_APPLICATION, 32))));
    assert_err(commit1(value(psk(PSK_RESUMPTION, PSK_USAGE_REINIT, 32))), MLS_PSK_USAGE);
    assert_err(commit1(value(psk(PSK_RESUMPTION, PSK_USAGE_BRANCH, 32))), MLS_PSK_USAGE);
    assert_err(commit1(value(psk(PSK_EXTERNAL, 0, 31))), MLS_PSK_NONCE);
    assert_err(commit1(value(psk(PSK_EXTERNAL, 0, 0))), MLS_PSK_NONCE);
    assert_ok(commit1(value(reinit(1))));
    assert_err(commit1(value(reinit(0))), MLS_REINIT_VERSION);
    assert_err(commit1(value(extensions_proposal(EXTENSION_REQUIRED_CAPABILITIES, bytes_str("?")))),
               MLS_GROUP_EXTENSION);
    assert_err(commit1(value(extensions_proposal(EXTENSION_EXTERNAL_SENDERS, bytes_str("?")))),
               MLS_GROUP_EXTENSION);
    struct buf b = BUF_INIT;
    struct proposal twice = {.type = PROPOSAL_GROUP_CONTEXT_EXTENSIONS};
    extension_write(&b, EXTENSION_APPLICATION_ID, bytes_str("x"));
    extension_write(&b, EXTENSION_APPLICATION_ID, bytes_str("y"));
    twice.group_context_extensions.raw = kit_take(&k, &b);
    assert_err(commit1(value(kit_proposal(&k, &twice))), MLS_EXTENSION_TWICE);
    struct proposal init = {.type = PROPOSAL_EXTERNAL_INIT, .external_init = kit_kem_key(&k)};
    assert_err(commit1(value(kit_proposal(&k, &init))), MLS_EXTERNAL_INIT);
}

static void lists(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    struct bytes one_psk = psk(PSK_EXTERNAL, 0, 32);
    struct bytes context = extensions_proposal(EXTENSION_EXTERNAL_SENDERS, bytes_of("", 1));
    uint32_t client = kit_client_new(&k);
    assert_err(commit1(value(kit_update(&k, 0))), MLS_UPDATE_BY_COMMITTER);
    assert_err(commit1(sent(0, kit_update(&k, 0))), MLS_UPDATE_BY_COMMITTER);
    assert_err(commit1(value(kit_remove(&k, 0))), MLS_REMOVE_COMMITTER);
    assert_err(commit1(sent(1, kit_remove(&k, 0))), MLS_REMOVE_COMMITTER);
    assert_err(commit2(value(kit_remove(&k, 1)), value(kit_remove(&k, 1))), MLS_LEAF_CHANGED_TWICE);
    assert_err(commit2(sent(1, kit_update(&k, 1)), value(kit_remove(&k, 1))),
               MLS_LEAF_CHANGED_TWICE);
    assert_err(commit2(sent(1, kit_update(&k, 1)), sent(1, kit_update(&k, 1))),
               MLS_LEAF_CHANGED_TWICE);
    assert_err(commit2(value(kit_add(&k, client)), value(kit_add(&k, client))), MLS_ADD_TWICE);
    assert_err(commit1(value(kit_add(&k, k.client_of_leaf[2]))), MLS_ADD_EXISTING);
    assert_err(commit2(value(one_psk), value(one_psk)), MLS_PSK_TWICE);
    assert_ok(commit2(value(one_psk), value(psk(PSK_EXTERNAL, 0, 32))));
    assert_err(commit2(value(context), value(context)), MLS_CONTEXT_EXTENSIONS_TWICE);
    assert_err(commit2(value(reinit(1)), value(one_psk)), MLS_REINIT_NOT_ALONE);
    struct proposal_or_ref unknown = {.type = PROPOSAL_BY_REFERENCE,
                                      .reference = kit_random(&k, 32)};
    assert_err(commit1(unknown), MLS_PROPOSAL_REF_UNKNOWN);
}

/* An existing client may come back if the list removes it. */
static void removed_client_is_added_again(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    uint32_t client = k.client_of_leaf[2];
    struct proposal_or_ref list[] = {value(kit_add(&k, client)), value(kit_remove(&k, 2))};
    kit_apply(&k, kit_commit(&k, 0, list, 2, true), &client, 1);
    assert_int_equal(public_group_member_count(&k.group), 4);
}

static void paths_are_required(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    assert_err(process(kit_commit(&k, 0, NULL, 0, false)), MLS_PATH_REQUIRED);
    assert_err(commit1(value(kit_remove(&k, 1))), MLS_PATH_REQUIRED);
    assert_err(commit1(sent(1, kit_update(&k, 1))), MLS_PATH_REQUIRED);
    assert_err(commit1(value(extensions_proposal(EXTENSION_EXTERNAL_SENDERS, bytes_of("", 1)))),
               MLS_PATH_REQUIRED);
    assert_ok(commit1(value(kit_add(&k, kit_client_new(&k)))));
}

static void lists_are_bounded(void **state)
{
    (void)state;
    static struct proposal_or_ref list[MLS_MAX_PSKS + 1];
    uint16_t types[17];
    for (uint16_t i = 0; i < 17; i++)
        types[i] = (uint16_t)(0xff00 + i);
    k.capabilities_proposals = kit_list(&k, 17, types);
    kit_group(&k, 2, true, &(struct extensions){0});
    for (size_t i = 0; i <= MLS_MAX_PSKS; i++)
        list[i] = value(psk(PSK_EXTERNAL, 0, 32));
    assert_ok(process(kit_commit(&k, 0, list, MLS_MAX_PSKS, false)));
    assert_err(process(kit_commit(&k, 0, list, MLS_MAX_PSKS + 1, false)), WIRE_LIMIT);
    for (size_t i = 0; i < 17; i++) {
        struct proposal custom = {.type = types[i], .unknown = bytes_str("x")};
        list[i] = value(kit_proposal(&k, &custom));
    }
    assert_ok(process(kit_commit(&k, 0, list, 16, false)));
    assert_err(process(kit_commit(&k, 0, list, 17, false)), WIRE_LIMIT);
}

/* RFC 9420 12.2: unknown proposals only if all members support them, those removed excepted. */
static void unknown_proposals(void **state)
{
    (void)state;
    struct proposal custom = {.type = 0xff03, .unknown = bytes_str("anything")};
    k.capabilities_proposals = kit_list(&k, 1, (const uint16_t[]){0xff03});
    kit_group(&k, 3, true, &(struct extensions){0});
    assert_ok(commit1(value(kit_proposal(&k, &custom))));
    k.capabilities_proposals = (struct u16_list){0};
    uint32_t client = kit_client_new(&k);
    struct proposal_or_ref add = value(kit_add(&k, client));
    assert_ok(commit2(add, value(kit_proposal(&k, &custom)))); /* one being added need not */
    kit_apply(&k, kit_commit(&k, 0, &add, 1, true), &client, 1);
    assert_err(commit1(value(kit_proposal(&k, &custom))), MLS_PROPOSAL_UNSUPPORTED);
    struct proposal_or_ref list[] = {value(kit_remove(&k, 3)), value(kit_proposal(&k, &custom))};
    k.capabilities_proposals = kit_list(&k, 1, (const uint16_t[]){0xff03});
    /* leaf 0 lost it by its commit just now; it comes back with the next one, then leaf 3 is the
     * only one without */
    kit_apply(&k, kit_commit(&k, 0, NULL, 0, true), NULL, 0);
    assert_ok(process(kit_commit(&k, 0, list, 2, true)));
}

static struct bytes required(uint16_t extension, uint16_t proposal, uint16_t credential)
{
    struct required_capabilities r = {
        .extension_types = kit_list(&k, extension != 0, &extension),
        .proposal_types = kit_list(&k, proposal != 0, &proposal),
        .credential_types = kit_list(&k, credential != 0, &credential),
    };
    struct buf b = BUF_INIT;
    required_capabilities_write(&b, &r);
    return kit_take(&k, &b);
}

/* RFC 9420 7.3, 11.1, 12.1.7, 13.4: what the group requires of those who come and of those who are
 * there. */
static void required_capabilities(void **state)
{
    (void)state;
    struct extensions all =
        kit_extension(&k, EXTENSION_REQUIRED_CAPABILITIES, required(0xff01, 0xff02, 1));
    k.capabilities_extensions = kit_list(&k, 1, (const uint16_t[]){0xff01});
    k.capabilities_proposals = kit_list(&k, 1, (const uint16_t[]){0xff02});
    kit_group(&k, 3, false, &all);
    assert_ok(commit1(value(kit_add(&k, kit_client_new(&k)))));
    k.capabilities_extensions = (struct u16_list){0};
    assert_err(commit1(value(kit_add(&k, kit_client_new(&k)))), MLS_LEAF_REQUIRED_EXTENSION);
    k.capabilities_extensions = kit_list(&k, 1, (const uint16_t[]){0xff01});
    k.capabilities_proposals = (struct u16_list){0};
    assert_err(commit1(value(kit_add(&k, kit_client_new(&k)))), MLS_LEAF_REQUIRED_PROPOSAL);
    struct proposal_or_ref update = sent(1, kit_update(&k, 1));
    k.capabilities_proposals = kit_list(&k, 1, (const uint16_t[]){0xff02});
    assert_err(process(kit_commit(&k, 0, &update, 1, true)), MLS_LEAF_REQUIRED_PROPOSAL);
    /* the committer's own new leaf too */
    k.capabilities_extensions = (struct u16_list){0};
    assert_err(process(kit_commit(&k, 0, NULL, 0, true)), MLS_LEAF_REQUIRED_EXTENSION);
    k.capabilities_extensions = kit_list(&k, 1, (const uint16_t[]){0xff01});
    assert_ok(process(kit_commit(&k, 0, NULL, 0, true)));
    /* new requirements: members who lack them make the proposal invalid */
    struct proposal_or_ref change = value(
        extensions_proposal(EXTENSION_REQUIRED_CAPABILITIES, required(0xff01, 0, CREDENTIAL_X509)));
    k.capabilities_credentials =
        kit_list(&k, 2, (const uint16_t[]){CREDENTIAL_BASIC, CREDENTIAL_X509});
    assert_err(process(kit_commit(&k, 0, &change, 1, true)), MLS_CONTEXT_EXTENSIONS_UNSUPPORTED);
    change = value(extensions_proposal(0xff09, bytes_str("x")));
    k.capabilities_extensions = kit_list(&k, 2, (const uint16_t[]){0xff01, 0xff09});
    assert_err(process(kit_commit(&k, 0, &change, 1, true)), MLS_CONTEXT_EXTENSIONS_UNSUPPORTED);
    /* lowered ones count for an Add of the same commit (12.3) */
    struct proposal_or_ref lower =
        value(extensions_proposal(EXTENSION_EXTERNAL_SENDERS, bytes_of("", 1)));
    k.capabilities_extensions = (struct u16_list){0};
    struct proposal_or_ref list[] = {value(kit_add(&k, kit_client_new(&k))), lower};
    assert_ok(process(kit_commit(&k, 0, list, 2, true)));
    /* what was required is required no more once that is merged */
    assert_int_equal(u16_list_count(&k.group.rules.required.extension_types), 1);
    k.capabilities_extensions = kit_list(&k, 1, (const uint16_t[]){0xff01});
    kit_apply(&k, kit_commit(&k, 0, &lower, 1, true), NULL, 0);
    assert_int_equal(u16_list_count(&k.group.rules.required.extension_types), 0);
}

/* RFC 9420 7.3: credential types: the new one must know those in use, and all must know the new
 * one's. */
static void credentials_are_mutual(void **state)
{
    (void)state;
    k.capabilities_credentials = kit_list(&k, 2, (const uint16_t[]){CREDENTIAL_BASIC, 0xff01});
    kit_group(&k, 3, false, &(struct extensions){0});
    k.credential_type = 0xff01;
    uint32_t client = kit_client_new(&k);
    assert_ok(commit1(value(kit_add(&k, client))));
    struct proposal_or_ref add = value(kit_add(&k, client));
    kit_apply(&k, kit_commit(&k, 0, &add, 1, false), &client, 1);
    k.credential_type = CREDENTIAL_BASIC; /* a member who forgets the other type by its next leaf */
    k.capabilities_credentials = kit_list(&k, 1, (const uint16_t[]){CREDENTIAL_BASIC});
    assert_err(process(kit_commit(&k, 0, NULL, 0, true)), MLS_CREDENTIAL_MUTUAL);
    k.credential_type = 0xff01;
    k.capabilities_credentials = kit_list(&k, 1, (const uint16_t[]){0xff01});
    assert_err(commit1(value(kit_add(&k, kit_client_new(&k)))), MLS_CREDENTIAL_MUTUAL);
    k.credential_type = 0xff02;
    /* it knows all of theirs, they don't know its */
    k.capabilities_credentials =
        kit_list(&k, 3, (const uint16_t[]){CREDENTIAL_BASIC, 0xff01, 0xff02});
    assert_err(commit1(value(kit_add(&k, kit_client_new(&k)))), MLS_CREDENTIAL_MUTUAL);
    /* they know its, it does not know all of theirs */
    k.capabilities_credentials = kit_list(&k, 2, (const uint16_t[]){CREDENTIAL_BASIC, 0xff02});
    assert_err(commit1(value(kit_add(&k, kit_client_new(&k)))), MLS_CREDENTIAL_MUTUAL);
}

static void hook_source_commit(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->source = LEAF_SOURCE_COMMIT;
}
static void hook_old_key(struct kit *kit, struct leaf_node *leaf)
{
    struct leaf_node old;
    assert_true(public_group_leaf(&kit->group, 1, &old));
    leaf->encryption_key = old.encryption_key;
}

static void updates(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    k.hooks.leaf = hook_source_commit;
    assert_err(process(kit_member_proposal(&k, 1, kit_update(&k, 1))), MLS_LEAF_SOURCE);
    k.hooks.leaf = hook_old_key;
    assert_err(process(kit_member_proposal(&k, 1, kit_update(&k, 1))), MLS_LEAF_KEY_REUSED);
    k.hooks.leaf = NULL;
    /* signed for leaf 2 and sent by leaf 1: the signature binds the index */
    uint32_t own = k.client_of_leaf[2];
    k.client_of_leaf[2] = k.client_of_leaf[1];
    struct bytes update = kit_update(&k, 2);
    k.client_of_leaf[2] = own;
    assert_err(process(kit_member_proposal(&k, 1, update)), MLS_LEAF_SIGNATURE);
    struct proposal_or_ref good = sent(1, kit_update(&k, 1));
    kit_apply(&k, kit_commit(&k, 0, &good, 1, true), NULL, 0);
    assert_int_equal(k.group.proposals.count, 0);
    assert_err(process(kit_commit(&k, 0, &good, 1, false)),
               MLS_PROPOSAL_REF_UNKNOWN); /* the epoch is over */
}

/* RFC 9420 7.3: keys are unique after the whole list is applied. */
static void keys_are_unique_in_the_new_tree(void **state)
{
    (void)state;
    kit_group(&k, 4, true, &(struct extensions){0});
    k.hooks.leaf = hook_old_key; /* a newcomer with the encryption key of leaf 1 */
    struct proposal_or_ref add = value(kit_add(&k, kit_client_new(&k)));
    k.hooks.leaf = NULL;
    assert_err(commit1(add), MLS_ENCRYPTION_KEY_TWICE);
    struct proposal_or_ref list[] = {value(kit_remove(&k, 1)), add};
    assert_ok(process(kit_commit(&k, 0, list, 2, true)));
}

static void reinit_closes_the_group(void **state)
{
    (void)state;
    kit_group(&k, 3, true, &(struct extensions){0});
    struct proposal_or_ref p = value(reinit(1));
    struct bytes commit = kit_commit(&k, 1, &p, 1, false);
    assert_false(public_group_is_closed(&k.group));
    kit_apply(&k, commit, NULL, 0);
    assert_true(public_group_is_closed(&k.group));
    assert_err(process(kit_commit(&k, 0, NULL, 0, false)), MLS_GROUP_CLOSED);
    assert_err(process(kit_member_proposal(&k, 0, kit_remove(&k, 1))), MLS_GROUP_CLOSED);
    struct buf b = BUF_INIT;
    struct public_group loaded;
    public_group_save(&b, &k.group);
    assert_ok(public_group_load(buf_view(&b), &loaded));
    assert_true(public_group_is_closed(&loaded));
    public_group_clear(&loaded);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(single_proposals, setup, teardown),
        cmocka_unit_test_setup_teardown(lists, setup, teardown),
        cmocka_unit_test_setup_teardown(removed_client_is_added_again, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_are_required, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_proposals, setup, teardown),
        cmocka_unit_test_setup_teardown(required_capabilities, setup, teardown),
        cmocka_unit_test_setup_teardown(credentials_are_mutual, setup, teardown),
        cmocka_unit_test_setup_teardown(updates, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_unique_in_the_new_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(reinit_closes_the_group, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
