/* PrivateMessages that were tampered with, replayed, made twice from one state, or met a failure:
 * what opens, what it costs the receiver's ratchets, and that nothing half-written is left. */
#include "mls/member/message_protection.h"

#include "support/failing.h"
#include "support/test.h"

struct group {
    const struct suite *suite;
    struct secret sender_data;
    struct secret_tree *sender, *receiver;
    struct message_keys send, receive;
    struct arena arena;
};

static void group_init(struct group *g, const struct suite *suite)
{
    struct secret encryption;
    *g = (struct group){.suite = suite};
    arena_init(&g->arena, 1 << 24);
    assert_ok(secret_random(&rng_system, suite_hash_bytes(suite), &g->sender_data));
    assert_ok(secret_random(&rng_system, suite_hash_bytes(suite), &encryption));
    assert_ok(secret_tree_new(suite, 4, &encryption, SECRET_TREE_LIMITS_DEFAULT, &g->sender));
    assert_ok(secret_tree_new(suite, 4, &encryption, SECRET_TREE_LIMITS_DEFAULT, &g->receiver));
    g->send = (struct message_keys){suite, &g->sender_data, g->sender};
    g->receive = (struct message_keys){suite, &g->sender_data, g->receiver};
}

static void group_clear(struct group *g)
{
    secret_tree_free(g->sender);
    secret_tree_free(g->receiver);
    arena_clear(&g->arena);
}

static struct authenticated_content content_of(const char *text)
{
    return (struct authenticated_content){.wire_format = WIRE_FORMAT_PRIVATE_MESSAGE,
                                          .content = {.group_id = bytes_str("group"),
                                                      .epoch = 7,
                                                      .sender = {.type = SENDER_MEMBER, .index = 2},
                                                      .authenticated_data = bytes_str("aad"),
                                                      .type = CONTENT_APPLICATION,
                                                      .application_data = bytes_str(text)},
                                          .auth = {.signature = bytes_str("signature")}};
}

static struct private_message parse(struct bytes in)
{
    struct wire_reader r = wire_reader_of(in);
    struct private_message m = {0};
    private_message_read(&r, &m);
    assert_ok(wire_reader_end(&r));
    return m;
}

static struct buf stored(const struct secret_tree *tree)
{
    struct buf b = BUF_INIT;
    secret_tree_write(&b, tree);
    assert_ok(buf_check(&b));
    return b;
}

static struct err open_all(struct group *g, struct bytes in, struct authenticated_content *content)
{
    struct wire_reader r = wire_reader_of(in);
    struct private_message m = {0};
    struct sender_data sender;
    private_message_read(&r, &m);
    TRY(wire_reader_end(&r));
    TRY(message_open_sender(&g->receive, &m, &sender));
    TRY(message_open_content(&g->receive, &m, &sender, &g->arena, content));
    return ERR_OK;
}

/* Each bit of the message is covered by one of the two tags or by its own form, and none of these
 * failures consumes anything. */
static void tampering(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct group g;
        group_init(&g, &suite_table[s]);
        struct authenticated_content content = content_of("hello"), opened;
        struct buf b = BUF_INIT;
        assert_ok(message_seal(&g.send, &rng_system, &content, 3, &b));
        struct buf before = stored(g.receiver);
        for (size_t bit = 0; bit < 8 * b.len; bit++) {
            b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(err_is_ok(open_all(&g, buf_view(&b), &opened)));
            b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        struct buf after = stored(g.receiver);
        test_assert_bytes(buf_view(&after), buf_view(&before));
        assert_ok(open_all(&g, buf_view(&b), &opened));
        test_assert_bytes(opened.content.application_data, bytes_str("hello"));
        test_assert_bytes(opened.content.authenticated_data, bytes_str("aad"));
        test_assert_bytes(opened.auth.signature, bytes_str("signature"));
        assert_int_equal(opened.content.sender.index, 2);
        assert_int_equal(opened.content.epoch, 7);
        buf_clear(&before);
        buf_clear(&after);
        buf_clear(&b);
        group_clear(&g);
    }
}

static void replay(void **state)
{
    (void)state;
    struct group g;
    group_init(&g, &suite_table[0]);
    struct authenticated_content content = content_of("hello"), opened;
    struct buf b = BUF_INIT;
    assert_ok(message_seal(&g.send, &rng_system, &content, 0, &b));
    struct private_message m = parse(buf_view(&b));
    struct sender_data sender;
    assert_ok(message_open_sender(&g.receive, &m, &sender));
    assert_ok(message_open_content(&g.receive, &m, &sender, &g.arena, &opened));
    assert_ok(message_done(&g.receive, &m, &sender));
    assert_err(message_open_content(&g.receive, &m, &sender, &g.arena, &opened),
               MLS_GENERATION_USED);
    assert_err(message_done(&g.receive, &m, &sender), MLS_GENERATION_USED);
    buf_clear(&b);
    group_clear(&g);
}

/* The padding hides the length and must be zero; the reuse guard keeps two messages of one
 * generation (a state restored from a backup) from sharing a nonce. */
static void padding_and_guard(void **state)
{
    (void)state;
    struct group g;
    group_init(&g, &suite_table[0]);
    struct authenticated_content a = content_of("hello"), b = content_of("hello, world");
    struct buf x = BUF_INIT, y = BUF_INIT, backup = stored(g.sender);
    assert_ok(message_seal(&g.send, &rng_system, &a, 100, &x));
    secret_tree_free(g.sender);
    assert_ok(secret_tree_read(g.suite, SECRET_TREE_LIMITS_DEFAULT, buf_view(&backup), &g.sender));
    g.send.tree = g.sender;
    assert_ok(message_seal(&g.send, &rng_system, &b, 93, &y));
    assert_int_equal(x.len, y.len);
    struct private_message m = parse(buf_view(&x)), n = parse(buf_view(&y));
    struct sender_data p, q;
    assert_ok(message_open_sender(&g.receive, &m, &p));
    assert_ok(message_open_sender(&g.receive, &n, &q));
    assert_int_equal(p.generation, q.generation);
    assert_memory_not_equal(p.reuse_guard, q.reuse_guard, REUSE_GUARD_BYTES);
    /* under one nonce the difference of the ciphertexts would be that of the texts: zeros at the
     * end */
    size_t end = m.ciphertext.len - AEAD_TAG_BYTES;
    assert_memory_not_equal(m.ciphertext.data + end - 64, n.ciphertext.data + end - 64, 64);
    buf_clear(&x);
    buf_clear(&y);
    buf_clear(&backup);
    group_clear(&g);
}

/* A member that pads with something else: made by hand from the receiver's own key. */
static void padding_not_zero(void **state)
{
    (void)state;
    struct group g;
    group_init(&g, &suite_table[0]);
    struct authenticated_content content = content_of("hello"), opened;
    struct message_key key;
    assert_ok(secret_tree_next(g.sender, 2, RATCHET_APPLICATION, &key));
    struct private_message m = {.group_id = bytes_str("group"),
                                .epoch = 7,
                                .content_type = CONTENT_APPLICATION,
                                .authenticated_data = bytes_str("aad")};
    const struct sender_data sender = {.leaf_index = 2};
    for (int bad = 0; bad < 2; bad++) {
        struct buf text = BUF_INIT, aad = BUF_INIT;
        uint8_t sealed[256];
        private_content_write(&text, &content.content, &content.auth, 9);
        text.data[text.len - 3] = (uint8_t)bad;
        private_content_aad_write(&aad, &m);
        assert_ok(aead_seal(g.suite->hpke.aead, &key.key, key.nonce, buf_view(&aad),
                            buf_view(&text), sealed));
        m.ciphertext = bytes_of(sealed, text.len + AEAD_TAG_BYTES);
        struct err err = message_open_content(&g.receive, &m, &sender, &g.arena, &opened);
        if (bad)
            assert_err(err, MLS_PADDING);
        else
            assert_ok(err);
        buf_clear(&text);
        buf_clear(&aad);
    }
    group_clear(&g);
}

static void short_inputs(void **state)
{
    (void)state;
    struct group g;
    group_init(&g, &suite_table[0]);
    struct authenticated_content content = content_of(""), opened;
    struct buf b = BUF_INIT;
    assert_ok(message_seal(&g.send, &rng_system, &content, 0, &b));
    struct private_message m = parse(buf_view(&b)), cut = m;
    struct sender_data sender;
    assert_ok(message_open_sender(&g.receive, &m, &sender));
    for (cut.ciphertext.len = 0; cut.ciphertext.len < m.ciphertext.len; cut.ciphertext.len++)
        assert_err(message_open_content(&g.receive, &cut, &sender, &g.arena, &opened), CRYPTO_TAG);
    for (size_t len = 0; len < m.encrypted_sender_data.len; len++) {
        cut = m;
        cut.encrypted_sender_data.len = len;
        assert_err(message_open_sender(&g.receive, &cut, &sender), CRYPTO_TAG);
    }
    /* a leaf outside the tree, which only a member could have put there */
    sender.leaf_index = 4;
    assert_err(message_open_content(&g.receive, &m, &sender, &g.arena, &opened),
               MLS_SECRET_TREE_LEAF);
    buf_clear(&b);
    group_clear(&g);
}

static void what_is_not_sealed(void **state)
{
    (void)state;
    struct group g;
    group_init(&g, &suite_table[0]);
    struct buf b = BUF_INIT, before = stored(g.sender);
    struct authenticated_content content = content_of("hello");
    content.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE;
    assert_err(message_seal(&g.send, &rng_system, &content, 0, &b), ARGUMENT);
    content = content_of("hello");
    content.content.sender.type = SENDER_EXTERNAL;
    assert_err(message_seal(&g.send, &rng_system, &content, 0, &b), ARGUMENT);
    content = content_of("hello");
    content.content.sender.index = 4;
    assert_err(message_seal(&g.send, &rng_system, &content, 0, &b), MLS_SECRET_TREE_LEAF);
    struct buf after = stored(g.sender);
    test_assert_bytes(buf_view(&after), buf_view(&before));
    assert_int_equal(b.len, 0);
    buf_clear(&before);
    buf_clear(&after);
    group_clear(&g);
}

/* libsodium's suite 3, so that every allocation is ours. A failed sending may cost a generation, no
 * more. */
static void failed_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct group g;
    group_init(&g, &suite_table[2]);
    struct authenticated_content content = content_of("hello"), opened;
    struct buf b = BUF_INIT;
    long n = 0;
    for (;; n++) {
        test_fail_allocation(n);
        struct err err = message_seal(&g.send, &rng_system, &content, 0, &b);
        if (!test_allocation_failed()) {
            assert_ok(err);
            break;
        }
        assert_err(err, NO_MEMORY);
        assert_int_equal(b.len, 0);
        buf_clear(&b);
    }
    assert_true(n > 4);
    for (n = 0;; n++) {
        struct buf before = stored(g.receiver);
        test_fail_allocation(n);
        struct err err = open_all(&g, buf_view(&b), &opened);
        bool failed = test_allocation_failed();
        struct buf after = stored(g.receiver);
        test_assert_bytes(buf_view(&after), buf_view(&before));
        buf_clear(&before);
        buf_clear(&after);
        if (!failed) {
            assert_ok(err);
            break;
        }
        assert_err(err, NO_MEMORY);
        arena_clear(&g.arena); /* its overflow is sticky */
    }
    assert_true(n > 2);
    buf_clear(&b);
    group_clear(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tampering),          cmocka_unit_test(replay),
        cmocka_unit_test(padding_and_guard),  cmocka_unit_test(padding_not_zero),
        cmocka_unit_test(short_inputs),       cmocka_unit_test(what_is_not_sealed),
        cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
