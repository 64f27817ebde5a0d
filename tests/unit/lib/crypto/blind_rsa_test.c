/* Blind RSA: round trips, what is refused, faults. RFC 9578's vectors are read
 * by lib/pass's voucher vectors test, failed allocations are memory_test's. */
#include "crypto/blind_rsa.h"

#include "support/test.h"

static struct blind_rsa_key key, other; /* made once: takes a second */

static int make_keys(void **state)
{
    (void)state;
    return !err_is_ok(blind_rsa_key_generate(&key)) || !err_is_ok(blind_rsa_key_generate(&other));
}

static int clear_keys(void **state)
{
    (void)state;
    blind_rsa_key_clear(&key);
    blind_rsa_key_clear(&other);
    return 0;
}

struct run {
    uint8_t inverse[256], blinded[256], answer[256], signature[256];
};

static struct run run_through(const char *message)
{
    struct run r;
    assert_ok(blind_rsa_blind(&key.public, bytes_str(message), &rng_system, r.inverse, r.blinded));
    assert_ok(blind_rsa_sign(&key, r.blinded, r.answer));
    assert_ok(
        blind_rsa_finalize(&key.public, bytes_str(message), r.answer, r.inverse, r.signature));
    return r;
}

static void round_trip(void **state)
{
    (void)state;
    struct run a = run_through("message"), b = run_through("message");
    assert_ok(blind_rsa_verify(&key.public, bytes_str("message"), a.signature));
    assert_ok(blind_rsa_verify(&key.public, bytes_str("message"), b.signature));
    /* blinds and salts are fresh, and the signer sees neither message nor signature */
    assert_memory_not_equal(a.blinded, b.blinded, 256);
    assert_memory_not_equal(a.signature, b.signature, 256);
    assert_memory_not_equal(a.answer, a.signature, 256);
}

static void refused(void **state)
{
    (void)state;
    struct run r = run_through("message");
    uint8_t out[256];
    memset(out, 0x55, sizeof out);
    assert_err(blind_rsa_verify(&key.public, bytes_str("massage"), r.signature), CRYPTO_SIGNATURE);
    assert_err(blind_rsa_verify(&other.public, bytes_str("message"), r.signature),
               CRYPTO_SIGNATURE);
    for (size_t i = 0; i < 256; i += 15) {
        r.signature[i] ^= 1;
        assert_err(blind_rsa_verify(&key.public, bytes_str("message"), r.signature),
                   CRYPTO_SIGNATURE);
        r.signature[i] ^= 1;
        r.answer[i] ^= 1;
        assert_err(blind_rsa_finalize(&key.public, bytes_str("message"), r.answer, r.inverse, out),
                   CRYPTO_SIGNATURE);
        r.answer[i] ^= 1;
    }
    assert_err(blind_rsa_finalize(&key.public, bytes_str("other"), r.answer, r.inverse, out),
               CRYPTO_SIGNATURE);
    assert_err(blind_rsa_finalize(&other.public, bytes_str("message"), r.answer, r.inverse, out),
               CRYPTO_SIGNATURE);
    /* a number that is no residue: the modulus itself, and all ones */
    assert_err(blind_rsa_sign(&key, key.public.spki + 81, out), ARGUMENT);
    uint8_t ones[256];
    memset(ones, 0xff, sizeof ones);
    assert_err(blind_rsa_sign(&key, ones, out), ARGUMENT);
    assert_err(blind_rsa_verify(&key.public, bytes_str("message"), ones), CRYPTO_SIGNATURE);
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], 0x55);
}

/* RFC 9474 4.3: an answer that is not the root of what was asked never leaves. The fault here is a
 * private key of another modulus. */
static void fault(void **state)
{
    (void)state;
    struct run r = run_through("message");
    const struct blind_rsa_key wrong = {key.public, other.parsed};
    uint8_t out[256];
    memset(out, 0x55, sizeof out);
    assert_err(blind_rsa_sign(&wrong, r.blinded, out), CRYPTO_BACKEND);
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], 0x55);
}

static void keys(void **state)
{
    (void)state;
    struct buf der = BUF_INIT;
    struct blind_rsa_key again;
    assert_ok(blind_rsa_key_write(&key, &der));
    assert_ok(blind_rsa_key_init(buf_view(&der), &again));
    assert_memory_equal(again.public.spki, key.public.spki, sizeof key.public.spki);
    uint8_t a[256] = {0, 1}, b[256], c[256];
    assert_ok(blind_rsa_sign(&key, a, b));
    assert_ok(blind_rsa_sign(&again, a, c));
    assert_memory_equal(b, c, 256);
    blind_rsa_key_clear(&again);
    blind_rsa_key_clear(&again);
    assert_err(blind_rsa_key_init(bytes_of(der.data, der.len - 1), &again), CRYPTO_KEY);
    buf_append_byte(&der, 0);
    assert_err(blind_rsa_key_init(buf_view(&der), &again), CRYPTO_KEY);
    assert_err(blind_rsa_key_init(bytes_of(NULL, 0), &again), CRYPTO_KEY);
    buf_clear(&der);

    uint8_t spki[343] = {0};
    memcpy(spki, key.public.spki, 342);
    struct blind_rsa_public public = {.parsed = NULL};
    assert_ok(blind_rsa_public_init(bytes_of(spki, 342), &public));
    blind_rsa_public_clear(&public);
    assert_err(blind_rsa_public_init(bytes_of(spki, 341), &public), CRYPTO_KEY_LENGTH);
    assert_err(blind_rsa_public_init(bytes_of(spki, 343), &public), CRYPTO_KEY_LENGTH);
    /* every byte before and after the modulus is given; its first bit and its last are set */
    for (size_t i = 0; i < 342; i++) {
        bool modulus = i >= 81 && i < 337;
        if (modulus && i != 81 && i != 336)
            continue;
        uint8_t bit = i == 81 ? 0x80 : 0x01;
        spki[i] ^= bit;
        assert_err(blind_rsa_public_init(bytes_of(spki, 342), &public), CRYPTO_KEY);
        spki[i] ^= bit;
    }
    assert_null(public.parsed);
}

static struct err no_randomness(void *self, uint8_t *out, size_t len)
{
    size_t *good = self;
    if ((*good)-- == 0)
        return ERR(IO);
    memset(out, 0xff, len); /* never below the modulus */
    return ERR_OK;
}

static void randomness(void **state)
{
    (void)state;
    uint8_t inverse[256] = {0}, blinded[256] = {0};
    for (size_t good = 0; good < 200; good += 1 + good * 8) {
        size_t left = good;
        const struct rng rng = {no_randomness, &left};
        assert_err(blind_rsa_blind(&key.public, bytes_str("m"), &rng, inverse, blinded), IO);
    }
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(inverse[i] | blinded[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(refused),    cmocka_unit_test(fault),
        cmocka_unit_test(keys),       cmocka_unit_test(randomness),
    };
    return cmocka_run_group_tests(tests, make_keys, clear_keys);
}
