/* What is sealed to one's leaf, and the GroupInfo of a commit that is pending. */
#include "crypto/labelled.h"
#include "mls/member/group_state.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;

static const char text[] = "for your eyes only";
enum { TEXT_BYTES = sizeof text, SEALED_BYTES = sizeof text + AEAD_TAG_BYTES };

struct sealed {
    struct public_key enc;
    uint8_t ciphertext[SEALED_BYTES];
};

static struct sealed seal_to(struct bytes encryption_key)
{
    struct sealed s;
    assert_ok(labelled_encrypt(&w.suite->hpke, &w.rng, encryption_key, LABEL_HEARTH,
                               bytes_str("Test"), bytes_str("context"), bytes_of(text, TEXT_BYTES),
                               &s.enc, s.ciphertext));
    return s;
}

static struct sealed seal_to_leaf(const struct world_client *from, const struct world_client *to)
{
    struct leaf_node leaf;
    assert_true(public_group_leaf(group_public(from->group), group_own_leaf(to->group), &leaf));
    return seal_to(leaf.encryption_key);
}

static struct err open_as(const struct mls_group *g, const struct sealed *s, const char *context)
{
    uint8_t plaintext[TEXT_BYTES];
    struct err err = group_leaf_decrypt(g, LABEL_HEARTH, bytes_str("Test"), bytes_str(context),
                                        public_key_view(&s->enc),
                                        bytes_of(s->ciphertext, SEALED_BYTES), plaintext);
    if (err_is_ok(err))
        assert_memory_equal(plaintext, text, TEXT_BYTES);
    return err;
}

static struct err open_sealed(const struct world_client *c, const struct sealed *s)
{
    return open_as(c->group, s, "context");
}

static void before_and_after(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        struct commit_output out;
        world_init(&w, &suite_table[i], i, true);
        world_grow(&w, 3);
        struct world_client *a = &w.clients[0], *b = &w.clients[1];
        struct sealed s = seal_to_leaf(a, b);
        assert_ok(open_sealed(b, &s));
        assert_err(open_sealed(a, &s), CRYPTO_TAG);
        assert_err(open_as(b->group, &s, "another"), CRYPTO_TAG);
        /* somebody else's commit leaves our key alone */
        world_commit(&w, a, &(struct commit_options){.force_path = true}, &out);
        commit_output_clear(&out);
        assert_ok(open_sealed(b, &s));
        world_reload(&w, b);
        assert_ok(open_sealed(b, &s));
        /* ours does not: while it is pending both open, then the new one alone */
        assert_ok(
            group_commit(b->group, &b->client, &(struct commit_options){.force_path = true}, &out));
        struct leaf_node leaf;
        assert_true(tree_diff_leaf(&group_pending(b->group)->diff, 1, &leaf));
        struct sealed next = seal_to(leaf.encryption_key);
        assert_ok(open_sealed(b, &s));
        assert_ok(open_sealed(b, &next));
        world_reload(&w, b);
        assert_ok(open_sealed(b, &next));
        world_deliver_commit(&w, b, buf_view(&out.commit));
        assert_err(open_sealed(b, &s), CRYPTO_TAG);
        assert_ok(open_sealed(b, &next));
        commit_output_clear(&out);
        world_clear(&w);
    }
}

/* Where the keys of past epochs are kept, they open until their epoch is forgotten. */
static void past_keys(void **state)
{
    (void)state;
    struct commit_output out;
    world_init(&w, suite_find(1), 5, true);
    w.config.past_leaf_keys = true;
    w.config.past_epochs = 2;
    world_grow(&w, 3);
    struct world_client *a = &w.clients[0], *b = &w.clients[1];
    struct sealed first = seal_to_leaf(a, b);
    world_commit(&w, b, &(struct commit_options){.force_path = true}, &out);
    commit_output_clear(&out);
    struct sealed second = seal_to_leaf(a, b);
    assert_ok(open_sealed(b, &first));
    world_reload(&w, b);
    assert_ok(open_sealed(b, &first));
    assert_ok(open_sealed(b, &second));
    world_commit(&w, a, &(struct commit_options){.force_path = true}, &out);
    commit_output_clear(&out);
    assert_ok(open_sealed(b, &first));
    world_commit(&w, b, &(struct commit_options){.force_path = true}, &out);
    commit_output_clear(&out);
    assert_err(open_sealed(b, &first), CRYPTO_TAG); /* its epoch is the third before */
    assert_ok(open_sealed(b, &second));
    world_clear(&w);
}

/* A commit that covers our Updates and can't be processed: what is sealed to the leaf that it made
 * opens all the same. */
static void updates(void **state)
{
    (void)state;
    struct buf m = BUF_INIT;
    struct commit_output out;
    struct leaf_node leaf;
    world_init(&w, suite_find(1), 3, true);
    world_grow(&w, 3);
    struct world_client *a = &w.clients[0], *b = &w.clients[1];
    struct sealed old = seal_to_leaf(a, b);
    for (int n = 0; n < 2; n++) {
        assert_ok(
            group_propose_update(b->group, &b->client, NULL, NULL, bytes_of(NULL, 0), &m, NULL));
        world_deliver_proposal(&w, b, buf_view(&m));
        buf_clear(&m);
    }
    assert_ok(group_commit(a->group, &a->client, &(struct commit_options){0}, &out));
    assert_true(tree_diff_leaf(&group_pending(a->group)->diff, 1, &leaf));
    struct sealed next = seal_to(leaf.encryption_key);
    assert_ok(open_sealed(b, &old));
    assert_ok(open_sealed(b, &next));
    world_reload(&w, b);
    assert_ok(open_sealed(b, &next));
    world_deliver_commit(&w, a, buf_view(&out.commit));
    assert_ok(open_sealed(b, &next));
    assert_err(open_sealed(b, &old), CRYPTO_TAG);
    commit_output_clear(&out);
    world_clear(&w);
}

static void outside(void **state)
{
    (void)state;
    struct mls_received received;
    struct commit_output out;
    uint8_t plaintext[TEXT_BYTES];
    world_init(&w, suite_find(1), 4, true);
    world_grow(&w, 3);
    struct world_client *a = &w.clients[0], *b = &w.clients[1];
    struct sealed s = seal_to_leaf(a, b);
    assert_err(group_leaf_decrypt(b->group, LABEL_HEARTH, bytes_str("Test"), bytes_str("context"),
                                  bytes_str("short"), bytes_of(s.ciphertext, SEALED_BYTES),
                                  plaintext),
               CRYPTO_KEY_LENGTH);
    assert_err(group_leaf_decrypt(b->group, LABEL_HEARTH, bytes_str("Test"), bytes_str("context"),
                                  public_key_view(&s.enc), bytes_of(s.ciphertext, 3), plaintext),
               CRYPTO_TAG);
    struct bytes removal = world_remove(&w, group_own_leaf(b->group));
    assert_ok(group_commit(a->group, &a->client,
                           &(struct commit_options){.proposals = &removal, .proposal_count = 1},
                           &out));
    assert_ok(group_process(b->group, &b->client, buf_view(&out.commit), &received));
    assert_ok(group_merge(b->group, &received.staged));
    assert_err(open_sealed(b, &s), MLS_GROUP_INACTIVE);
    mls_received_clear(&received);
    commit_output_clear(&out);
    world_clear(&w);
}

/* ---- GroupInfo */

static const struct group_info_options with_tree = {true, true}, without_tree = {false, true};

/* The server takes it for that of the epoch, and so does one who joins by it. */
static void check_info(const struct buf *info, const struct staged_commit *s)
{
    struct arena a;
    struct mls_message m;
    struct bytes data;
    arena_init(&a, 1 << 20);
    assert_ok(mls_message_parse(buf_view(info), &a, &m));
    assert_int_equal(m.wire_format, WIRE_FORMAT_GROUP_INFO);
    assert_true(extensions_find(&m.group_info.extensions, EXTENSION_EXTERNAL_PUB, &data));
    assert_ok(staged_commit_check_info(s, &m.group_info));
    arena_clear(&a);
}

static void info_of_external(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        struct buf now = BUF_INIT, commit = BUF_INIT, next = BUF_INIT, tree = BUF_INIT;
        struct mls_policy policy = mls_policy_at(WORLD_NOW);
        struct staged_commit *staged;
        world_init(&w, &suite_table[i], 5, true);
        world_grow(&w, 3);
        struct world_client *helper = &w.clients[0], *c = world_client_new(&w);
        assert_ok(group_make_info(helper->group, &helper->client, with_tree, &now));
        struct external_join join = {.group_info = buf_view(&now)};
        assert_ok(
            group_join_external(&c->client, &w.config, &join, &c->profile, &commit, &c->group));
        world_reload(&w, c); /* what a restart leaves is enough */
        assert_ok(group_make_pending_info(c->group, &c->client, without_tree, &next));
        assert_ok(public_group_process(&w.server, buf_view(&commit), &policy, &staged));
        check_info(&next, staged);
        staged_commit_free(&staged);
        world_deliver_commit(&w, c, buf_view(&commit));
        assert_err(group_make_pending_info(c->group, &c->client, without_tree, &tree), WRONG_STATE);
        /* and the next one joins by it */
        struct world_client *d = world_client_new(&w);
        struct buf second = BUF_INIT;
        assert_ok(group_ratchet_tree(c->group, &tree));
        join =
            (struct external_join){.group_info = buf_view(&next), .ratchet_tree = buf_view(&tree)};
        assert_ok(
            group_join_external(&d->client, &w.config, &join, &d->profile, &second, &d->group));
        world_deliver_commit(&w, d, buf_view(&second));
        world_check(&w);
        buf_clear(&now);
        buf_clear(&commit);
        buf_clear(&next);
        buf_clear(&second);
        buf_clear(&tree);
        world_clear(&w);
    }
}

/* Of a regular commit it is what group_commit gave. */
static void info_of_commit(void **state)
{
    (void)state;
    for (int tree = 0; tree < 2; tree++) {
        struct commit_output out;
        struct buf info = BUF_INIT;
        struct sig_key other;
        world_init(&w, suite_find(1), 6, true); /* Ed25519: one signature for one text */
        world_grow(&w, 3);
        struct world_client *c = &w.clients[1];
        assert_err(group_make_pending_info(c->group, &c->client, with_tree, &info), WRONG_STATE);
        struct commit_options options = {
            .force_path = true, .tree_beside = tree == 0, .external_pub = true};
        assert_ok(group_commit(c->group, &c->client, &options, &out));
        assert_ok(group_make_pending_info(c->group, &c->client,
                                          (struct group_info_options){tree == 1, true}, &info));
        test_assert_bytes(buf_view(&info), buf_view(&out.group_info));
        struct mls_client stranger = c->client;
        assert_ok(sig_key_generate(w.suite->sig, &w.rng, &other));
        stranger.signer = &other;
        buf_clear(&info);
        assert_err(group_make_pending_info(c->group, &stranger, with_tree, &info), MLS_SIGNER);
        stranger.signer = NULL;
        assert_err(group_make_pending_info(c->group, &stranger, with_tree, &info), MLS_SIGNER);
        /* a commit with a new signature key: signed by that */
        commit_output_clear(&out);
        options.new_signer = &other;
        assert_ok(group_commit(c->group, &c->client, &options, &out));
        assert_err(group_make_pending_info(c->group, &c->client, with_tree, &info), MLS_SIGNER);
        stranger.signer = &other;
        assert_ok(group_make_pending_info(c->group, &stranger, without_tree, &info));
        check_info(&info, group_pending(c->group));
        buf_clear(&info);
        commit_output_clear(&out);
        sig_key_clear(&other);
        world_clear(&w);
    }
}

/* Only who has a secret may come in from outside: a member asks the commit for it. */
static void psk_asked_for(void **state)
{
    (void)state;
    struct buf now = BUF_INIT, commit = BUF_INIT;
    world_init(&w, suite_find(1), 7, true);
    world_grow(&w, 2);
    struct world_client *helper = &w.clients[0];
    const struct psk_id ids[] = {{.type = PSK_EXTERNAL, .id = bytes_str("other")},
                                 {.type = PSK_EXTERNAL, .id = bytes_str("offer")}};
    for (size_t count = 0; count <= 2; count++) {
        struct world_client *c = world_client_new(&w);
        struct mls_received received;
        assert_ok(group_make_info(helper->group, &helper->client, with_tree, &now));
        struct external_join join = {.group_info = buf_view(&now), .psks = ids, .psk_count = count};
        assert_ok(
            group_join_external(&c->client, &w.config, &join, &c->profile, &commit, &c->group));
        assert_ok(group_process(helper->group, &helper->client, buf_view(&commit), &received));
        const struct staged_commit *s = mls_staged_view(received.staged);
        assert_int_equal(staged_commit_has_psk(s, bytes_str("offer")), count == 2);
        assert_int_equal(staged_commit_has_psk(s, bytes_str("other")), count >= 1);
        assert_false(staged_commit_has_psk(s, bytes_str("offe")));
        mls_received_clear(&received);
        group_free(c->group);
        c->group = NULL;
        buf_clear(&now);
        buf_clear(&commit);
    }
    /* a resumption PSK is another kind, whatever it is called */
    struct commit_output out;
    struct bytes psk = world_resumption(&w, helper->group, group_epoch(helper->group));
    assert_ok(group_commit(helper->group, &helper->client,
                           &(struct commit_options){.proposals = &psk, .proposal_count = 1}, &out));
    assert_false(staged_commit_has_psk(group_pending(helper->group), bytes_of(NULL, 0)));
    commit_output_clear(&out);
    world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_and_after), cmocka_unit_test(past_keys),
        cmocka_unit_test(updates),          cmocka_unit_test(outside),
        cmocka_unit_test(info_of_external), cmocka_unit_test(info_of_commit),
        cmocka_unit_test(psk_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
