/* Groups of our own members over all suites: joining, changing, talking, leaving; both framings. */
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

static void grow_and_talk(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        for (int framing = 0; framing < 2; framing++) {
            begin(i, framing);
            world_grow(&w, i == 0 ? 10 : 4);
            for (uint32_t k = 0; k < w.count; k++)
                world_chat(&w, &w.clients[k]);
            for (uint32_t k = 0; k < w.count; k++)
                world_reload(&w, &w.clients[k]);
            for (uint32_t k = 0; k < w.count; k++)
                world_chat(&w, &w.clients[k]);
            finish();
        }
    }
}

static void alone(void **state)
{
    (void)state;
    struct commit_output out;
    begin(0, true);
    world_grow(&w, 1);
    world_commit(&w, &w.clients[0], &(struct commit_options){0}, &out);
    world_check(&w);
    commit_output_clear(&out);
    finish();
}

/* Add, Update, Remove, PSKs, GroupContextExtensions, all by reference, from several members. */
static void by_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        for (int framing = 0; framing < 2; framing++) {
            struct key_package_bundle bundle;
            struct buf message = BUF_INIT;
            struct commit_output out;
            struct digest ref;
            begin(i, framing);
            world_grow(&w, 4);
            struct world_client *c = w.clients;
            struct world_client *joiner = world_client_new(&w);
            struct bytes kp = world_key_package(&w, joiner, &bundle);
            struct bytes proposals[] = {
                world_add(&w, kp),
                world_remove(&w, group_own_leaf(c[3].group)),
                world_psk(&w, bytes_str("psk one")),
                world_extensions(&w, &(struct extensions){0}),
            };
            for (size_t k = 0; k < sizeof proposals / sizeof *proposals; k++) {
                assert_ok(group_propose(c[1].group, &c[1].client, proposals[k], bytes_of(NULL, 0),
                                        &message, &ref));
                world_deliver_proposal(&w, &c[1], buf_view(&message));
                buf_clear(&message);
            }
            assert_ok(sig_key_generate(w.suite->sig, &w.rng, &c[2].next_key));
            assert_ok(group_propose_update(c[2].group, &c[2].client, &c[2].next_key, NULL,
                                           bytes_str("update"), &message, NULL));
            world_deliver_proposal(&w, &c[2], buf_view(&message));
            buf_clear(&message);
            for (uint32_t k = 0; k < 4; k++)
                world_reload(&w, &c[k]);
            struct commit_options options = {.tree_beside = true,
                                             .authenticated_data = bytes_str("aad")};
            world_commit(&w, &c[0], &options, &out);
            assert_null(c[3].group);
            struct buf tree = BUF_INIT;
            assert_ok(group_ratchet_tree(c[0].group, &tree));
            world_join(&w, joiner, &bundle, buf_view(&out.welcome), buf_view(&tree));
            world_check(&w);
            commit_output_clear(&out);
            /* by value, and one that a joiner could not know */
            struct bytes resumption = world_resumption(&w, c[1].group, group_epoch(c[1].group) - 1);
            options = (struct commit_options){.proposals = &resumption, .proposal_count = 1};
            assert_err(group_commit(joiner->group, &joiner->client, &options, &out),
                       MLS_PSK_UNKNOWN);
            world_reload(&w, &c[1]);
            resumption = world_resumption(&w, c[1].group, group_epoch(c[1].group));
            world_commit(&w, &c[1], &options, &out);
            world_check(&w);
            world_chat(&w, &c[2]); /* with its new key */
            world_chat(&w, joiner);
            buf_clear(&tree);
            commit_output_clear(&out);
            key_package_bundle_clear(&bundle);
            finish();
        }
    }
}

static void external_join(struct world_client *c, bool resync, uint32_t former)
{
    struct world_client *members[WORLD_MEMBERS_MAX];
    struct buf info = BUF_INIT;
    struct buf commit = BUF_INIT;
    uint32_t count = world_members(&w, members);
    struct world_client *helper = members[0] == c ? members[1] : members[0];
    assert_true(count > 0);
    assert_ok(group_make_info(helper->group, &helper->client,
                              (struct group_info_options){true, true}, &info));
    struct psk_id psk = {.type = PSK_EXTERNAL, .id = bytes_str("psk of joiner")};
    struct external_join join = {.group_info = buf_view(&info),
                                 .resync = resync,
                                 .former_leaf = former,
                                 .psks = &psk,
                                 .psk_count = 1};
    group_free(c->group);
    c->group = NULL;
    assert_ok(group_join_external(&c->client, &w.config, &join, &c->profile, &commit, &c->group));
    assert_false(group_is_active(c->group));
    world_reload(&w, c);
    /* not a member yet */
    struct buf message = BUF_INIT;
    assert_err(group_protect(c->group, &c->client, bytes_str("x"), bytes_of(NULL, 0), &message),
               MLS_GROUP_INACTIVE);
    world_deliver_commit(&w, c, buf_view(&commit));
    world_check(&w);
    world_chat(&w, c);
    world_chat(&w, helper);
    buf_clear(&info);
    buf_clear(&commit);
}

static void external_commits(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        begin(i, true);
        world_grow(&w, 3);
        external_join(world_client_new(&w), false, 0);
        /* client 1 lost its state */
        external_join(&w.clients[1], true, group_own_leaf(w.clients[1].group));
        struct commit_output out;
        world_commit(&w, &w.clients[2], &(struct commit_options){0}, &out);
        world_check(&w);
        commit_output_clear(&out);
        finish();
    }
}

/* RFC 9420 12.1.3: who wants to leave proposes it, and somebody else commits. */
static void leave(void **state)
{
    (void)state;
    for (int framing = 0; framing < 2; framing++) {
        struct commit_output out;
        struct buf message = BUF_INIT;
        begin(0, framing);
        world_grow(&w, 3);
        struct world_client *c = w.clients;
        struct bytes removal = world_remove(&w, group_own_leaf(c[1].group));
        assert_ok(
            group_propose(c[1].group, &c[1].client, removal, bytes_of(NULL, 0), &message, NULL));
        world_deliver_proposal(&w, &c[1], buf_view(&message));
        world_commit(&w, &c[2], &(struct commit_options){0}, &out);
        assert_null(c[1].group);
        world_check(&w);
        world_chat(&w, &c[0]);
        buf_clear(&message);
        commit_output_clear(&out);
        finish();
    }
}

/* Two commit at once: one wins, the other's is dropped, by whoever and stored or not. */
static void lost_race(void **state)
{
    (void)state;
    for (int framing = 0; framing < 2; framing++) {
        struct commit_output lost;
        struct commit_output won;
        begin(0, framing);
        world_grow(&w, 3);
        assert_ok(group_commit(w.clients[1].group, &w.clients[1].client,
                               &(struct commit_options){0}, &lost));
        world_reload(&w, &w.clients[1]);
        assert_true(group_has_pending(w.clients[1].group));
        world_commit(&w, &w.clients[0], &(struct commit_options){0}, &won);
        assert_false(group_has_pending(w.clients[1].group));
        assert_err(group_merge_pending(w.clients[1].group), WRONG_STATE);
        world_check(&w);
        /* the lost one is of an old epoch */
        struct mls_received received;
        assert_err(group_process(w.clients[2].group, &w.clients[2].client, buf_view(&lost.commit),
                                 &received),
                   MLS_EPOCH);
        commit_output_clear(&lost);
        commit_output_clear(&won);
        /* one that won after a restart */
        assert_ok(group_commit(w.clients[1].group, &w.clients[1].client,
                               &(struct commit_options){0}, &won));
        world_reload(&w, &w.clients[1]);
        world_deliver_commit(&w, &w.clients[1], buf_view(&won.commit));
        world_check(&w);
        world_chat(&w, &w.clients[1]);
        commit_output_clear(&won);
        finish();
    }
}

/* An own commit stays good while proposals come in, and a received one can't be merged late. */
static void staged_and_stale(void **state)
{
    (void)state;
    struct commit_output out;
    struct commit_output other;
    struct buf message = BUF_INIT;
    struct mls_received received;
    struct mls_received stale;
    begin(0, true);
    world_grow(&w, 3);
    struct world_client *c = w.clients;
    assert_ok(group_commit(c[0].group, &c[0].client, &(struct commit_options){0}, &out));
    assert_ok(group_propose(c[1].group, &c[1].client, world_psk(&w, bytes_str("p")),
                            bytes_of(NULL, 0), &message, NULL));
    world_deliver_proposal(&w, &c[1], buf_view(&message));
    assert_ok(group_commit(c[1].group, &c[1].client, &(struct commit_options){0}, &other));
    assert_ok(group_process(c[2].group, &c[2].client, buf_view(&other.commit), &stale));
    world_deliver_commit(&w, &c[0], buf_view(&out.commit));
    world_check(&w);
    assert_err(group_merge(c[2].group, &stale.staged), WRONG_STATE);
    mls_received_clear(&stale);
    /* our own message comes back */
    assert_err(group_process(c[0].group, &c[0].client, buf_view(&out.commit), &received),
               MLS_EPOCH);
    world_chat(&w, &c[2]);
    buf_clear(&message);
    commit_output_clear(&out);
    commit_output_clear(&other);
    finish();
}

/* One Welcome cut into one for each joiner. */
static void split_welcome(void **state)
{
    (void)state;
    struct key_package_bundle bundles[3];
    struct bytes adds[3];
    struct commit_output out;
    begin(0, true);
    world_grow(&w, 2);
    for (uint32_t i = 0; i < 3; i++)
        adds[i] = world_add(&w, world_key_package(&w, world_client_new(&w), &bundles[i]));
    struct commit_options options = {.proposals = adds, .proposal_count = 3, .force_path = true};
    world_commit(&w, &w.clients[1], &options, &out);
    for (uint32_t i = 0; i < 3; i++) {
        struct digest ref;
        struct digest other;
        struct buf piece;
        struct mls_group *g;
        assert_ok(key_package_ref(buf_view(&bundles[i].key_package), &ref));
        assert_ok(key_package_ref(buf_view(&bundles[(i + 1) % 3].key_package), &other));
        assert_ok(welcome_split(buf_view(&out.welcome), digest_view(&ref), &piece));
        assert_true(piece.len < out.welcome.len);
        assert_true(welcome_has(buf_view(&piece), digest_view(&ref)));
        assert_false(welcome_has(buf_view(&piece), digest_view(&other)));
        struct world_client *c = &w.clients[2 + i];
        assert_err(group_join(&c->client, &w.config, &bundles[(i + 1) % 3], buf_view(&piece),
                              bytes_of(NULL, 0), NULL, &g),
                   MLS_WELCOME_NOT_FOR_US);
        world_join(&w, c, &bundles[i], buf_view(&piece), bytes_of(NULL, 0));
        buf_clear(&piece);
    }
    world_check(&w);
    commit_output_clear(&out);
    world_commit(&w, &w.clients[3], &(struct commit_options){0}, &out);
    world_check(&w);
    commit_output_clear(&out);
    for (uint32_t i = 0; i < 3; i++)
        key_package_bundle_clear(&bundles[i]);
    finish();
}

/* RFC 9420 7.3: members that never committed have leaves that expire; others can still join, by
 * Welcome and from outside, unless they insist. A KeyPackage that has expired is not added. */
static void idle_members_keep_nobody_out(void **state)
{
    (void)state;
    struct key_package_bundle bundle;
    struct key_package_bundle stale;
    struct commit_output out;
    struct mls_group *g;
    begin(0, false); /* no server: its clock stands still */
    world_found(&w, world_client_new(&w), &(struct extensions){0});
    struct bytes add = world_add(&w, world_key_package(&w, world_client_new(&w), &bundle));
    world_commit(&w, &w.clients[0],
                 &(struct commit_options){.proposals = &add, .proposal_count = 1}, &out);
    world_join(&w, &w.clients[1], &bundle, buf_view(&out.welcome), bytes_of(NULL, 0));
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);

    struct world_client *c = world_client_new(&w);
    struct world_client *d = world_client_new(&w);
    struct bytes old = world_add(&w, world_key_package(&w, c, &stale));
    for (uint32_t i = 0; i < w.count; i++)
        w.clients[i].client.policy.now += 60ULL * 24 * 3600;
    struct commit_options options = {.proposals = &old, .proposal_count = 1};
    assert_err(group_commit(w.clients[0].group, &w.clients[0].client, &options, &out),
               MLS_LIFETIME_EXPIRED);
    add = world_add(&w, world_key_package(&w, c, &bundle));
    options.proposals = &add;
    world_commit(&w, &w.clients[0], &options, &out);
    c->client.policy.strict_tree_lifetime = true;
    assert_err(group_join(&c->client, &w.config, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0),
                          NULL, &g),
               MLS_LIFETIME_EXPIRED);
    c->client.policy.strict_tree_lifetime = false;
    world_join(&w, c, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0));
    world_check(&w);
    commit_output_clear(&out);

    external_join(d, false, 0);
    key_package_bundle_clear(&bundle);
    key_package_bundle_clear(&stale);
    finish();
}

/* RFC 9420 7.3: a KeyPackage was valid when its Add was accepted, and has expired when a member
 * who was away comes to read the commit. By its own clock it would be out of the group; by the time
 * of the message (policy.h) it goes on with the others. */
static void who_was_away(void **state)
{
    (void)state;
    struct key_package_bundle bundle;
    struct commit_output out;
    struct mls_received received;
    begin(0, false);
    world_grow(&w, 3);
    struct world_client *away = &w.clients[2];
    uint64_t accepted = away->client.policy.now;
    struct world_client *c = world_client_new(&w);
    struct bytes add = world_add(&w, world_key_package(&w, c, &bundle));
    struct commit_options options = {.proposals = &add, .proposal_count = 1};
    assert_ok(group_commit(w.clients[0].group, &w.clients[0].client, &options, &out));
    away->client.policy.now += 60ULL * 24 * 3600;
    assert_err(group_process(away->group, &away->client, buf_view(&out.commit), &received),
               MLS_LIFETIME_EXPIRED);
    away->client.policy.now = accepted;
    world_deliver_commit(&w, &w.clients[0], buf_view(&out.commit));
    world_join(&w, c, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0));
    world_check(&w);
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone),
        cmocka_unit_test(grow_and_talk),
        cmocka_unit_test(by_reference),
        cmocka_unit_test(external_commits),
        cmocka_unit_test(leave),
        cmocka_unit_test(lost_race),
        cmocka_unit_test(staged_and_stale),
        cmocka_unit_test(split_welcome),
        cmocka_unit_test(idle_members_keep_nobody_out),
        cmocka_unit_test(who_was_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
