/* Welcomes damaged, and Welcomes that a committer of ours made wrongly and sealed well. */
#include "crypto/labelled.h"
#include "mls/member/commit_build.h"
#include "mls/member/welcome_open.h"
#include "mls/member/welcome_protection.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;

/* What a Welcome told one joiner, sealed again for a KeyPackage of the caller's choice. */
static void seal_again(const struct welcome_opened *opened, struct bytes group_info,
                       struct bytes key_package, struct buf *ret_message)
{
    struct buf secrets = BUF_INIT;
    struct buf sealed = BUF_INIT;
    struct buf entry = BUF_INIT;
    struct digest ref;
    struct secret welcome_secret;
    struct key_package kp;
    assert_ok(key_package_parse(key_package, &kp));
    assert_ok(key_package_ref(key_package, &ref));
    group_secrets_write(&secrets, &opened->secrets);
    assert_ok(key_schedule_welcome(w.suite, &opened->joiner, &opened->psk, &welcome_secret));
    assert_ok(welcome_seal_group_info(w.suite, &welcome_secret, group_info, &sealed));
    assert_ok(welcome_seal_secrets(w.suite, &w.rng, digest_view(&ref), kp.init_key,
                                   buf_view(&secrets), buf_view(&sealed), &entry));
    mls_message_write(ret_message, &(struct mls_message){.wire_format = WIRE_FORMAT_WELCOME,
                                                         .welcome = {w.suite->id, buf_view(&entry),
                                                                     1, buf_view(&sealed)}});
    buf_clear(&secrets);
    buf_clear(&sealed);
    buf_clear(&entry);
}

/* Each bit of a Welcome matters to the joiner. */
static void damaged_welcome(void **state)
{
    (void)state;
    struct key_package_bundle bundle;
    struct commit_output out;
    struct mls_group *g;
    world_init(&w, &suite_table[0], 11, true);
    world_grow(&w, 2);
    struct world_client *c = world_client_new(&w);
    struct bytes add = world_add(&w, world_key_package(&w, c, &bundle));
    struct commit_options options = {
        .proposals = &add, .proposal_count = 1, .force_path = true, .tree_beside = true};
    world_commit(&w, &w.clients[0], &options, &out);
    struct buf tree = BUF_INIT;
    assert_ok(group_ratchet_tree(w.clients[0].group, &tree));
    for (size_t i = 0; i < out.welcome.len; i++) {
        out.welcome.data[i] ^= (uint8_t)(1 << i % 8);
        assert_false(err_is_ok(group_join(&c->client, &w.config, &bundle, buf_view(&out.welcome),
                                          buf_view(&tree), NULL, &g)));
        out.welcome.data[i] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < tree.len; i++) {
        tree.data[i] ^= (uint8_t)(1 << i % 8);
        assert_false(err_is_ok(group_join(&c->client, &w.config, &bundle, buf_view(&out.welcome),
                                          buf_view(&tree), NULL, &g)));
        tree.data[i] ^= (uint8_t)(1 << i % 8);
    }
    assert_err(group_join(&c->client, &w.config, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0),
                          NULL, &g),
               MLS_TREE_MISSING);
    world_join(&w, c, &bundle, buf_view(&out.welcome), buf_view(&tree));
    world_check(&w);
    buf_clear(&tree);
    key_package_bundle_clear(&bundle);
    commit_output_clear(&out);
    world_clear(&w);
}

/* RFC 9420 12.4.3.1: a Welcome, good in all else, for who was not added: someone else's, and the
 * same client's other KeyPackage. */
static void welcome_without_our_leaf(void **state)
{
    (void)state;
    struct key_package_bundle added;
    struct key_package_bundle others[2];
    struct commit_output out;
    struct welcome_opened opened;
    struct mls_group *g;
    world_init(&w, &suite_table[0], 15, true);
    world_grow(&w, 2);
    struct world_client *c = world_client_new(&w);
    struct world_client *d = world_client_new(&w);
    struct world_client *who[] = {d, c};
    struct bytes add = world_add(&w, world_key_package(&w, c, &added));
    for (int i = 0; i < 2; i++)
        (void)world_key_package(&w, who[i], &others[i]);
    struct commit_options options = {.proposals = &add, .proposal_count = 1};
    world_commit(&w, &w.clients[0], &options, &out);
    assert_ok(welcome_open(&c->client, &added, NULL, buf_view(&out.welcome), &opened));
    struct buf info = BUF_INIT;
    group_info_write(&info, &opened.info);
    for (int i = 0; i < 3; i++) {
        const struct key_package_bundle *bundle = i < 2 ? &others[i] : &added;
        struct buf m = BUF_INIT;
        seal_again(&opened, buf_view(&info), buf_view(&bundle->key_package), &m);
        struct err err = group_join(i < 2 ? &who[i]->client : &c->client, &w.config, bundle,
                                    buf_view(&m), bytes_of(NULL, 0), NULL, &g);
        if (i < 2)
            assert_err(err, MLS_WELCOME_LEAF);
        else
            assert_ok(err); /* what was sealed again is else good */
        buf_clear(&m);
    }
    group_free(g);
    buf_clear(&info);
    welcome_opened_clear(&opened);
    commit_output_clear(&out);
    key_package_bundle_clear(&added);
    for (int i = 0; i < 2; i++)
        key_package_bundle_clear(&others[i]);
    world_clear(&w);
}

static struct bytes sign(const struct sig_key *key, const char *label, struct buf *tbs)
{
    struct signature signature;
    struct buf b = BUF_INIT;
    assert_ok(buf_check(tbs));
    assert_ok(labelled_sign(key, LABEL_MLS, bytes_str(label), buf_view(tbs), &signature));
    buf_clear(tbs);
    buf_append_bytes(&b, signature_view(&signature));
    return world_take(&w, &b);
}

/* RFC 9420 12.4.3.1: the leaf is identical to that of the KeyPackage. A committer can put the
 * joiner's keys and name beside a signature key of its own; the Welcome then opens, and every tag
 * is right. */
static void welcome_with_another_leaf(void **state)
{
    (void)state;
    struct key_package_bundle bundle, forged;
    struct commit_output out;
    struct welcome_opened opened;
    struct mls_group *g;
    struct key_package kp;
    struct buf b = BUF_INIT, info = BUF_INIT, m = BUF_INIT;
    world_init(&w, &suite_table[0], 16, true);
    world_grow(&w, 2);
    struct world_client *c = world_client_new(&w);
    struct world_client *attacker = world_client_new(&w);
    assert_ok(key_package_parse(world_key_package(&w, c, &bundle), &kp));
    kp.leaf_node.signature_key = public_key_view(&attacker->key.public_key);
    kp.leaf_node.raw_tbs = bytes_of(NULL, 0);
    leaf_node_write_tbs(&b, &kp.leaf_node, bytes_of(NULL, 0), 0);
    kp.leaf_node.signature = sign(&attacker->key, "LeafNodeTBS", &b);
    kp.leaf_node.raw = bytes_of(NULL, 0);
    kp.raw_tbs = bytes_of(NULL, 0);
    key_package_write_tbs(&b, &kp);
    kp.signature = sign(&attacker->key, "KeyPackageTBS", &b);
    kp.raw = bytes_of(NULL, 0);
    forged = bundle; /* the private keys fit; only what is said about them is another's */
    forged.key_package = BUF_INIT;
    key_package_write(&forged.key_package, &kp);
    struct bytes add = world_add(&w, buf_view(&forged.key_package));
    world_commit(&w, &w.clients[0],
                 &(struct commit_options){.proposals = &add, .proposal_count = 1}, &out);
    assert_ok(welcome_open(&c->client, &forged, NULL, buf_view(&out.welcome), &opened));
    group_info_write(&info, &opened.info);
    seal_again(&opened, buf_view(&info), buf_view(&bundle.key_package), &m);
    assert_err(
        group_join(&c->client, &w.config, &bundle, buf_view(&m), bytes_of(NULL, 0), NULL, &g),
        MLS_WELCOME_LEAF);
    buf_clear(&m);
    buf_clear(&info);
    welcome_opened_clear(&opened);
    commit_output_clear(&out);
    key_package_bundle_clear(&forged);
    key_package_bundle_clear(&bundle);
    world_clear(&w);
}

/* RFC 9420 12.1.4, 12.4.3.1: GroupSecrets that a hostile committer of ours sealed. */
static void forged_group_secrets(void **state)
{
    (void)state;
    struct key_package_bundle bundle;
    struct commit_output out;
    struct welcome_opened opened;
    struct mls_group *g;
    world_init(&w, &suite_table[0], 16, true);
    world_grow(&w, 2);
    struct world_client *c = world_client_new(&w);
    struct bytes add = world_add(&w, world_key_package(&w, c, &bundle));
    struct commit_options options = {.proposals = &add, .proposal_count = 1};
    world_commit(&w, &w.clients[0], &options, &out);
    assert_ok(welcome_open(&c->client, &bundle, NULL, buf_view(&out.welcome), &opened));
    const uint8_t nonce[HASH_MAX_BYTES] = {0};
    struct bytes right = bytes_of(nonce, w.suite->hash->bytes);
    struct psk_id good = {.type = PSK_EXTERNAL, .id = bytes_str("x"), .nonce = right};
    struct psk_id short_nonce = good;
    struct psk_id unknown = good;
    struct psk_id reinit = {
        .type = PSK_RESUMPTION, .usage = PSK_USAGE_REINIT, .group_id = good.id, .nonce = right};
    struct psk_id branch = reinit;
    short_nonce.nonce.len--;
    unknown.id = bytes_str("?");
    branch.usage = PSK_USAGE_BRANCH;
    struct {
        const struct psk_id *psks[2];
        size_t secret_cut; /* bytes that the joiner secret is short of */
        enum err_code want;
    } cases[] = {
        {{&short_nonce}, 0, ERR_MLS_PSK_NONCE}, {{&good, &short_nonce}, 0, ERR_MLS_PSK_NONCE},
        {{&good, &good}, 0, ERR_MLS_PSK_TWICE}, {{&unknown}, 0, ERR_MLS_PSK_UNKNOWN},
        {{&reinit}, 0, ERR_MLS_WELCOME_PSK},    {{&branch, &good}, 0, ERR_MLS_WELCOME_PSK},
        {{&good}, 0, ERR_MLS_WELCOME_SECRETS}, /* the GroupInfo is under another key then */
        {{NULL}, 1, ERR_MLS_WELCOME_SECRETS},
    };
    struct buf info = BUF_INIT;
    group_info_write(&info, &opened.info);
    const struct group_secrets real = opened.secrets;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf psks = BUF_INIT;
        struct buf m = BUF_INIT;
        opened.secrets = real;
        for (; opened.secrets.psk_count < 2 && cases[i].psks[opened.secrets.psk_count] != NULL;
             opened.secrets.psk_count++)
            psk_id_write(&psks, cases[i].psks[opened.secrets.psk_count]);
        opened.secrets.psks = buf_view(&psks);
        opened.secrets.joiner_secret.len -= cases[i].secret_cut;
        seal_again(&opened, buf_view(&info), buf_view(&bundle.key_package), &m);
        struct err err =
            group_join(&c->client, &w.config, &bundle, buf_view(&m), bytes_of(NULL, 0), NULL, &g);
        assert_string_equal(err_name(err), err_name((struct err){cases[i].want}));
        buf_clear(&psks);
        buf_clear(&m);
    }
    buf_clear(&info);
    welcome_opened_clear(&opened);
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
    world_clear(&w);
}

/* RFC 9420 12.4.3.1: a GroupInfo with another confirmation tag, rightly signed and sealed. */
static void forged_group_info(void **state)
{
    (void)state;
    struct key_package_bundle bundle;
    struct commit_output out;
    struct welcome_opened opened;
    struct mls_group *g;
    struct buf info = BUF_INIT;
    struct buf m = BUF_INIT;
    struct bytes tree;
    uint8_t tag[HASH_MAX_BYTES];
    world_init(&w, &suite_table[0], 14, true);
    world_grow(&w, 2);
    struct world_client *c = world_client_new(&w);
    struct bytes add = world_add(&w, world_key_package(&w, c, &bundle));
    struct commit_options options = {.proposals = &add, .proposal_count = 1};
    world_commit(&w, &w.clients[0], &options, &out);
    assert_ok(welcome_open(&c->client, &bundle, NULL, buf_view(&out.welcome), &opened));
    assert_true(extensions_find(&opened.info.extensions, EXTENSION_RATCHET_TREE, &tree));
    for (size_t i = 0; i <= opened.info.confirmation_tag.len; i++) {
        /* the last time with the right tag, to show that the forgery is else good */
        size_t len = opened.info.confirmation_tag.len;
        memcpy(tag, opened.info.confirmation_tag.data, len);
        if (i < len)
            tag[i] ^= 0x80;
        assert_ok(group_info_sign(&w.clients[0].key, w.suite, &opened.info.group_context,
                                  bytes_of(tag, len), opened.info.signer, tree, NULL,
                                  (struct bytes){0}, &info));
        seal_again(&opened, buf_view(&info), buf_view(&bundle.key_package), &m);
        struct err err =
            group_join(&c->client, &w.config, &bundle, buf_view(&m), bytes_of(NULL, 0), NULL, &g);
        if (i < len)
            assert_err(err, MLS_CONFIRMATION_TAG);
        else
            assert_ok(err);
        buf_clear(&info);
        buf_clear(&m);
    }
    group_free(g);
    welcome_opened_clear(&opened);
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
    world_clear(&w);
}

/* What joiners alone are told lies in the Welcome's GroupInfo and not in the one for everybody;
 * both are signed, and a joiner reads it before it has the tree. */
static void extensions_for_joiners(void **state)
{
    (void)state;
    enum { TYPE = 0xF1E9 };
    struct key_package_bundle bundle;
    struct commit_output out;
    struct welcome_news news;
    struct bytes data;
    struct buf told = BUF_INIT, tree = BUF_INIT, wrong = BUF_INIT;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct mls_message message;
    world_init(&w, &suite_table[0], 12, true);
    world_grow(&w, 2);
    struct world_client *c = world_client_new(&w);
    struct bytes add = world_add(&w, world_key_package(&w, c, &bundle));
    extension_write(&told, TYPE, bytes_str("for joiners"));
    struct commit_options options = {.proposals = &add,
                                     .proposal_count = 1,
                                     .external_pub = true,
                                     .tree_beside = true,
                                     .welcome_extensions = buf_view(&told)};
    world_commit(&w, &w.clients[0], &options, &out);
    assert_ok(group_ratchet_tree(w.clients[0].group, &tree));
    assert_ok(welcome_peek(&c->client, &bundle, buf_view(&out.welcome), NULL, &news));
    assert_int_equal(news.epoch, public_group_epoch(&w.server));
    assert_true(bytes_equal(buf_view(&news.group_id), w.server.context.group_id));
    assert_true(extensions_find(&(struct extensions){buf_view(&news.extensions)}, TYPE, &data));
    assert_true(bytes_equal(data, bytes_str("for joiners")));
    assert_ok(mls_message_parse(buf_view(&out.group_info), &arena, &message));
    assert_false(extensions_find(&message.group_info.extensions, TYPE, &data));
    assert_ok(public_group_check_info(&w.server, &message.group_info));
    world_join(&w, c, &bundle, buf_view(&out.welcome), buf_view(&tree));
    world_check(&w);
    welcome_news_clear(&news);
    commit_output_clear(&out);
    /* not the caller's to give, twice, cut short */
    extension_write(&wrong, EXTENSION_RATCHET_TREE, bytes_str(""));
    options = (struct commit_options){.force_path = true, .welcome_extensions = buf_view(&wrong)};
    assert_err(group_commit(w.clients[0].group, &w.clients[0].client, &options, &out), ARGUMENT);
    buf_clear(&wrong);
    buf_append_bytes(&wrong, buf_view(&told));
    buf_append_bytes(&wrong, buf_view(&told));
    options.welcome_extensions = buf_view(&wrong);
    assert_err(group_commit(w.clients[0].group, &w.clients[0].client, &options, &out), ARGUMENT);
    options.welcome_extensions.len--;
    assert_false(err_is_ok(group_commit(w.clients[0].group, &w.clients[0].client, &options, &out)));
    key_package_bundle_clear(&bundle);
    buf_clear(&told);
    buf_clear(&tree);
    buf_clear(&wrong);
    arena_clear(&arena);
    world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extensions_for_joiners),   cmocka_unit_test(damaged_welcome),
        cmocka_unit_test(welcome_without_our_leaf), cmocka_unit_test(welcome_with_another_leaf),
        cmocka_unit_test(forged_group_secrets),     cmocka_unit_test(forged_group_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
