/* Calls that cannot succeed: by who is not, or no longer, in the group, with another key, with what
 * is of another kind. Each is refused by its own name, nothing is handed out, and the group is as
 * it was. */
#include "mls/member/group_state.h"
#include "support/failing.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;

/* Every call that signs, tried by a member; all say the same. */
static void all_refuse(struct mls_group *g, const struct mls_client *client, struct bytes proposal,
                       enum err_code code)
{
    struct buf before = BUF_INIT, after = BUF_INIT, message = BUF_INIT;
    struct bytes none = {0};
    struct commit_output out = {BUF_INIT, BUF_INIT, BUF_INIT};
    assert_ok(group_write(g, &before));
    const struct err errs[] = {
        group_propose(g, client, proposal, none, &message, NULL),
        group_propose_update(g, client, NULL, NULL, none, &message, NULL),
        group_commit(g, client, &(struct commit_options){0}, &out),
        group_protect(g, client, bytes_str("text"), none, &message),
    };
    for (size_t i = 0; i < sizeof errs / sizeof *errs; i++)
        assert_string_equal(err_name(errs[i]), err_name((struct err){code}));
    assert_int_equal(message.len + out.commit.len + out.welcome.len + out.group_info.len, 0);
    assert_ok(group_write(g, &after));
    test_assert_bytes(buf_view(&after), buf_view(&before));
    buf_clear(&before);
    buf_clear(&after);
}

/* A key that is missing, of another algorithm, or not that of our leaf signs nothing. */
static void signers(void **state)
{
    (void)state;
    struct sig_key ecdsa;
    struct buf info = BUF_INIT;
    world_init(&w, &suite_table[0], 41, true);
    world_grow(&w, 2);
    struct world_client *c = w.clients;
    assert_ok(sig_key_generate(suite_table[1].sig, &w.rng, &ecdsa));
    const struct sig_key *wrong[] = {NULL, &ecdsa, &c[1].key};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct mls_client client = c[0].client;
        client.signer = wrong[i];
        all_refuse(c[0].group, &client, world_psk(&w, bytes_str("psk")), ERR_MLS_SIGNER);
        assert_err(group_make_info(c[0].group, &client, (struct group_info_options){0}, &info),
                   MLS_SIGNER);
    }
    assert_null(group_pending(c[0].group));
    assert_err(group_merge_pending(c[0].group), WRONG_STATE);
    sig_key_clear(&ecdsa);
    world_clear(&w);
}

/* Who was removed sends nothing, reads nothing and exports nothing (RFC 9420 12.4.2, 8.5). */
static void removed(void **state)
{
    (void)state;
    struct commit_output out;
    struct mls_received received;
    struct buf info = BUF_INIT;
    uint8_t exported[16] = {0};
    world_init(&w, &suite_table[0], 42, true);
    world_grow(&w, 3);
    struct world_client *c = w.clients;
    struct bytes proposal = world_remove(&w, 1);
    struct mls_group *g = c[1].group;
    struct commit_options options = {.proposals = &proposal, .proposal_count = 1};
    assert_ok(group_commit(c[0].group, &c[0].client, &options, &out));
    assert_ok(group_process(g, &c[1].client, buf_view(&out.commit), &received));
    assert_true(mls_staged_removes_us(received.staged));
    assert_ok(group_merge(g, &received.staged));
    mls_received_clear(&received);
    assert_ok(group_merge_pending(c[0].group));
    commit_output_clear(&out);
    all_refuse(g, &c[1].client, world_psk(&w, bytes_str("psk")), ERR_MLS_GROUP_INACTIVE);
    assert_err(group_make_info(g, &c[1].client, (struct group_info_options){0}, &info),
               MLS_GROUP_INACTIVE);
    assert_err(group_export(g, bytes_str("label"), bytes_str(""), sizeof exported, exported),
               MLS_GROUP_INACTIVE);
    /* the next commit and a message of the epoch that it was removed from */
    assert_ok(group_commit(c[0].group, &c[0].client, &(struct commit_options){0}, &out));
    assert_err(group_process(g, &c[1].client, buf_view(&out.commit), &received),
               MLS_GROUP_INACTIVE);
    commit_output_clear(&out);
    struct buf text = BUF_INIT;
    assert_ok(group_protect(c[0].group, &c[0].client, bytes_str("text"), bytes_str(""), &text));
    assert_err(group_process(g, &c[1].client, buf_view(&text), &received), MLS_GROUP_INACTIVE);
    buf_clear(&text);
    world_clear(&w);
}

/* RFC 9420 12.1.8.1, 5.3.1: members are asked about the external senders of new extensions, for
 * whom no leaf speaks; here they take none but basic credentials. */
static void external_senders_are_asked_about(void **state)
{
    (void)state;
    struct commit_output out;
    struct mls_received received;
    struct buf list = BUF_INIT, extensions = BUF_INIT;
    world_init(&w, &suite_table[0], 47, true);
    world_grow(&w, 2);
    struct world_client *c = w.clients;
    for (int i = 0; i < 2; i++) {
        struct external_sender sender = {public_key_view(&c[1].key.public_key),
                                         {i == 0 ? 0xff01 : CREDENTIAL_BASIC, bytes_str("bot")}};
        size_t mark = wire_vector_begin(&list);
        external_sender_write(&list, &sender);
        wire_vector_end(&list, mark);
        extension_write(&extensions, EXTENSION_EXTERNAL_SENDERS, buf_view(&list));
        struct bytes proposal = world_extensions(&w, &(struct extensions){buf_view(&extensions)});
        struct commit_options options = {.proposals = &proposal, .proposal_count = 1};
        struct mls_client careless = c[0].client; /* asks nobody, unlike the others */
        careless.ops = NULL;
        if (i == 0)
            assert_err(group_commit(c[0].group, &c[0].client, &options, &out),
                       MLS_CREDENTIAL_REFUSED);
        assert_ok(group_commit(c[0].group, &careless, &options, &out));
        struct err err = group_process(c[1].group, &c[1].client, buf_view(&out.commit), &received);
        if (i == 0)
            assert_err(err, MLS_CREDENTIAL_REFUSED);
        else
            assert_ok(err);
        buf_clear(&list);
        buf_clear(&extensions);
        commit_output_clear(&out);
    }
    mls_received_clear(&received);
    world_clear(&w);
}

/* Counts over their bounds, before any memory is taken for them. */
static void too_many(void **state)
{
    (void)state;
    enum { UPDATES_MAX = 64 };
    struct buf message = BUF_INIT;
    struct mls_group *g = NULL;
    struct commit_output out;
    world_init(&w, &suite_table[0], 43, true);
    world_grow(&w, 2);
    struct world_client *c = w.clients;
    for (int i = 0; i < UPDATES_MAX; i++) {
        assert_ok(group_propose_update(c[0].group, &c[0].client, NULL, NULL, bytes_str(""),
                                       &message, NULL));
        buf_clear(&message);
    }
    uint32_t stored = c[0].group->public.proposals.count;
    assert_err(
        group_propose_update(c[0].group, &c[0].client, NULL, NULL, bytes_str(""), &message, NULL),
        MLS_TOO_MANY_PROPOSALS);
    assert_int_equal(c[0].group->public.proposals.count, stored);
    struct bytes one = world_psk(&w, bytes_str("psk"));
    struct commit_options options = {.proposals = &one,
                                     .proposal_count = MLS_MAX_COMMIT_PROPOSALS + 1};
    assert_err(group_commit(c[1].group, &c[1].client, &options, &out), WIRE_LIMIT);
    options = (struct commit_options){.some_references = true,
                                      .references = &one,
                                      .reference_count = MLS_MAX_COMMIT_PROPOSALS + 1};
    assert_err(group_commit(c[1].group, &c[1].client, &options, &out), WIRE_LIMIT);
    /* a group of another shape than group.h allows */
    struct mls_group_config configs[] = {w.config, w.config, w.config, w.config};
    configs[0].padding_block = MLS_PADDING_MAX + 1;
    configs[1].past_epochs = MLS_PAST_EPOCHS_MAX + 1;
    configs[2].resumptions = MLS_RESUMPTIONS_MAX + 1;
    configs[3].resumptions = 0;
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++)
        assert_err(group_create(&c[0].client, w.suite, &configs[i], bytes_str("id"), NULL,
                                &c[0].profile, &g),
                   ARGUMENT);
    assert_null(g);
    world_clear(&w);
}

/* RFC 9420 12.4.3.2: an external join by what does not fit, and by who does not trust a member. */
static void external_joins(void **state)
{
    (void)state;
    struct buf info = BUF_INIT, commit = BUF_INIT, bare = BUF_INIT;
    struct mls_group *g = NULL;
    struct sig_key ecdsa;
    struct psk_id psk = {.type = PSK_EXTERNAL, .id = bytes_str("psk")};
    world_init(&w, &suite_table[0], 44, true);
    world_grow(&w, 2);
    struct world_client *c = world_client_new(&w);
    struct world_client *helper = &w.clients[0];
    struct mls_client client = c->client;
    assert_ok(group_make_info(helper->group, &helper->client,
                              (struct group_info_options){true, true}, &info));
    assert_ok(group_make_info(helper->group, &helper->client,
                              (struct group_info_options){true, false}, &bare));
    struct external_join join = {.group_info = buf_view(&bare)};
    assert_err(group_join_external(&client, &w.config, &join, &c->profile, &commit, &g),
               MLS_EXTERNAL_PUB_MISSING);
    struct key_package_bundle bundle;
    struct buf package = BUF_INIT; /* well formed, and not a GroupInfo */
    wire_write_u16(&package, MLS_VERSION_MLS10);
    wire_write_u16(&package, WIRE_FORMAT_KEY_PACKAGE);
    wire_write_fixed(&package, world_key_package(&w, c, &bundle));
    join.group_info = buf_view(&package);
    assert_err(group_join_external(&client, &w.config, &join, &c->profile, &commit, &g),
               MLS_WIRE_FORMAT);
    join.group_info = buf_view(&info);
    join.group_info.len--;
    assert_false(
        err_is_ok(group_join_external(&client, &w.config, &join, &c->profile, &commit, &g)));
    join.group_info = buf_view(&info);
    join.psks = &psk;
    join.psk_count = MLS_MAX_PSKS + 1;
    assert_err(group_join_external(&client, &w.config, &join, &c->profile, &commit, &g),
               WIRE_LIMIT);
    join.psk_count = 0;
    assert_ok(sig_key_generate(suite_table[1].sig, &w.rng, &ecdsa));
    client.signer = &ecdsa;
    assert_err(group_join_external(&client, &w.config, &join, &c->profile, &commit, &g),
               MLS_SIGNER);
    client.signer = NULL;
    assert_err(group_join_external(&client, &w.config, &join, &c->profile, &commit, &g),
               MLS_SIGNER);
    client = c->client;
    w.refuse_credentials = true;
    assert_err(group_join_external(&client, &w.config, &join, &c->profile, &commit, &g),
               MLS_CREDENTIAL_REFUSED);
    w.refuse_credentials = false;
    assert_null(g);
    assert_int_equal(commit.len, 0);
    assert_ok(group_join_external(&client, &w.config, &join, &c->profile, &commit, &c->group));
    world_deliver_commit(&w, c, buf_view(&commit));
    world_check(&w);
    sig_key_clear(&ecdsa);
    key_package_bundle_clear(&bundle);
    buf_clear(&package);
    buf_clear(&commit);
    buf_clear(&info);
    buf_clear(&bare);
    world_clear(&w);
}

static struct key_package_bundle bundle;
static struct commit_output out;
static struct digest ref;

/* A commit with a Welcome for one who is not there yet, in a suite where every allocation that
 * fails is ours. */
static struct world_client *welcome_one(uint64_t seed)
{
    world_init(&w, &suite_table[2], seed, true);
    world_grow(&w, 2);
    struct world_client *c = world_client_new(&w);
    struct bytes add = world_add(&w, world_key_package(&w, c, &bundle));
    assert_ok(key_package_ref(buf_view(&bundle.key_package), &ref));
    world_commit(&w, &w.clients[0],
                 &(struct commit_options){.proposals = &add, .proposal_count = 1}, &out);
    return c;
}

static void welcome_done(void)
{
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
    world_clear(&w);
}

/* What is no Welcome, or none for us, says nothing: not to who looks, not to who splits. */
static void welcomes_for_others(void **state)
{
    (void)state;
    struct welcome_news news = {.epoch = 77};
    struct key_package_bundle others;
    struct buf piece = BUF_INIT;
    struct digest others_ref;
    struct world_client *c = welcome_one(45);
    (void)world_key_package(&w, c, &others);
    assert_ok(key_package_ref(buf_view(&others.key_package), &others_ref));
    struct bytes welcome = buf_view(&out.welcome);
    struct bytes commit = buf_view(&out.commit);
    struct bytes us = digest_view(&ref), them = digest_view(&others_ref);
    assert_true(welcome_has(welcome, us));
    assert_false(welcome_has(welcome, them));
    assert_false(welcome_has(commit, us));
    assert_err(welcome_split(welcome, them, &piece), MLS_WELCOME_NOT_FOR_US);
    assert_err(welcome_split(commit, us, &piece), MLS_WIRE_FORMAT);
    assert_int_equal(piece.len, 0);
    assert_err(welcome_peek(&c->client, &others, welcome, NULL, &news), MLS_WELCOME_NOT_FOR_US);
    assert_err(welcome_peek(&c->client, &bundle, commit, NULL, &news), MLS_WIRE_FORMAT);
    others.init_key = bundle.init_key; /* the right key, for another KeyPackage */
    assert_err(welcome_peek(&c->client, &others, welcome, NULL, &news), MLS_WELCOME_NOT_FOR_US);
    out.welcome.data[out.welcome.len - 1] ^= 1; /* the tag over the GroupInfo */
    assert_err(welcome_peek(&c->client, &bundle, welcome, NULL, &news), MLS_WELCOME_SECRETS);
    assert_true(news.epoch == 77 && news.group_id.len == 0 && news.extensions.len == 0);
    key_package_bundle_clear(&others);
    welcome_done();
}

/* Each allocation of a look, and of a split, fails once: NO_MEMORY, nothing handed out, nothing
 * left behind; and then it goes well. */
static void welcomes_without_memory(void **state)
{
    (void)state;
    struct welcome_news news = {.epoch = 77};
    struct buf piece = BUF_INIT;
    if (!test_can_fail_allocations())
        skip();
    struct world_client *c = welcome_one(46);
    struct bytes welcome = buf_view(&out.welcome);
    for (int what = 0; what < 2; what++) {
        struct err err;
        long live = test_live_allocations();
        for (long n = 0;; n++) {
            test_fail_allocation(n);
            err = what == 0 ? welcome_peek(&c->client, &bundle, welcome, NULL, &news)
                            : welcome_split(welcome, digest_view(&ref), &piece);
            bool failed = test_allocation_failed();
            test_fail_allocation(-1);
            if (!failed)
                break;
            assert_err(err, NO_MEMORY);
            assert_int_equal(test_live_allocations(), live);
            assert_int_equal(news.group_id.len + news.extensions.len + piece.len, 0);
        }
        assert_ok(err);
        if (what == 0)
            assert_int_equal(news.epoch, public_group_epoch(&w.server));
        welcome_news_clear(&news);
    }
    world_join(&w, c, &bundle, buf_view(&piece), bytes_of(NULL, 0)); /* the piece is enough */
    world_check(&w);
    buf_clear(&piece);
    welcome_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signers),
        cmocka_unit_test(removed),
        cmocka_unit_test(external_senders_are_asked_about),
        cmocka_unit_test(too_many),
        cmocka_unit_test(external_joins),
        cmocka_unit_test(welcomes_for_others),
        cmocka_unit_test(welcomes_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
