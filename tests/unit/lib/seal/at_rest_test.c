#include "seal/at_rest.h"
#include "support/damage.h"
#include "support/failing.h"
#include "support/test.h"

static struct rng_seeded seeded;
static struct rng rng;
static uint8_t key[AT_REST_KEY_BYTES];

static int set_up(void **state)
{
    (void)state;
    rng_seeded_init(&seeded, 1);
    rng = rng_of_seeded(&seeded);
    assert_ok(rng_fill(&rng, key, sizeof key));
    return 0;
}

static void round_trips(void **state)
{
    (void)state;
    uint8_t text[300];
    assert_ok(rng_fill(&rng, text, sizeof text));
    for (size_t len = 0; len <= sizeof text; len++) {
        struct buf sealed = BUF_INIT, opened = BUF_INIT;
        buf_append(&sealed, "before", 6);
        buf_append(&opened, "b", 1);
        assert_ok(at_rest_seal(&sealed, key, &rng, bytes_str("aad"), bytes_of(text, len)));
        assert_int_equal(sealed.len, 6 + len + AT_REST_OVERHEAD_BYTES);
        assert_ok(at_rest_open(&opened, key, bytes_str("aad"),
                               bytes_of(sealed.data + 6, sealed.len - 6)));
        test_assert_bytes(bytes_of(opened.data + 1, opened.len - 1), bytes_of(text, len));
        buf_clear(&sealed);
        buf_clear(&opened);
    }
}

/* key' = HMAC-SHA256(key, "Hearth 1 at rest" || salt) made by hand from its parts. */
static void the_form_is_the_one_described(void **state)
{
    (void)state;
    struct buf sealed = BUF_INIT;
    struct digest inner;
    struct secret secret = {.len = 32};
    uint8_t text[4];
    assert_ok(at_rest_seal(&sealed, key, &rng, bytes_str("aad"), bytes_str("text")));
    hmac_once(&hash_sha256, bytes_of(key, sizeof key),
              BYTES_LIST(bytes_str("Hearth 1 at rest"), bytes_of(sealed.data, 12)), &inner);
    memcpy(secret.data, inner.data, 32);
    assert_ok(aead_open(&aead_aes256_gcm, &secret, sealed.data + 12, bytes_str("aad"),
                        bytes_of(sealed.data + 24, sealed.len - 24), text));
    assert_memory_equal(text, "text", 4);
    buf_clear(&sealed);
}

static bool refused(void *self, struct bytes damaged)
{
    (void)self;
    struct buf out = BUF_INIT;
    buf_append(&out, "kept", 4);
    struct err err = at_rest_open(&out, key, bytes_str("aad"), damaged);
    bool well = err.code == ERR_CRYPTO_TAG && out.len == 4 && memcmp(out.data, "kept", 4) == 0;
    buf_clear(&out);
    return well;
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct buf sealed = BUF_INIT, out = BUF_INIT;
    uint8_t other[AT_REST_KEY_BYTES];
    assert_ok(at_rest_seal(&sealed, key, &rng, bytes_str("aad"), bytes_str("some text")));
    test_each_damage(buf_view(&sealed), 100000, refused, NULL);
    for (size_t bit = 0; bit < 8 * sizeof key; bit++) {
        memcpy(other, key, sizeof key);
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_err(at_rest_open(&out, other, bytes_str("aad"), buf_view(&sealed)), CRYPTO_TAG);
    }
    assert_err(at_rest_open(&out, key, bytes_str("aae"), buf_view(&sealed)), CRYPTO_TAG);
    assert_err(at_rest_open(&out, key, bytes_str("aa"), buf_view(&sealed)), CRYPTO_TAG);
    assert_err(at_rest_open(&out, key, bytes_of(NULL, 0), buf_view(&sealed)), CRYPTO_TAG);
    assert_int_equal(out.len, 0);
    buf_clear(&out);
    buf_clear(&sealed);
}

static void equal_texts_look_different(void **state)
{
    (void)state;
    struct buf a = BUF_INIT;
    assert_ok(at_rest_seal(&a, key, &rng, bytes_str("aad"), bytes_str("text")));
    assert_ok(at_rest_seal(&a, key, &rng, bytes_str("aad"), bytes_str("text")));
    size_t half = a.len / 2;
    assert_memory_not_equal(a.data, a.data + half, 12);           /* salt */
    assert_memory_not_equal(a.data + 12, a.data + half + 12, 12); /* nonce */
    assert_memory_not_equal(a.data + 24, a.data + half + 24, half - 24);
    buf_clear(&a);
}

static struct err no_randomness(void *self, uint8_t *out, size_t len)
{
    long *left = self;
    (void)out;
    (void)len;
    return (*left)-- > 0 ? ERR_OK : ERR(IO);
}

/* Without randomness, room or memory nothing is written. */
static void failures_change_nothing(void **state)
{
    (void)state;
    for (long n = 0; n < 2; n++) {
        long left = n;
        struct rng dry = {no_randomness, &left};
        struct buf b = BUF_INIT;
        buf_append(&b, "kept", 4);
        assert_err(at_rest_seal(&b, key, &dry, bytes_str(""), bytes_str("text")), IO);
        assert_int_equal(b.len, 4);
        buf_clear(&b);
    }
    for (size_t limit = 4; limit < 4 + AT_REST_OVERHEAD_BYTES + 4; limit++) {
        struct buf b = {.limit = limit};
        buf_append(&b, "kept", 4);
        assert_false(err_is_ok(at_rest_seal(&b, key, &rng, bytes_str(""), bytes_str("text"))));
        assert_int_equal(b.len, 4);
        buf_clear(&b);
    }
    if (!test_can_fail_allocations())
        return;
    for (long n = 0;; n++) {
        struct buf b = BUF_INIT;
        test_fail_allocation(n);
        struct err err = at_rest_seal(&b, key, &rng, bytes_str(""), bytes_str("text"));
        if (!test_allocation_failed()) {
            assert_ok(err);
            buf_clear(&b);
            break;
        }
        if (!err_is_ok(err))
            assert_int_equal(b.len, 0);
        buf_clear(&b);
    }
}

static void ids(void **state)
{
    (void)state;
    uint8_t a[AT_REST_ID_BYTES], b[AT_REST_ID_BYTES];
    struct digest mac;
    at_rest_prf(key, BYTES_LIST(bytes_str("ab"), bytes_str("c")), a);
    const uint8_t two[8] = {[7] = 2}, one[8] = {[7] = 1};
    hmac_once(&hash_sha256, bytes_of(key, 32),
              BYTES_LIST(bytes_of(two, 8), bytes_str("ab"), bytes_of(one, 8), bytes_str("c")),
              &mac);
    assert_memory_equal(a, mac.data, sizeof a);
    at_rest_prf(key, BYTES_LIST(bytes_str("a"), bytes_str("bc")), b);
    assert_memory_not_equal(a, b, sizeof a);
    at_rest_prf(key, BYTES_LIST(bytes_str("ab"), bytes_str("c"), bytes_of(NULL, 0)), b);
    assert_memory_not_equal(a, b, sizeof a);
    uint8_t other[AT_REST_KEY_BYTES];
    memcpy(other, key, sizeof other);
    other[31] ^= 1;
    at_rest_prf(other, BYTES_LIST(bytes_str("ab"), bytes_str("c")), b);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(the_form_is_the_one_described),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(equal_texts_look_different),
        cmocka_unit_test(failures_change_nothing),
        cmocka_unit_test(ids),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
