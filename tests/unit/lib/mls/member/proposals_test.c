/* Proposals that meet in the store: from members, from outside, at odds with each other; and what
 * a commit "of all that is stored" makes of them (RFC 9420 12.1.8, 12.2, 12.4). */
#include "mls/member/group_state.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;

static void begin(uint32_t members)
{
    world_init(&w, &suite_table[0], 77, true);
    world_grow(&w, members);
}

/* By reference, to all others and the server. */
static void propose(uint32_t from, struct bytes proposal)
{
    struct buf message = BUF_INIT;
    struct world_client *c = &w.clients[from];
    assert_ok(group_propose(c->group, &c->client, proposal, bytes_of(NULL, 0), &message, NULL));
    world_deliver_proposal(&w, c, buf_view(&message));
    buf_clear(&message);
}

static void commit_all(uint32_t from)
{
    struct commit_output out;
    world_commit(&w, &w.clients[from], &(struct commit_options){0}, &out);
    world_check(&w);
    commit_output_clear(&out);
}

static uint32_t leaf_of(uint32_t client)
{
    return group_own_leaf(w.clients[client].group);
}

static uint32_t covered(uint32_t from) /* how many a commit of all would cover */
{
    struct commit_output out;
    struct world_client *c = &w.clients[from];
    assert_ok(group_commit(c->group, &c->client, &(struct commit_options){0}, &out));
    uint32_t count = (uint32_t)group_pending(c->group)->list_count;
    group_drop_pending(c->group);
    commit_output_clear(&out);
    return count;
}

static struct extensions take_extension(uint16_t type, struct bytes data)
{
    struct buf b = BUF_INIT;
    extension_write(&b, type, data);
    return (struct extensions){world_take(&w, &b)};
}

/* Of each pair only one can stand in a commit; which one is RFC 9420 12.2's choice or the first. */
static void proposals_at_odds(void **state)
{
    (void)state;
    struct key_package_bundle bundles[3];
    begin(5);
    struct world_client *joiner = world_client_new(&w);
    for (int i = 0; i < 2; i++) /* one client, twice */
        propose(0, world_add(&w, world_key_package(&w, joiner, &bundles[i])));
    assert_int_equal(covered(1), 1);
    struct bytes psk = world_psk(&w, bytes_str("one"));
    propose(0, psk);
    propose(1, psk);
    assert_int_equal(covered(1), 2);
    propose(0, world_extensions(&w, &(struct extensions){0}));
    propose(2, world_extensions(&w, &(struct extensions){0}));
    assert_int_equal(covered(1), 3);
    propose(0, world_remove(&w, leaf_of(4)));
    propose(1, world_remove(&w, leaf_of(4)));
    assert_int_equal(covered(1), 4);
    /* our own removal is for others to commit */
    propose(0, world_remove(&w, leaf_of(3)));
    assert_int_equal(covered(3), 4);
    assert_int_equal(covered(1), 5);
    propose(0, world_reinit(&w, w.suite)); /* others are preferred */
    assert_int_equal(covered(1), 5);
    struct commit_output out;
    world_commit(&w, &w.clients[1], &(struct commit_options){0}, &out);
    world_join(&w, joiner, &bundles[0], buf_view(&out.welcome), bytes_of(NULL, 0));
    world_check(&w);
    assert_false(public_group_is_closed(group_public(w.clients[1].group)));
    assert_null(w.clients[4].group);
    commit_output_clear(&out);
    for (int i = 0; i < 2; i++)
        key_package_bundle_clear(&bundles[i]);
    world_clear(&w);
}

/* Updates: the last of a leaf, none of a leaf that is removed. */
static void updates_at_odds(void **state)
{
    (void)state;
    struct buf message = BUF_INIT;
    begin(3);
    struct world_client *c = w.clients;
    for (int i = 0; i < 2; i++) {
        assert_ok(group_propose_update(c[2].group, &c[2].client, NULL, &c[2].profile,
                                       bytes_of(NULL, 0), &message, NULL));
        world_deliver_proposal(&w, &c[2], buf_view(&message));
        buf_clear(&message);
    }
    assert_int_equal(covered(0), 1);
    assert_int_equal(covered(2), 0); /* a committer's Update is its path */
    propose(1, world_remove(&w, leaf_of(2)));
    assert_int_equal(covered(0), 1);
    commit_all(0);
    assert_null(c[2].group);
    world_clear(&w);
}

/* A twin of a member may come when the member goes, in one commit. */
static void a_member_comes_back(void **state)
{
    (void)state;
    struct key_package_bundle bundle;
    begin(3);
    propose(0, world_add(&w, world_key_package(&w, &w.clients[2], &bundle)));
    assert_int_equal(covered(0), 0);
    propose(0, world_remove(&w, leaf_of(2)));
    assert_int_equal(covered(1), 2);
    struct commit_output out;
    world_commit(&w, &w.clients[1], &(struct commit_options){0}, &out);
    world_join(&w, &w.clients[2], &bundle, buf_view(&out.welcome), bytes_of(NULL, 0));
    world_check(&w);
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
    world_clear(&w);
}

/* Who lacks what the group demands is not let in by a commit of all. */
static void misfits_are_left_out(void **state)
{
    (void)state;
    struct key_package_bundle bundle;
    struct buf required = BUF_INIT;
    begin(2);
    static const uint8_t types[] = {0x5a, 0x5a}; /* all of ours list it */
    required_capabilities_write(
        &required, &(struct required_capabilities){.extension_types = {bytes_of(types, 2)}});
    struct bytes data = world_take(&w, &required);
    struct extensions demand = take_extension(EXTENSION_REQUIRED_CAPABILITIES, data);
    propose(0, world_extensions(&w, &demand));
    commit_all(1);
    struct world_client *joiner = world_client_new(&w);
    joiner->profile.capabilities.extensions = (struct u16_list){bytes_of(NULL, 0)};
    struct bytes add = world_add(&w, world_key_package(&w, joiner, &bundle));
    propose(0, add);
    assert_int_equal(covered(1), 0);
    struct commit_output out;
    struct commit_options options = {.proposals = &add, .proposal_count = 1};
    assert_err(group_commit(w.clients[1].group, &w.clients[1].client, &options, &out),
               MLS_LEAF_REQUIRED_EXTENSION); /* insisting does not help */
    key_package_bundle_clear(&bundle);
    world_clear(&w);
}

/* What the caller of group_commit and group_propose must not ask for. */
static void updates_by_value(void **state)
{
    (void)state;
    struct buf update = BUF_INIT;
    struct buf message = BUF_INIT;
    struct commit_output out;
    begin(2);
    struct world_client *c = w.clients;
    wire_write_u16(&update, PROPOSAL_UPDATE);
    struct leaf_node leaf;
    assert_true(tree_leaf(&c[0].group->public.tree, group_own_leaf(c[0].group), &leaf));
    wire_write_fixed(&update, leaf.raw);
    struct bytes proposal = buf_view(&update);
    struct commit_options options = {.proposals = &proposal, .proposal_count = 1};
    assert_err(group_commit(c[0].group, &c[0].client, &options, &out), MLS_UPDATE_BY_COMMITTER);
    assert_err(group_propose(c[0].group, &c[0].client, proposal, bytes_of(NULL, 0), &message, NULL),
               ARGUMENT);
    buf_clear(&update);
    world_clear(&w);
}

/* References named by the caller, a framing other than the group's, a new profile. */
static void chosen_by_the_caller(void **state)
{
    (void)state;
    struct buf messages[2] = {BUF_INIT, BUF_INIT};
    struct digest refs[2];
    struct commit_output out;
    begin(3);
    struct world_client *c = w.clients;
    for (int i = 0; i < 2; i++) {
        assert_ok(group_propose(c[1].group, &c[1].client, world_psk(&w, bytes_str("chosen")),
                                bytes_of(NULL, 0), &messages[i], &refs[i]));
        world_deliver_proposal(&w, &c[1], buf_view(&messages[i]));
    }
    struct bytes ref = digest_view(&refs[1]);
    c[2].profile.capabilities.extensions = (struct u16_list){bytes_of(NULL, 0)};
    struct commit_options options = {
        .some_references = true,
        .references = &ref,
        .reference_count = 1,
        .profile = &c[2].profile,
        .force_path = true,
        .private_message = true,
        .external_pub = true,
    };
    w.has_server = false; /* it can't follow this one */
    world_commit(&w, &c[2], &options, &out);
    world_check(&w);
    assert_true(out.group_info.len > 0);
    assert_int_equal(out.commit.data[3], WIRE_FORMAT_PRIVATE_MESSAGE);
    struct leaf_node leaf;
    assert_true(tree_leaf(&c[0].group->public.tree, group_own_leaf(c[2].group), &leaf));
    assert_int_equal(u16_list_count(&leaf.capabilities.extensions), 0);
    commit_output_clear(&out);
    /* one that no one has */
    memset(refs[0].data, 0, refs[0].len);
    ref = digest_view(&refs[0]);
    assert_err(group_commit(c[0].group, &c[0].client, &options, &out), MLS_PROPOSAL_REF_UNKNOWN);
    buf_clear(&messages[0]);
    buf_clear(&messages[1]);
    world_clear(&w);
}

static struct bytes external_senders_of(const struct sig_key *key, const struct mls_credential *who)
{
    struct buf b = BUF_INIT;
    size_t mark = wire_vector_begin(&b);
    external_sender_write(&b, &(struct external_sender){public_key_view(&key->public_key), *who});
    wire_vector_end(&b, mark);
    return world_take(&w, &b);
}

static struct err from_outside(const struct sig_key *key, uint8_t type, struct bytes proposal,
                               struct buf *message)
{
    const struct public_group *g = group_public(w.clients[0].group);
    return outside_propose(key, g->context.group_id, g->context.epoch, (struct sender){type, 0},
                           proposal, message);
}

/* RFC 9420 12.1.8: an external sender removes, a new member adds itself; members accept both when
 * their application accepts the external sender's credential. */
static void proposals_from_outside(void **state)
{
    (void)state;
    struct buf message = BUF_INIT;
    struct key_package_bundle bundle;
    struct sig_key home;
    begin(3);
    struct world_client *c = w.clients;
    assert_ok(sig_key_generate(w.suite->sig, &w.rng, &home));
    struct bytes remove = world_remove(&w, leaf_of(2));
    assert_err(from_outside(&home, SENDER_MEMBER, remove, &message), ARGUMENT);
    assert_err(from_outside(&home, SENDER_EXTERNAL, bytes_of(remove.data, 3), &message),
               WIRE_SHORT);
    struct mls_credential who = {CREDENTIAL_BASIC, bytes_str("home server")};
    struct extensions senders =
        take_extension(EXTENSION_EXTERNAL_SENDERS, external_senders_of(&home, &who));
    propose(0, world_extensions(&w, &senders));
    struct commit_output out;
    w.refuse_credentials = true;
    assert_err(group_commit(c[0].group, &c[0].client, &(struct commit_options){0}, &out),
               MLS_CREDENTIAL_REFUSED);
    w.refuse_credentials = false;
    commit_all(1);

    assert_ok(from_outside(&home, SENDER_EXTERNAL, remove, &message));
    world_deliver_proposal(&w, NULL, buf_view(&message));
    buf_clear(&message);
    struct world_client *joiner = world_client_new(&w);
    struct bytes add = world_add(&w, world_key_package(&w, joiner, &bundle));
    assert_ok(from_outside(&joiner->key, SENDER_NEW_MEMBER_PROPOSAL, add, &message));
    world_deliver_proposal(&w, NULL, buf_view(&message));
    buf_clear(&message);
    assert_int_equal(covered(0), 2);
    world_commit(&w, &c[0], &(struct commit_options){0}, &out);
    world_join(&w, joiner, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0));
    world_check(&w);
    assert_null(c[2].group);
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
    sig_key_clear(&home);
    world_clear(&w);
}

/* Without an application behind it, a member knows no PSK and accepts every credential. */
static void client_without_operations(void **state)
{
    (void)state;
    struct commit_output out;
    begin(2);
    struct world_client *c = w.clients;
    struct bytes psks[] = {world_psk(&w, bytes_str("any")),
                           world_resumption(&w, c[0].group, group_epoch(c[0].group) + 1)};
    c[0].client.ops = NULL;
    w.refuse_credentials = true;
    for (size_t i = 0; i < 2; i++) {
        struct commit_options options = {.proposals = &psks[i], .proposal_count = 1};
        assert_err(group_commit(c[0].group, &c[0].client, &options, &out), MLS_PSK_UNKNOWN);
    }
    struct commit_options options = {.force_path = true};
    assert_ok(group_commit(c[0].group, &c[0].client, &options, &out));
    group_drop_pending(c[0].group);
    commit_output_clear(&out);
    world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_at_odds),      cmocka_unit_test(updates_at_odds),
        cmocka_unit_test(a_member_comes_back),    cmocka_unit_test(misfits_are_left_out),
        cmocka_unit_test(updates_by_value),       cmocka_unit_test(chosen_by_the_caller),
        cmocka_unit_test(proposals_from_outside), cmocka_unit_test(client_without_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
