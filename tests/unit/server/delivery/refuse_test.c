/* What a group here must be: every rule of leaves, records, context, roles and GroupInfo broken
 * once, and the group as it was afterwards. */
#include "support/delivery/delivery_world.h"

static struct dworld w;
static struct member *a, *b, *c, *d;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    d = dw_member(&w, NULL);
    dw_limit(&w, "COMMITS_LEAF", 500);
    dw_limit(&w, "INVALID_COMMITS", 500);
    dw_limit(&w, "CREATE_GROUP_PREFIX", 500);
    dw_limit(&w, "RESERVE_PREFIX", 500);
    dw_limit(&w, "ANONYMOUS_PREFIX", 500);
    dw_limit(&w, "GROUP_INFO", 500);
    return 0;
}

static int setup_group(void **state)
{
    setup(state);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    return 0;
}

static void expect(enum hearth_code code)
{
    if (code != HEARTH_OK)
        fail_msg("%s: %s", hearth_code_name(code), w.message);
}

/* Refused with the text of that error, and nothing has changed: the epoch goes on as before. */
#define expect_refusal(expression, error)                     \
    do {                                                      \
        assert_int_not_equal((expression), HEARTH_OK);        \
        assert_string_equal(w.message, err_text(ERR(error))); \
    } while (0)

static Hearth__V1__CommitRequest *add_d(void)
{
    return dw_commit_request(a, &(struct dcommit){.adds = &d, .add_count = 1});
}

static void records_must_fit(void **state)
{
    (void)state;
    Hearth__V1__CommitRequest *in = add_d();
    /* signed by another leaf */
    in->joiners[0]->leaf->queue_reference = dw_reference(b);
    expect_refusal(dw_commit_send(a, in), DELIVERY_RECORD);
    in = add_d();
    in->joiners[0]->leaf->queue_reference->sealed.data[5] ^= 1;
    expect_refusal(dw_commit_send(a, in), DELIVERY_RECORD);
    in = add_d();
    in->joiners[0]->leaf->queue_reference->domain =
        arena_strndup(&w.arena, "Not A Domain", strlen("Not A Domain"));
    expect_refusal(dw_commit_send(a, in), DELIVERY_RECORD);
    /* a countersignature where none belongs */
    in = add_d();
    in->joiners[0]->leaf->pseudonym_signature = dw_bytes(&w, bytes_str("signature"));
    expect_refusal(dw_commit_send(a, in), DELIVERY_RECORD);
    /* another's user pseudonym, even by an admin */
    in = add_d();
    in->joiners[0]->leaf->user_pseudonym =
        dw_bytes(&w, bytes_of(b->user_pseudonym, sizeof b->user_pseudonym));
    expect_refusal(dw_commit_send(a, in), DELIVERY_RECORD);
    expect(dw_commit_send(a, add_d()));
}

/* protocol.md 3: wrapped keys are bound by the commit. */
static void wrapped_keys_are_bound(void **state)
{
    (void)state;
    Hearth__V1__CommitRequest *in =
        dw_commit_request(a, &(struct dcommit){.adds = &d, .add_count = 1, .no_binding = true});
    expect_refusal(dw_commit_send(a, in), DELIVERY_BINDING);
    in = add_d();
    in->joiners[0]->leaf->wrapped_identity_key.data[9] ^= 1;
    expect_refusal(dw_commit_send(a, in), DELIVERY_BINDING);
    in = add_d();
    in->joiners[0]->leaf->wrapped_profile_key = dw_bytes(&w, bytes_str("slipped in"));
    expect_refusal(dw_commit_send(a, in), DELIVERY_BINDING);
    expect(dw_commit_send(a, add_d()));
}

static void leaves_must_be_hearths(void **state)
{
    (void)state;
    /* a basic credential */
    d->profile.credential = (struct mls_credential){CREDENTIAL_BASIC, bytes_str("d")};
    expect_refusal(dw_commit_send(a, add_d()), DELIVERY_LEAF);
    /* no sealed identity; a pseudonym in use */
    struct buf body = BUF_INIT;
    buf_append(&body, d->pseudonym, PSEUDONYM_BYTES);
    buf_append_byte(&body, 0);
    d->profile.credential = (struct mls_credential){LEAF_CREDENTIAL_TYPE, buf_view(&body)};
    expect_refusal(dw_commit_send(a, add_d()), DELIVERY_LEAF);
    buf_clear(&body);
    buf_append_bytes(&body, buf_view(&d->credential));
    memcpy(body.data, b->pseudonym, PSEUDONYM_BYTES);
    d->profile.credential = (struct mls_credential){LEAF_CREDENTIAL_TYPE, buf_view(&body)};
    expect_refusal(dw_commit_send(a, add_d()), DELIVERY_LEAF);
    d->profile.credential = (struct mls_credential){LEAF_CREDENTIAL_TYPE, buf_view(&d->credential)};
    expect(dw_commit_send(a, add_d()));
    buf_clear(&body);
}

/* DoS6: at n and n + 1. */
static void dos6_extension_sizes(void **state)
{
    (void)state;
    uint8_t bytes[1025] = {0};
    uint16_t types[9];
    struct buf list = BUF_INIT;
    for (size_t i = 0; i < 9; i++)
        types[i] = (uint16_t)(0xf2a0 + i);
    d->profile.capabilities.extensions = u16_list_of(
        &w.arena,
        (uint16_t[]){ROLES_EXTENSION_TYPE, GROUP_DATA_EXTENSION_TYPE, types[0], types[1], types[2],
                     types[3], types[4], types[5], types[6], types[7], types[8]},
        11);
    extension_write(&list, types[0], bytes_of(bytes, 1025));
    d->profile.extensions = (struct extensions){buf_view(&list)};
    expect_refusal(dw_commit_send(a, add_d()), DELIVERY_LEAF);
    buf_clear(&list);
    for (size_t i = 0; i < 9; i++)
        extension_write(&list, types[i], bytes_of(bytes, 1));
    d->profile.extensions = (struct extensions){buf_view(&list)};
    expect_refusal(dw_commit_send(a, add_d()), DELIVERY_LEAF);
    buf_clear(&list);
    for (size_t i = 0; i < 8; i++)
        extension_write(&list, types[i], bytes_of(bytes, i == 0 ? 1024 : 1));
    d->profile.extensions = (struct extensions){buf_view(&list)};
    expect(dw_commit_send(a, add_d()));
    buf_clear(&list);
}

static void group_info_must_be_good_for_joiners(void **state)
{
    (void)state;
    Hearth__V1__CommitRequest *in = add_d();
    in->group_info->signature.data[4] ^= 1;
    expect_refusal(dw_commit_send(a, in), MLS_GROUP_INFO_SIGNATURE);
    in = add_d();
    in->group_info->confirmation_tag.data[4] ^= 1;
    expect_refusal(dw_commit_send(a, in), MLS_GROUP_INFO_STATE);
    in = add_d();
    in->group_info->extensions = dw_bytes(&w, bytes_of("\0", 1)); /* an empty list */
    expect_refusal(dw_commit_send(a, in), DELIVERY_INFO);
    /* what is stored is still the old one, and works */
    struct dsigner old = dw_signer(c);
    Hearth__V1__ResyncRequest *resync = dw_resync_request(c, b);
    expect(dw_call(&w, "Resync", &old, &resync->base));
}

static void context_stays_ours(void **state)
{
    (void)state;
    struct extensions mine = group_public(a->group)->context.extensions;
    struct buf list = BUF_INIT;
    struct bytes roles, senders;
    assert_true(extensions_find(&mine, ROLES_EXTENSION_TYPE, &roles));
    assert_true(extensions_find(&mine, EXTENSION_EXTERNAL_SENDERS, &senders));
    extension_write(&list, EXTENSION_EXTERNAL_SENDERS, senders);
    struct extensions next = {buf_view(&list)};
    expect_refusal(dw_commit(a, &(struct dcommit){.extensions = &next}), DELIVERY_CONTEXT);
    buf_clear(&list);
    extension_write(&list, ROLES_EXTENSION_TYPE, roles);
    next.raw = buf_view(&list);
    expect_refusal(dw_commit(a, &(struct dcommit){.extensions = &next}), DELIVERY_CONTEXT);
    buf_clear(&list);
    /* nobody of the group would be an admin */
    next = dw_context(&w, &d, 1);
    expect_refusal(dw_commit(a, &(struct dcommit){.extensions = &next}), DELIVERY_CONTEXT);
    next = dw_context(&w, &b, 1);
    expect_refusal(dw_commit(b, &(struct dcommit){.extensions = &next}), DELIVERY_ROLE);
    expect(dw_commit(a, &(struct dcommit){.extensions = &next}));
}

static void members_may_not_remove_others(void **state)
{
    (void)state;
    uint32_t leaf = dw_leaf(c);
    expect_refusal(dw_commit(b, &(struct dcommit){.removes = &leaf, .remove_count = 1}),
                   DELIVERY_ROLE);
    /* nor in another's name */
    Hearth__V1__CommitRequest *in = dw_commit_request(a, &(struct dcommit){0});
    struct dsigner signer = dw_signer(b);
    assert_int_not_equal(dw_call(&w, "Commit", &signer, &in->base), HEARTH_OK);
    assert_string_equal(w.message, err_text(ERR(DELIVERY_CONTENT)));
    expect(dw_commit(a, &(struct dcommit){.removes = &leaf, .remove_count = 1}));
}

static int setup_no_roles(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.options.control = DELIVERY_NO_ROLES;
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    return 0;
}

static void roles_control(void **state)
{
    (void)state;
    uint32_t leaf = dw_leaf(c);
    expect(dw_commit(b, &(struct dcommit){.removes = &leaf, .remove_count = 1}));
}

static void founding(void **state)
{
    (void)state;
    struct extensions good = dw_context(&w, &a, 1);
    struct extensions others = dw_context(&w, &b, 1);
    Hearth__V1__CreateGroupRequest *in = dw_found_request(&w, a, &others);
    struct dsigner signer = dw_signer(a);
    (void)dw_call(&w, "CreateGroup", &signer, &in->base);
    assert_string_equal(w.message, err_text(ERR(DELIVERY_CONTEXT)));
    in = dw_found_request(&w, a, &(struct extensions){0});
    signer = dw_signer(a);
    (void)dw_call(&w, "CreateGroup", &signer, &in->base);
    assert_string_equal(w.message, err_text(ERR(DELIVERY_CONTEXT)));
    in = dw_found_request(&w, a, &good);
    signer = dw_signer(a);
    in->creator->queue_reference = dw_reference(b);
    (void)dw_call(&w, "CreateGroup", &signer, &in->base);
    assert_string_equal(w.message, err_text(ERR(DELIVERY_RECORD)));
    in = dw_found_request(&w, a, &good);
    signer = dw_signer(a);
    signer.key = &b->key;
    assert_int_equal(dw_call(&w, "CreateGroup", &signer, &in->base), HEARTH_UNAUTHENTICATED);
    in->group_info.data[in->group_info.len - 3] ^= 1;
    signer.key = &a->key;
    (void)dw_call(&w, "CreateGroup", &signer, &in->base);
    assert_string_equal(w.message, err_text(ERR(MLS_GROUP_INFO_SIGNATURE)));
    assert_int_equal(dw_stats(&w).groups, 0);
}

static int setup_ed448(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.suite = suite_find(4);
    dw_start(&w);
    a = dw_member(&w, NULL);
    return 0;
}

static void suites_that_are_not_ours(void **state)
{
    (void)state;
    struct extensions good = dw_context(&w, &a, 1);
    Hearth__V1__CreateGroupRequest *in = dw_found_request(&w, a, &good);
    struct dsigner signer = dw_signer(a);
    (void)dw_call(&w, "CreateGroup", &signer, &in->base);
    assert_string_equal(w.message, err_text(ERR(DELIVERY_SUITE)));
}

/* A resync replaces one's own leaf, and only that. */
static void resync_is_for_ones_own_leaf(void **state)
{
    (void)state;
    struct dsigner by_b = dw_signer(b);
    struct dsigner by_c = dw_signer(c);
    Hearth__V1__ResyncRequest *in = dw_resync_request(b, a);
    assert_int_equal(dw_call(&w, "Resync", &by_c, &in->base), HEARTH_INVALID_ARGUMENT);
    assert_string_equal(w.message, err_text(ERR(DELIVERY_PROPOSALS)));
    in->leaf->user_pseudonym = dw_bytes(&w, bytes_of(a->user_pseudonym, PSEUDONYM_BYTES));
    in->idempotency = dw_once(&w);
    assert_int_equal(dw_call(&w, "Resync", &by_b, &in->base), HEARTH_INVALID_ARGUMENT);
    in->leaf->user_pseudonym = dw_bytes(&w, bytes_of(b->user_pseudonym, PSEUDONYM_BYTES));
    in->idempotency = dw_once(&w);
    expect(dw_call(&w, "Resync", &by_b, &in->base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_must_fit, setup_group, teardown),
        cmocka_unit_test_setup_teardown(wrapped_keys_are_bound, setup_group, teardown),
        cmocka_unit_test_setup_teardown(leaves_must_be_hearths, setup_group, teardown),
        cmocka_unit_test_setup_teardown(dos6_extension_sizes, setup_group, teardown),
        cmocka_unit_test_setup_teardown(group_info_must_be_good_for_joiners, setup_group, teardown),
        cmocka_unit_test_setup_teardown(context_stays_ours, setup_group, teardown),
        cmocka_unit_test_setup_teardown(members_may_not_remove_others, setup_group, teardown),
        cmocka_unit_test_setup_teardown(roles_control, setup_no_roles, teardown),
        cmocka_unit_test_setup_teardown(founding, setup, teardown),
        cmocka_unit_test_setup_teardown(suites_that_are_not_ours, setup_ed448, teardown),
        cmocka_unit_test_setup_teardown(resync_is_for_ones_own_leaf, setup_group, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
