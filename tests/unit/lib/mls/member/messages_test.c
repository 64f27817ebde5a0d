/* Messages late, lost, replayed, damaged, of epochs gone by, with wrong tags and foreign hands. */
#include "mls/member/commit_build.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;
static struct mls_received received;

static struct err receive(struct world_client *c, const struct buf *message)
{
    return group_process(c->group, &c->client, buf_view(message), &received);
}

static void read_text(struct world_client *c, const struct buf *message, const char *text)
{
    assert_ok(receive(c, message));
    assert_int_equal(received.type, MLS_RECEIVED_APPLICATION);
    test_assert_bytes(received.application_data, bytes_str(text));
    mls_received_clear(&received);
}

static struct buf send_text(struct world_client *c, const char *text)
{
    struct buf message = BUF_INIT;
    assert_ok(group_protect(c->group, &c->client, bytes_str(text), bytes_of(NULL, 0), &message));
    return message;
}

static void next_epoch(struct world_client *from)
{
    struct commit_output out;
    world_commit(&w, from, &(struct commit_options){0}, &out);
    commit_output_clear(&out);
}

static void out_of_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        struct buf m[5];
        world_init(&w, &suite_table[i], i, true);
        world_grow(&w, 2);
        struct world_client *a = &w.clients[0];
        struct world_client *b = &w.clients[1];
        static const char *const text[] = {"0", "1", "2", "3", "4"};
        for (size_t k = 0; k < 5; k++)
            m[k] = send_text(a, text[k]);
        read_text(b, &m[3], "3");
        read_text(b, &m[0], "0");
        assert_err(receive(b, &m[3]), MLS_GENERATION_USED);
        assert_err(receive(b, &m[0]), MLS_GENERATION_USED);
        world_reload(&w, b);
        read_text(b, &m[4], "4");
        read_text(b, &m[1], "1"); /* m[2] is lost */
        assert_err(receive(a, &m[2]), MLS_OWN_MESSAGE);
        for (size_t k = 0; k < 5; k++)
            buf_clear(&m[k]);
        world_clear(&w);
    }
}

/* Each bit of a message matters, and a damaged one uses nothing up. */
static void damaged(void **state)
{
    (void)state;
    world_init(&w, &suite_table[0], 5, true);
    world_grow(&w, 2);
    struct buf m = send_text(&w.clients[0], "text");
    for (size_t i = 0; i < m.len * 8; i++) {
        m.data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(err_is_ok(receive(&w.clients[1], &m)));
        m.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    read_text(&w.clients[1], &m, "text");
    buf_clear(&m);
    world_clear(&w);
}

/* Messages of past epochs within the window, by senders since removed, and not beyond it. */
static void past_epochs(void **state)
{
    (void)state;
    struct commit_output out;
    world_init(&w, &suite_table[0], 6, true);
    world_grow(&w, 4);
    struct world_client *c = w.clients;
    struct buf old = send_text(&c[3], "from one who leaves");
    struct buf older = send_text(&c[3], "and another");
    struct bytes removal = world_remove(&w, group_own_leaf(c[3].group));
    struct commit_options options = {.proposals = &removal, .proposal_count = 1};
    world_commit(&w, &c[0], &options, &out);
    commit_output_clear(&out);
    next_epoch(&c[2]);
    world_reload(&w, &c[1]);
    assert_ok(receive(&c[1], &old));
    /* by its leaf of that epoch */
    struct leaf_node leaf;
    assert_ok(leaf_node_parse(received.sender_leaf, &leaf));
    test_assert_bytes(leaf.signature_key, public_key_view(&c[3].key.public_key));
    assert_int_equal(received.epoch, group_epoch(c[1].group) - 2);
    mls_received_clear(&received);
    assert_err(receive(&c[1], &old), MLS_GENERATION_USED);
    next_epoch(&c[1]); /* the window is two */
    assert_err(receive(&c[1], &older), MLS_EPOCH_GONE);
    /* of an epoch to come */
    assert_ok(group_commit(c[0].group, &c[0].client, &(struct commit_options){0}, &out));
    assert_ok(group_merge_pending(c[0].group));
    struct buf future = send_text(&c[0], "early");
    assert_err(receive(&c[1], &future), MLS_EPOCH);
    buf_clear(&old);
    buf_clear(&older);
    buf_clear(&future);
    commit_output_clear(&out);
    world_clear(&w);
}

/* RFC 9420 9.2: nothing of an epoch outlives the window, and a removed member keeps no secrets. */
static void deletion(void **state)
{
    (void)state;
    struct commit_output out;
    world_init(&w, &suite_table[0], 7, true);
    w.config.past_epochs = 0;
    w.config.resumptions = 1;
    world_grow(&w, 3);
    struct world_client *c = w.clients;
    struct secret psk;
    uint64_t epoch = group_epoch(c[1].group);
    assert_ok(group_resumption_psk(c[1].group, epoch, &psk));
    struct buf m = send_text(&c[0], "x");
    /* the secrets of the state now must not be in the state of the next epoch */
    struct epoch_secrets before = c[1].group->secrets;
    struct secret leaf_key = c[1].group->keys.leaf;
    assert_int_equal(before.encryption.len, 0);
    next_epoch(&c[1]);
    assert_err(receive(&c[1], &m), MLS_EPOCH_GONE);
    assert_err(group_resumption_psk(c[1].group, epoch, &psk), MLS_PSK_UNKNOWN);
    struct buf stored = BUF_INIT;
    assert_ok(group_write(c[1].group, &stored));
    const struct secret *gone[] = {
        &before.init,       &before.sender_data, &before.exporter,     &before.external,
        &before.membership, &before.resumption,  &before.confirmation, &leaf_key};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_null(memmem(stored.data, stored.len, gone[i]->data, gone[i]->len));
    buf_clear(&stored);
    /* removal */
    struct bytes removal = world_remove(&w, group_own_leaf(c[2].group));
    struct commit_options options = {.proposals = &removal, .proposal_count = 1};
    before = c[2].group->secrets;
    assert_ok(group_commit(c[0].group, &c[0].client, &options, &out));
    assert_ok(group_process(c[2].group, &c[2].client, buf_view(&out.commit), &received));
    assert_true(mls_staged_removes_us(received.staged));
    assert_ok(group_merge(c[2].group, &received.staged));
    mls_received_clear(&received);
    assert_false(group_is_active(c[2].group));
    /* not in memory either */
    static const struct epoch_secrets no_secrets;
    static const struct treekem_keys no_keys;
    assert_memory_equal(&c[2].group->secrets, &no_secrets, sizeof no_secrets);
    assert_memory_equal(&c[2].group->keys, &no_keys, sizeof no_keys);
    assert_null(c[2].group->tree);
    assert_ok(group_write(c[2].group, &stored));
    assert_null(memmem(stored.data, stored.len, before.init.data, before.init.len));
    assert_err(receive(&c[2], &m), MLS_EPOCH_GONE);
    world_reload(&w, &c[2]);
    buf_clear(&stored);
    buf_clear(&m);
    commit_output_clear(&out);
    world_clear(&w);
}

/* RFC 9420 9.2: the key that opened a commit sent as PrivateMessage is gone when the commit is
 * merged, though the epoch stays readable for application messages; before that it is not, since
 * the commit may be dropped. */
static void commit_key_deleted(void **state)
{
    (void)state;
    struct commit_output out;
    struct message_key key;
    world_init(&w, &suite_table[0], 19, false);
    world_grow(&w, 4);
    struct world_client *c = w.clients;
    struct buf late = send_text(&c[2], "late");
    assert_ok(group_commit(c[2].group, &c[2].client, &(struct commit_options){0}, &out));
    for (int again = 0; again < 2; again++) {
        mls_received_clear(&received);
        assert_ok(group_process(c[0].group, &c[0].client, buf_view(&out.commit), &received));
        assert_ok(secret_tree_peek(c[0].group->tree, 2, RATCHET_HANDSHAKE, 0, &key));
    }
    world_reload(&w, &c[1]);
    assert_ok(group_merge(c[0].group, &received.staged));
    mls_received_clear(&received);
    const struct past_epoch *past = &c[0].group->past[0];
    assert_err(secret_tree_peek(past->tree, 2, RATCHET_HANDSHAKE, 0, &key), MLS_GENERATION_USED);
    message_key_clear(&key);
    world_reload(&w, &c[0]);
    read_text(&c[0], &late, "late");
    buf_clear(&late);
    commit_output_clear(&out);
    world_clear(&w);
}

/* Tags are checked at full length: one bit off anywhere is refused (RFC 9420 6.1, 6.2). */
static void tags(void **state)
{
    (void)state;
    struct buf m = BUF_INIT;
    struct arena a;
    world_init(&w, &suite_table[0], 8, true);
    world_grow(&w, 2);
    struct world_client *c = w.clients;
    arena_init(&a, 1 << 20);
    struct buf proposal = BUF_INIT;
    assert_ok(group_propose(c[0].group, &c[0].client, world_psk(&w, bytes_str("p")),
                            bytes_of(NULL, 0), &proposal, NULL));
    size_t mac = w.suite->hash->bytes;
    for (size_t i = 0; i < mac * 8; i++) { /* the membership tag is the end of the message */
        proposal.data[proposal.len - mac + i / 8] ^= (uint8_t)(1 << i % 8);
        assert_err(receive(&c[1], &proposal), MLS_MEMBERSHIP_TAG);
        proposal.data[proposal.len - mac + i / 8] ^= (uint8_t)(1 << i % 8);
    }
    /* a commit with another confirmation tag under a right membership tag */
    struct commit_output out;
    struct mls_message message;
    uint8_t bad[HASH_MAX_BYTES];
    assert_ok(group_commit(c[0].group, &c[0].client,
                           &(struct commit_options){.some_references = true}, &out));
    for (size_t i = 0; i < mac; i++) {
        arena_clear(&a);
        assert_ok(mls_message_parse(buf_view(&out.commit), &a, &message));
        struct public_message *pm = &message.public_message;
        memcpy(bad, pm->content.auth.confirmation_tag.data, mac);
        bad[i] ^= 1;
        pm->content.auth.confirmation_tag = bytes_of(bad, mac);
        pm->content.raw_content_auth = bytes_of(NULL, 0);
        struct digest tag;
        assert_ok(message_membership_tag(w.suite, &c[1].group->secrets.membership, &pm->content,
                                         public_group_context(group_public(c[1].group)), &tag));
        pm->membership_tag = digest_view(&tag);
        mls_message_write(&m, &message);
        assert_err(receive(&c[1], &m), MLS_CONFIRMATION_TAG);
        buf_clear(&m);
    }
    arena_clear(&a);
    buf_clear(&proposal);
    commit_output_clear(&out);
    world_clear(&w);
}

/* RFC 9420 6.3.1: lengths are multiples of the block, and the same for texts of about one length.
 */
static void padding(void **state)
{
    (void)state;
    world_init(&w, &suite_table[0], 9, false);
    w.config.padding_block = 256;
    world_grow(&w, 2);
    struct buf short_one = send_text(&w.clients[0], "");
    struct buf longer = send_text(&w.clients[0], "a text that is longer by far than nothing");
    assert_int_equal(short_one.len, longer.len);
    read_text(&w.clients[1], &longer, "a text that is longer by far than nothing");
    read_text(&w.clients[1], &short_one, "");
    buf_clear(&short_one);
    buf_clear(&longer);
    world_clear(&w);
}

/* What must not be sent or taken: closed doors and foreign signers. */
static void refusals(void **state)
{
    (void)state;
    struct buf m = BUF_INIT;
    struct commit_output out;
    world_init(&w, &suite_table[0], 10, true);
    world_grow(&w, 2);
    struct world_client *c = w.clients;
    struct mls_client other = c[0].client;
    other.signer = &c[1].key;
    assert_err(group_protect(c[0].group, &other, bytes_str("x"), bytes_of(NULL, 0), &m),
               MLS_SIGNER);
    assert_err(group_commit(c[0].group, &other, &(struct commit_options){0}, &out), MLS_SIGNER);
    struct bytes self = world_remove(&w, group_own_leaf(c[0].group));
    struct commit_options options = {.proposals = &self, .proposal_count = 1};
    assert_err(group_commit(c[0].group, &c[0].client, &options, &out), MLS_REMOVE_COMMITTER);
    struct bytes psk = world_psk(&w, bytes_str("?"));
    options.proposals = &psk;
    assert_err(group_commit(c[0].group, &c[0].client, &options, &out), MLS_PSK_UNKNOWN);
    assert_false(group_has_pending(c[0].group));
    /* a credential that the application does not like, coming in by an Add */
    struct key_package_bundle bundle;
    struct bytes add = world_add(&w, world_key_package(&w, world_client_new(&w), &bundle));
    options.proposals = &add;
    assert_ok(group_commit(c[0].group, &c[0].client, &options, &out));
    w.refuse_credentials = true;
    assert_err(receive(&c[1], &out.commit), MLS_CREDENTIAL_REFUSED);
    struct mls_group *g;
    assert_err(group_join(&w.clients[2].client, &w.config, &bundle, buf_view(&out.welcome),
                          bytes_of(NULL, 0), NULL, &g),
               MLS_CREDENTIAL_REFUSED);
    w.refuse_credentials = false;
    assert_ok(receive(&c[1], &out.commit));
    mls_received_clear(&received);
    /* a Remove of oneself by another is kept out of one's own commits, and committed by others */
    assert_ok(group_propose(c[1].group, &c[1].client, self, bytes_of(NULL, 0), &m, NULL));
    world_deliver_proposal(&w, &c[1], buf_view(&m));
    struct commit_output again;
    assert_ok(group_commit(c[0].group, &c[0].client, &(struct commit_options){0}, &again));
    assert_int_equal(group_pending(c[0].group)->removed.count, 0);
    commit_output_clear(&again);
    assert_ok(group_commit(c[1].group, &c[1].client, &(struct commit_options){0}, &again));
    assert_int_equal(group_pending(c[1].group)->removed.count, 1);
    commit_output_clear(&again);
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
    buf_clear(&m);
    world_clear(&w);
}

/* RFC 9420 13.5: 0x0A0A, 0x1A1A to 0xEAEA */
static bool has_grease(const struct u16_list *list)
{
    for (size_t i = 0; i < u16_list_count(list); i++) {
        uint16_t value = u16_list_at(list, i);
        if (value >> 8 == (value & 0xff) && (value & 0xf) == 0xa && value != 0xfafa)
            return true;
    }
    return false;
}

/* RFC 9420 13.5: our leaves carry GREASE, and groups of them work (all other tests). */
static void grease_sent(void **state)
{
    (void)state;
    struct leaf_node leaf;
    world_init(&w, &suite_table[0], 29, true);
    world_grow(&w, 2);
    assert_true(public_group_leaf(group_public(w.clients[0].group), 1, &leaf));
    assert_true(has_grease(&leaf.capabilities.cipher_suites));
    assert_true(has_grease(&leaf.capabilities.extensions));
    assert_true(has_grease(&leaf.capabilities.proposals));
    assert_true(has_grease(&leaf.capabilities.credentials));
    world_clear(&w);
}

/* RFC 9420 12.4.3.1, 11.2, 12.4.3.2: what a joiner refuses, each by its own name. */
static void refused_joins(void **state)
{
    (void)state;
    struct key_package_bundle bundle;
    struct commit_output out;
    struct mls_group *g = NULL;
    struct buf m = BUF_INIT;
    enum { SUITE_AT = 5 }; /* behind version and wire format, low byte */
    world_init(&w, &suite_table[0], 23, true);
    world_grow(&w, 2);
    struct world_client *c = world_client_new(&w);
    struct bytes add = world_add(&w, world_key_package(&w, c, &bundle));
    world_commit(&w, &w.clients[0],
                 &(struct commit_options){.proposals = &add, .proposal_count = 1}, &out);
    uint8_t *welcome = out.welcome.data;
    welcome[SUITE_AT] = 3;
    assert_err(group_join(&c->client, &w.config, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0),
                          NULL, &g),
               MLS_WELCOME_SUITE);
    welcome[SUITE_AT] = 1;
    welcome[out.welcome.len - 1] ^= 1;
    assert_err(group_join(&c->client, &w.config, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0),
                          NULL, &g),
               MLS_WELCOME_SECRETS);
    welcome[out.welcome.len - 1] ^= 1;
    /* a successor without the old group's PSK proves nothing */
    assert_err(group_join(&c->client, &w.config, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0),
                          w.clients[0].group, &g),
               MLS_SUCCESSOR);
    assert_ok(group_make_info(w.clients[0].group, &w.clients[0].client,
                              (struct group_info_options){.ratchet_tree = true}, &m));
    struct external_join join = {.group_info = buf_view(&m)};
    struct buf commit = BUF_INIT;
    assert_err(group_join_external(&c->client, &w.config, &join, &c->profile, &commit, &g),
               MLS_EXTERNAL_PUB_MISSING);
    assert_err(group_read(&c->client, bytes_of(welcome, 3), &g), MLS_GROUP_STATE);
    assert_null(g);
    world_join(&w, c, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0));
    buf_clear(&m);
    key_package_bundle_clear(&bundle);
    commit_output_clear(&out);
    world_clear(&w);
}

/* RFC 9420 6.1: application data under another's signature, rightly sealed, is refused and uses
 * nothing up. */
static void forged_signature(void **state)
{
    (void)state;
    struct buf m = BUF_INIT;
    struct signature signature;
    world_init(&w, &suite_table[0], 13, true);
    world_grow(&w, 3);
    struct world_client *c = w.clients;
    struct authenticated_content content =
        frame_begin(c[0].group, CONTENT_APPLICATION, bytes_of(NULL, 0));
    content.content.application_data = bytes_str("x");
    assert_ok(frame_sign(c[0].group, &c[1].key, &content, &signature));
    assert_ok(frame_wrap(c[0].group, &w.rng, &content, &m));
    struct buf before = BUF_INIT;
    struct buf after = BUF_INIT;
    assert_ok(group_write(c[2].group, &before));
    assert_err(receive(&c[2], &m), MLS_MESSAGE_SIGNATURE);
    assert_ok(group_write(c[2].group, &after));
    test_assert_bytes(buf_view(&after), buf_view(&before));
    buf_clear(&before);
    buf_clear(&after);
    buf_clear(&m);
    world_clear(&w);
}

/* Stored bytes cut or changed: an error or a group, never a crash. */
static void damaged_storage(void **state)
{
    (void)state;
    struct buf stored = BUF_INIT;
    struct commit_output out;
    struct mls_group *g;
    world_init(&w, &suite_table[0], 12, true);
    world_grow(&w, 3);
    struct world_client *c = &w.clients[0];
    assert_ok(group_commit(c->group, &c->client, &(struct commit_options){0}, &out));
    assert_ok(group_write(c->group, &stored));
    for (size_t len = 0; len < stored.len; len++) {
        struct err err = group_read(&c->client, bytes_of(stored.data, len), &g);
        assert_false(err_is_ok(err));
    }
    for (size_t i = 0; i < stored.len; i++) {
        stored.data[i] ^= (uint8_t)(1 << i % 8);
        if (err_is_ok(group_read(&c->client, buf_view(&stored), &g)))
            group_free(g);
        stored.data[i] ^= (uint8_t)(1 << i % 8);
    }
    buf_clear(&stored);
    commit_output_clear(&out);
    world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_order),
        cmocka_unit_test(damaged),
        cmocka_unit_test(past_epochs),
        cmocka_unit_test(deletion),
        cmocka_unit_test(commit_key_deleted),
        cmocka_unit_test(tags),
        cmocka_unit_test(padding),
        cmocka_unit_test(refusals),
        cmocka_unit_test(refused_joins),
        cmocka_unit_test(grease_sent),
        cmocka_unit_test(forged_signature),
        cmocka_unit_test(damaged_storage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
