/* Groups that come from groups (RFC 9420 11.2, 11.3), and those that pretend to. */
#include "mls/member/group_state.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;

static void begin(size_t suite, bool public_handshake)
{
    world_init(&w, &suite_table[suite], 1000 + suite, public_handshake);
}

static void finish(void)
{
    world_clear(&w);
}

/* RFC 9420 11.2: all members go over to a new group of another suite. */
static void reinit(void **state)
{
    (void)state;
    struct commit_output out;
    struct key_package_bundle bundles[3];
    struct bytes packages[2];
    begin(0, true);
    world_grow(&w, 3);
    struct world_client *c = w.clients;
    struct bytes proposal = world_reinit(&w, &suite_table[2]);
    struct commit_options options = {.proposals = &proposal, .proposal_count = 1};
    world_commit(&w, &c[1], &options, &out);
    commit_output_clear(&out);
    struct buf message = BUF_INIT;
    assert_err(group_protect(c[0].group, &c[0].client, bytes_str("x"), bytes_of(NULL, 0), &message),
               MLS_GROUP_CLOSED);
    assert_err(group_commit(c[0].group, &c[0].client, &(struct commit_options){0}, &out),
               MLS_GROUP_CLOSED);
    w.suite = &suite_table[2];
    for (uint32_t i = 0; i < 3; i++) {
        world_reload(&w, &c[i]);
        c[i].previous = c[i].group;
        c[i].group = NULL;
        struct bytes kp = world_key_package(&w, &c[i], &bundles[i]);
        if (i != 1)
            packages[i / 2] = kp;
    }
    struct successor successor = {
        .key_packages = packages, .count = 2, .profile = &c[1].profile, .config = &w.config};
    assert_ok(group_reinit(c[1].previous, &c[1].client, &successor, &out, &c[1].group));
    world_reload(&w, &c[1]);
    assert_ok(group_merge_pending(c[1].group));
    for (uint32_t i = 0; i < 3; i += 2) {
        struct mls_group *g;
        /* who does not know of the old group refuses */
        assert_err(group_join(&c[i].client, &w.config, &bundles[i], buf_view(&out.welcome),
                              bytes_of(NULL, 0), NULL, &g),
                   MLS_WELCOME_PSK);
        assert_ok(group_join(&c[i].client, &w.config, &bundles[i], buf_view(&out.welcome),
                             bytes_of(NULL, 0), c[i].previous, &c[i].group));
    }
    w.has_server = false;
    world_check(&w);
    world_chat(&w, &c[0]);
    for (uint32_t i = 0; i < 3; i++)
        key_package_bundle_clear(&bundles[i]);
    commit_output_clear(&out);
    finish();
}

/* RFC 9420 11.3: some of the members. */
static void branch(void **state)
{
    (void)state;
    struct commit_output out;
    struct key_package_bundle bundle;
    struct mls_group *branched;
    struct mls_group *theirs;
    begin(0, true);
    world_grow(&w, 4);
    struct world_client *c = w.clients;
    struct bytes kp = world_key_package(&w, &c[2], &bundle);
    struct successor successor = {.key_packages = &kp,
                                  .count = 1,
                                  .profile = &c[0].profile,
                                  .config = &w.config,
                                  .group_id = bytes_str("a branch"),
                                  .force_path = true};
    assert_ok(group_branch(c[0].group, &c[0].client, &successor, &out, &branched));
    assert_ok(group_merge_pending(branched));
    assert_ok(group_join(&c[2].client, &w.config, &bundle, buf_view(&out.welcome),
                         bytes_of(NULL, 0), c[2].group, &theirs));
    test_assert_bytes(group_epoch_authenticator(theirs), group_epoch_authenticator(branched));
    group_free(branched);
    group_free(theirs);
    commit_output_clear(&out);
    /* with someone who is not a member of the old group */
    struct world_client *stranger = world_client_new(&w);
    struct key_package_bundle strangers;
    struct bytes both[2] = {kp, world_key_package(&w, stranger, &strangers)};
    successor.key_packages = both;
    successor.count = 2;
    assert_ok(group_branch(c[0].group, &c[0].client, &successor, &out, &branched));
    assert_err(group_join(&c[2].client, &w.config, &bundle, buf_view(&out.welcome),
                          bytes_of(NULL, 0), c[2].group, &theirs),
               MLS_BRANCH_MEMBERS);
    group_free(branched);
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
    key_package_bundle_clear(&strangers);
    finish();
}

/* Reinitialised, with all members' fresh KeyPackages: [1] is who makes the successor. */
static void close_group(struct key_package_bundle *bundles, struct bytes *packages)
{
    struct commit_output out;
    struct world_client *c = w.clients;
    struct bytes proposal = world_reinit(&w, w.suite);
    struct commit_options options = {.proposals = &proposal, .proposal_count = 1};
    world_commit(&w, &c[1], &options, &out);
    commit_output_clear(&out);
    for (uint32_t i = 0; i < 3; i++) {
        c[i].previous = c[i].group;
        c[i].group = NULL;
        struct bytes kp = world_key_package(&w, &c[i], &bundles[i]);
        if (i != 1)
            packages[i / 2] = kp;
    }
    w.has_server = false;
}

/* c[0] joins the successor as whoever still has old; the error it gets. */
static struct err join_as(const struct mls_group *old, const struct key_package_bundle *bundle,
                          const struct commit_output *out)
{
    struct mls_group *g;
    struct err err = group_join(&w.clients[0].client, &w.config, bundle, buf_view(&out->welcome),
                                bytes_of(NULL, 0), old, &g);
    if (err_is_ok(err))
        group_free(g);
    return err;
}

/* RFC 9420 11.2, 12.4.3.1: what claims to follow a group must be what its ReInit says. */
static void not_the_successor(void **state)
{
    (void)state;
    struct key_package_bundle bundles[3];
    struct bytes packages[2];
    struct commit_output out;
    struct mls_group *g;
    struct buf was = BUF_INIT;
    struct mls_group *before = NULL;
    begin(0, true);
    world_grow(&w, 3);
    struct world_client *c = w.clients;
    assert_ok(group_write(c[1].group, &was));
    assert_ok(group_read(&c[1].client, buf_view(&was), &before)); /* an epoch earlier */
    close_group(bundles, packages);
    struct successor successor = {
        .key_packages = packages, .count = 2, .profile = &c[1].profile, .config = &w.config};
    /* only who is in a closed group can reinitialise, only who is in an open one can branch */
    assert_err(group_reinit(before, &c[1].client, &successor, &out, &g), WRONG_STATE);
    assert_err(group_branch(c[1].previous, &c[1].client, &successor, &out, &g), MLS_GROUP_CLOSED);

    /* right, but without all the members */
    successor.count = 1;
    assert_ok(group_reinit(c[1].previous, &c[1].client, &successor, &out, &g));
    assert_err(join_as(c[0].previous, &bundles[0], &out), MLS_REINIT_MEMBERS);
    group_free(g);
    commit_output_clear(&out);

    /* of another epoch than the last: a PSK that all have, of the wrong one */
    successor.count = 2;
    struct buf reinit = BUF_INIT;
    buf_append_bytes(&reinit, buf_view(&c[1].previous->public.reinit));
    buf_append_bytes(&before->public.reinit, buf_view(&reinit)); /* pretends to be closed */
    assert_ok(group_reinit(before, &c[1].client, &successor, &out, &g));
    assert_err(join_as(c[0].previous, &bundles[0], &out), MLS_SUCCESSOR);
    group_free(g);
    commit_output_clear(&out);

    /* another id, another suite than the ReInit's: group_id is the first field of it */
    struct mls_group *closed = c[1].previous;
    closed->public.reinit.data[1] ^= 1;
    assert_ok(group_reinit(closed, &c[1].client, &successor, &out, &g));
    closed->public.reinit.data[1] ^= 1;
    assert_err(join_as(c[0].previous, &bundles[0], &out), MLS_REINIT_MISMATCH);
    group_free(g);
    commit_output_clear(&out);

    /* a plain Welcome, and one of who knows another predecessor */
    world_found(&w, &c[1], &(struct extensions){0});
    struct bytes add = world_add(&w, packages[0]);
    struct commit_options options = {.proposals = &add, .proposal_count = 1};
    assert_ok(group_commit(c[1].group, &c[1].client, &options, &out));
    assert_err(join_as(c[0].previous, &bundles[0], &out), MLS_SUCCESSOR);
    assert_ok(join_as(NULL, &bundles[0], &out));
    commit_output_clear(&out);

    /* and the right one */
    assert_ok(group_reinit(closed, &c[1].client, &successor, &out, &g));
    assert_ok(join_as(c[0].previous, &bundles[0], &out));
    group_free(g);
    commit_output_clear(&out);
    group_free(before);
    buf_clear(&was);
    buf_clear(&reinit);
    for (uint32_t i = 0; i < 3; i++)
        key_package_bundle_clear(&bundles[i]);
    finish();
}

/* A suite that we don't have, or another version: the group is over, and there is no next one. */
static void reinit_to_what_we_lack(void **state)
{
    (void)state;
    struct key_package_bundle bundles[3];
    struct bytes packages[2];
    struct commit_output out;
    struct mls_group *g;
    begin(0, true);
    world_grow(&w, 3);
    struct world_client *c = w.clients;
    close_group(bundles, packages);
    struct successor successor = {
        .key_packages = packages, .count = 2, .profile = &c[1].profile, .config = &w.config};
    struct buf *reinit = &c[1].previous->public.reinit;
    size_t version = 1 + reinit->data[0]; /* behind group_id<V> */
    reinit->data[version] = 0x7f;
    assert_err(group_reinit(c[1].previous, &c[1].client, &successor, &out, &g), MLS_VERSION);
    reinit->data[version] = 0;
    reinit->data[version + 2] = 0x7f;
    assert_err(group_reinit(c[1].previous, &c[1].client, &successor, &out, &g), MLS_SUITE_UNKNOWN);
    reinit->data[version + 2] = 0;
    struct bytes broken = bytes_of(packages[0].data, packages[0].len - 1);
    successor.key_packages = &broken;
    successor.count = 1;
    assert_err(group_reinit(c[1].previous, &c[1].client, &successor, &out, &g), WIRE_SHORT);
    for (uint32_t i = 0; i < 3; i++)
        key_package_bundle_clear(&bundles[i]);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reinit),
        cmocka_unit_test(branch),
        cmocka_unit_test(not_the_successor),
        cmocka_unit_test(reinit_to_what_we_lack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
