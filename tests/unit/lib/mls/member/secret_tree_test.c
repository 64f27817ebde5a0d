/* The secret tree beyond the official vectors: laziness, deletion, late and lost messages, bounds,
 * storage, failed allocations. "Unchanged" is judged by the stored form. */
#include "mls/member/secret_tree.h"

#include "crypto/labelled.h"
#include "mls/public/tree_math.h"
#include "support/failing.h"
#include "support/test.h"

static const struct secret_tree_limits limits = {.forward_most = 100, .kept_most = 8};

static struct secret encryption_secret(const struct suite *suite)
{
    struct secret s = {.len = suite_hash_bytes(suite)};
    for (size_t i = 0; i < s.len; i++)
        s.data[i] = (uint8_t)(0xa0 + i);
    return s;
}

static struct secret_tree *tree_of(const struct suite *suite, uint32_t leaves)
{
    struct secret s = encryption_secret(suite);
    struct secret_tree *tree = NULL;
    assert_ok(secret_tree_new(suite, leaves, &s, limits, &tree));
    return tree;
}

static struct buf stored(const struct secret_tree *tree)
{
    struct buf b = BUF_INIT;
    secret_tree_write(&b, tree);
    assert_ok(buf_check(&b));
    return b;
}

static void assert_unchanged(const struct secret_tree *tree, struct buf *before)
{
    struct buf now = stored(tree);
    test_assert_bytes(buf_view(&now), buf_view(before));
    buf_clear(&now);
}

static bool contains(const struct buf *b, struct bytes needle)
{
    return memmem(b->data, b->len, needle.data, needle.len) != NULL;
}

static void assert_same_key(const struct message_key *a, const struct message_key *b)
{
    assert_true(secret_equal(&a->key, &b->key));
    assert_memory_equal(a->nonce, b->nonce, AEAD_NONCE_BYTES);
    assert_int_equal(a->generation, b->generation);
}

/* Key of a generation from a tree where nothing else happened. */
static struct message_key fresh_key(const struct suite *suite, uint32_t leaves, uint32_t leaf,
                                    enum ratchet_type type, uint32_t generation)
{
    struct secret_tree *tree = tree_of(suite, leaves);
    struct message_key key;
    assert_ok(secret_tree_peek(tree, leaf, type, generation, &key));
    secret_tree_free(tree);
    return key;
}

/* Every order of first use gives each leaf the same keys, and in the end no node is left over. */
static void leaves_in_any_order(void **state)
{
    (void)state;
    struct rng_seeded random;
    rng_seeded_init(&random, 7);
    for (uint32_t leaves = 1; leaves <= 33; leaves++) {
        const struct suite *suite = &suite_table[leaves % SUITE_COUNT];
        struct secret_tree *tree = tree_of(suite, leaves);
        uint32_t width = tree_math_width_for(leaves);
        for (uint32_t n = 0; n < 6 * width; n++) {
            uint32_t leaf = (uint32_t)(rng_seeded_next(&random) % width);
            enum ratchet_type type = n % 2 == 0 ? RATCHET_APPLICATION : RATCHET_HANDSHAKE;
            struct message_key sent, want;
            assert_ok(secret_tree_next(tree, leaf, type, &sent));
            want = fresh_key(suite, leaves, leaf, type, sent.generation);
            assert_same_key(&sent, &want);
        }
        struct message_key key;
        assert_err(secret_tree_peek(tree, width, RATCHET_HANDSHAKE, 0, &key), MLS_SECRET_TREE_LEAF);
        assert_err(secret_tree_consume(tree, width, RATCHET_HANDSHAKE, 0), MLS_SECRET_TREE_LEAF);
        assert_err(secret_tree_next(tree, UINT32_MAX, RATCHET_HANDSHAKE, &key),
                   MLS_SECRET_TREE_LEAF);
        secret_tree_free(tree);
    }
}

/* 65,536 members cost nothing before they send, and a logarithm each when they do. */
static void memory_follows_activity(void **state)
{
    (void)state;
    struct secret_tree *tree = tree_of(&suite_table[0], 65536);
    assert_true(secret_tree_memory_bytes(tree) < 256);
    struct message_key key;
    assert_ok(secret_tree_next(tree, 40000, RATCHET_APPLICATION, &key));
    size_t one = secret_tree_memory_bytes(tree);
    assert_true(one < 1700);
    for (uint32_t i = 0; i < 9; i++)
        assert_ok(secret_tree_next(tree, i * 7000, RATCHET_APPLICATION, &key));
    assert_true(secret_tree_memory_bytes(tree) < 10 * one);
    secret_tree_free(tree);
}

/* RFC 9420 9.2: of what a message key was made from, nothing remains once it is consumed. */
static void consumed_secrets_are_gone(void **state)
{
    (void)state;
    const struct suite *suite = &suite_table[0];
    const struct kdf_alg *kdf = suite->hpke.kdf;
    struct secret_tree *tree = tree_of(suite, 4);
    /* the way to leaf 1 by hand: root, left inner node, right leaf */
    struct secret way[4];
    way[0] = encryption_secret(suite);
    assert_ok(labelled_expand(kdf, secret_view(&way[0]), LABEL_MLS, bytes_str("tree"),
                              bytes_str("left"), 32, &way[1]));
    assert_ok(labelled_expand(kdf, secret_view(&way[1]), LABEL_MLS, bytes_str("tree"),
                              bytes_str("right"), 32, &way[2]));
    assert_ok(labelled_expand(kdf, secret_view(&way[2]), LABEL_MLS, bytes_str("application"),
                              bytes_of(NULL, 0), 32, &way[3]));
    struct message_key key;
    struct buf b = stored(tree);
    assert_true(contains(&b, secret_view(&way[0])));
    buf_clear(&b);
    assert_ok(secret_tree_peek(tree, 1, RATCHET_APPLICATION, 0, &key));
    assert_ok(secret_tree_consume(tree, 1, RATCHET_APPLICATION, 0));
    b = stored(tree);
    for (size_t i = 0; i < 4; i++)
        assert_false(contains(&b, secret_view(&way[i])));
    assert_false(contains(&b, secret_view(&key.key)));
    buf_clear(&b);

    /* a kept key is there until it is consumed in its turn */
    assert_ok(secret_tree_peek(tree, 1, RATCHET_APPLICATION, 2, &key));
    assert_ok(secret_tree_consume(tree, 1, RATCHET_APPLICATION, 3));
    b = stored(tree);
    assert_true(contains(&b, secret_view(&key.key)));
    buf_clear(&b);
    assert_ok(secret_tree_consume(tree, 1, RATCHET_APPLICATION, 2));
    b = stored(tree);
    assert_false(contains(&b, secret_view(&key.key)));
    buf_clear(&b);
    secret_tree_free(tree);
}

static void late_messages(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        const struct suite *suite = &suite_table[s];
        struct secret_tree *tree = tree_of(suite, 8);
        static const uint32_t order[] = {5, 0, 4, 4, 2, 9, 1, 3, 7, 8, 6, 0, 10};
        static const bool good[] = {1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1};
        for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
            struct message_key key, want = fresh_key(suite, 8, 3, RATCHET_APPLICATION, order[i]);
            struct buf before = stored(tree);
            struct err peeked = secret_tree_peek(tree, 3, RATCHET_APPLICATION, order[i], &key);
            if (i > 0)
                assert_unchanged(tree, &before);
            if (good[i]) {
                assert_ok(peeked);
                assert_same_key(&key, &want);
                /* a second look, as after a forged message, finds the same */
                assert_ok(secret_tree_peek(tree, 3, RATCHET_APPLICATION, order[i], &key));
                assert_same_key(&key, &want);
                assert_ok(secret_tree_consume(tree, 3, RATCHET_APPLICATION, order[i]));
            } else {
                assert_err(peeked, MLS_GENERATION_USED);
                assert_err(secret_tree_consume(tree, 3, RATCHET_APPLICATION, order[i]),
                           MLS_GENERATION_USED);
                assert_unchanged(tree, &before);
            }
            buf_clear(&before);
        }
        secret_tree_free(tree);
    }
}

/* The newest kept_most unused keys stay; older ones are given up. */
static void window(void **state)
{
    (void)state;
    const struct suite *suite = &suite_table[0];
    struct secret_tree *tree = tree_of(suite, 8);
    struct message_key key, want;
    assert_ok(secret_tree_consume(tree, 2, RATCHET_APPLICATION, 5));  /* keeps 0 to 4 */
    assert_ok(secret_tree_consume(tree, 2, RATCHET_APPLICATION, 11)); /* 6 to 10, and 2 to 4 */
    for (uint32_t g = 0; g <= 11; g++) {
        struct err err = secret_tree_peek(tree, 2, RATCHET_APPLICATION, g, &key);
        if (g < 2 || g == 5 || g == 11) {
            assert_err(err, MLS_GENERATION_USED);
            continue;
        }
        want = fresh_key(suite, 8, 2, RATCHET_APPLICATION, g);
        assert_ok(err);
        assert_same_key(&key, &want);
    }
    assert_ok(secret_tree_consume(tree, 2, RATCHET_APPLICATION, 60)); /* 52 to 59 */
    assert_err(secret_tree_peek(tree, 2, RATCHET_APPLICATION, 51, &key), MLS_GENERATION_USED);
    for (uint32_t g = 52; g < 60; g++) {
        want = fresh_key(suite, 8, 2, RATCHET_APPLICATION, g);
        assert_ok(secret_tree_peek(tree, 2, RATCHET_APPLICATION, g, &key));
        assert_same_key(&key, &want);
        assert_ok(secret_tree_consume(tree, 2, RATCHET_APPLICATION, g));
    }
    secret_tree_free(tree);
}

/* RFC 9420 15.3: one message can't make us run the ratchet for ever. */
static void forward_distance(void **state)
{
    (void)state;
    struct secret_tree *tree = tree_of(&suite_table[0], 8);
    struct message_key key;
    struct buf before = stored(tree);
    static const uint32_t far[] = {101, 1000000, UINT32_MAX - 1, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        assert_err(secret_tree_peek(tree, 6, RATCHET_HANDSHAKE, far[i], &key), MLS_GENERATION_FAR);
        assert_err(secret_tree_consume(tree, 6, RATCHET_HANDSHAKE, far[i]), MLS_GENERATION_FAR);
    }
    assert_unchanged(tree, &before);
    buf_clear(&before);
    assert_ok(secret_tree_consume(tree, 6, RATCHET_HANDSHAKE, 100));
    assert_err(secret_tree_peek(tree, 6, RATCHET_HANDSHAKE, 202, &key), MLS_GENERATION_FAR);
    assert_ok(secret_tree_peek(tree, 6, RATCHET_HANDSHAKE, 201, &key));
    secret_tree_free(tree);
}

/* The end of a ratchet, reached by editing the stored form: it must not wrap to generation 0. */
static void ratchet_end(void **state)
{
    (void)state;
    const struct suite *suite = &suite_table[0];
    struct secret_tree *tree = tree_of(suite, 1);
    struct message_key key;
    assert_ok(secret_tree_next(tree, 0, RATCHET_HANDSHAKE, &key));
    struct buf b = stored(tree);
    secret_tree_free(tree);
    /* version 1, suite 2, width 4, nodes 1, length of senders 2, leaf 4; then `next` of handshake
     */
    memset(b.data + 14, 0xff, 4);
    b.data[17] = 0xfe;
    assert_ok(secret_tree_read(suite, limits, buf_view(&b), &tree));
    assert_ok(secret_tree_next(tree, 0, RATCHET_HANDSHAKE, &key));
    assert_int_equal(key.generation, UINT32_MAX - 1);
    assert_err(secret_tree_next(tree, 0, RATCHET_HANDSHAKE, &key), MLS_RATCHET_END);
    assert_err(secret_tree_peek(tree, 0, RATCHET_HANDSHAKE, UINT32_MAX, &key), MLS_GENERATION_FAR);
    assert_err(secret_tree_peek(tree, 0, RATCHET_HANDSHAKE, 0, &key), MLS_GENERATION_USED);
    assert_ok(secret_tree_next(tree, 0, RATCHET_APPLICATION, &key));
    secret_tree_free(tree);
    buf_clear(&b);
}

static struct secret_tree *busy_tree(const struct suite *suite)
{
    struct secret_tree *tree = tree_of(suite, 16);
    assert_ok(secret_tree_consume(tree, 3, RATCHET_APPLICATION, 4));
    assert_ok(secret_tree_consume(tree, 12, RATCHET_HANDSHAKE, 0));
    assert_ok(secret_tree_consume(tree, 13, RATCHET_APPLICATION, 2));
    assert_ok(secret_tree_consume(tree, 13, RATCHET_HANDSHAKE, 1));
    return tree;
}

static void storage(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        const struct suite *suite = &suite_table[s];
        const struct suite *other = &suite_table[(s + 1) % SUITE_COUNT];
        struct secret_tree *tree = busy_tree(suite), *read = NULL;
        struct buf b = stored(tree);
        assert_ok(secret_tree_read(suite, limits, buf_view(&b), &read));
        assert_unchanged(read, &b);
        struct message_key x, y;
        for (uint32_t leaf = 0; leaf < 16; leaf++)
            for (enum ratchet_type type = 0; type < RATCHET_TYPE_COUNT; type++) {
                assert_ok(secret_tree_next(tree, leaf, type, &x));
                assert_ok(secret_tree_next(read, leaf, type, &y));
                assert_same_key(&x, &y);
            }
        secret_tree_free(tree);
        secret_tree_free(read);
        read = NULL;
        assert_err(secret_tree_read(other, limits, buf_view(&b), &read), MLS_SECRET_TREE_BYTES);
        for (size_t len = 0; len < b.len; len++)
            assert_err(secret_tree_read(suite, limits, bytes_of(b.data, len), &read),
                       MLS_SECRET_TREE_BYTES);
        buf_append_byte(&b, 0);
        assert_err(secret_tree_read(suite, limits, buf_view(&b), &read), MLS_SECRET_TREE_BYTES);
        assert_null(read);
        buf_clear(&b);
    }
}

/* No edit of one byte makes it crash, or accept a tree that does not cover each leaf once: whatever
 * is accepted must serve every leaf and store to the same bytes. */
static void damaged_storage(void **state)
{
    (void)state;
    const struct suite *suite = &suite_table[0];
    struct secret_tree *tree = busy_tree(suite);
    struct buf b = stored(tree);
    secret_tree_free(tree);
    size_t accepted = 0;
    for (size_t at = 0; at < b.len; at++)
        for (unsigned value = 0; value < 256; value += 5) {
            uint8_t old = b.data[at];
            b.data[at] = (uint8_t)(old + value + 1);
            struct err err = secret_tree_read(suite, limits, buf_view(&b), &tree);
            if (err_is_ok(err)) {
                accepted++;
                assert_unchanged(tree, &b);
                struct message_key key;
                for (uint32_t leaf = 0; leaf < 16; leaf++)
                    (void)secret_tree_next(tree, leaf, RATCHET_APPLICATION, &key).code;
                secret_tree_free(tree);
            } else {
                assert_err(err, MLS_SECRET_TREE_BYTES);
            }
            b.data[at] = old;
        }
    assert_true(accepted > 0); /* edits of secrets can't be seen */
    buf_clear(&b);
}

/* Trees of 4 leaves with nothing used, stored as: version, suite, width (3 to 6), length, node (8
 * to 11), secret, no senders. Every other width or node leaves a leaf without cover, or covers one
 * that is not there. */
static void stored_shapes(void **state)
{
    (void)state;
    const struct suite *suite = &suite_table[0];
    struct secret_tree *tree = tree_of(suite, 4);
    struct buf b = stored(tree);
    secret_tree_free(tree);
    assert_int_equal(b.len, 8 + 4 + 32 + 1);
    static const uint32_t nodes[] = {0, 1, 2, 4, 5, 6, 7, 0x7fffffff, 0xfffffffe, 0xffffffff};
    static const uint32_t widths[] = {0, 1, 2, 3, 5, 8, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        b.data[8] = (uint8_t)(nodes[i] >> 24);
        memset(b.data + 9, (uint8_t)(nodes[i] >> 8), 2);
        b.data[11] = (uint8_t)nodes[i];
        assert_err(secret_tree_read(suite, limits, buf_view(&b), &tree), MLS_SECRET_TREE_BYTES);
    }
    memcpy(b.data + 8, "\0\0\0\3", 4);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        b.data[3] = (uint8_t)(widths[i] >> 24);
        memset(b.data + 4, (uint8_t)(widths[i] >> 8), 2);
        b.data[6] = (uint8_t)widths[i];
        assert_err(secret_tree_read(suite, limits, buf_view(&b), &tree), MLS_SECRET_TREE_BYTES);
    }
    memcpy(b.data + 3, "\0\0\0\4", 4);
    assert_ok(secret_tree_read(suite, limits, buf_view(&b), &tree));
    secret_tree_free(tree);
    buf_clear(&b);
}

static void arguments(void **state)
{
    (void)state;
    const struct suite *suite = &suite_table[0];
    struct secret s = encryption_secret(suite);
    struct secret_tree *tree = NULL;
    assert_err(secret_tree_new(suite, 0, &s, limits, &tree), ARGUMENT);
    assert_err(secret_tree_new(suite, (1u << 31) + 1, &s, limits, &tree), ARGUMENT);
    s.len--;
    assert_err(secret_tree_new(suite, 2, &s, limits, &tree), ARGUMENT);
    assert_null(tree);
    secret_tree_free(tree);
    s.len++;
    assert_ok(secret_tree_new(suite, 1u << 31, &s, limits, &tree));
    struct message_key key;
    assert_ok(secret_tree_next(tree, (1u << 31) - 1, RATCHET_HANDSHAKE, &key));
    secret_tree_free(tree);
}

static void failed_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    const struct suite *suite = &suite_table[0];
    static const struct {
        uint32_t leaf, generation;
    } steps[] = {{5, 0}, {9, 3}, {9, 1}, {5, 6}, {0, 0}, {15, 2}, {14, 1}, {9, 20}};
    struct secret_tree *tree = tree_of(suite, 16);
    size_t failures = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (long n = 0;; n++) {
            struct buf before = stored(tree);
            test_fail_allocation(n);
            struct err err =
                secret_tree_consume(tree, steps[i].leaf, RATCHET_APPLICATION, steps[i].generation);
            bool failed = test_allocation_failed();
            if (failed) {
                failures++;
                assert_err(err, NO_MEMORY);
                assert_unchanged(tree, &before);
            }
            buf_clear(&before);
            if (failed)
                continue;
            assert_ok(err);
            break;
        }
    assert_true(failures > 10);
    struct buf b = stored(tree);
    secret_tree_free(tree);
    for (long n = 0;; n++) {
        tree = NULL;
        test_fail_allocation(n);
        struct err err = secret_tree_read(suite, limits, buf_view(&b), &tree);
        if (!test_allocation_failed()) {
            assert_ok(err);
            secret_tree_free(tree);
            break;
        }
        assert_err(err, NO_MEMORY);
        assert_null(tree);
    }
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_in_any_order),
        cmocka_unit_test(memory_follows_activity),
        cmocka_unit_test(late_messages),
        cmocka_unit_test(consumed_secrets_are_gone),
        cmocka_unit_test(window),
        cmocka_unit_test(forward_distance),
        cmocka_unit_test(ratchet_end),
        cmocka_unit_test(storage),
        cmocka_unit_test(damaged_storage),
        cmocka_unit_test(stored_shapes),
        cmocka_unit_test(arguments),
        cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
