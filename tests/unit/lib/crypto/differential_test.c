/* Two implementations check each other: where we take libsodium, OpenSSL must come to the same, and
 * the reverse, over random inputs of many lengths. */
#include <sodium.h>

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "crypto/dh.h"
#include "crypto/sig.h"
#include "support/test.h"

enum { ROUNDS = 300, MOST_BYTES = 700 };

static struct rng_seeded seeded;
static struct rng rng;

static struct bytes random_bytes(uint8_t *out, size_t most)
{
    size_t len = rng_seeded_next(&seeded) % (most + 1);
    assert_ok(rng_fill(&rng, out, len));
    return bytes_of(out, len);
}

static int start(void **state)
{
    (void)state;
    rng_seeded_init(&seeded, 20);
    rng = rng_of_seeded(&seeded);
    assert_ok(crypto_init());
    return 0;
}

/* Ours is OpenSSL's. */
static void hashes(void **state)
{
    (void)state;
    for (int n = 0; n < ROUNDS; n++) {
        uint8_t data[MOST_BYTES], want[64];
        struct bytes in = random_bytes(data, sizeof data);
        struct digest got;
        hash_once(&hash_sha256, in, &got);
        crypto_hash_sha256(want, in.data, in.len);
        test_assert_bytes(digest_view(&got), bytes_of(want, 32));
        hash_once(&hash_sha512, in, &got);
        crypto_hash_sha512(want, in.data, in.len);
        test_assert_bytes(digest_view(&got), bytes_of(want, 64));

        uint8_t key[32];
        assert_ok(rng_fill(&rng, key, sizeof key));
        hmac_once(&hash_sha256, bytes_of(key, sizeof key), BYTES_LIST(in), &got);
        crypto_auth_hmacsha256(want, in.data, in.len, key);
        test_assert_bytes(digest_view(&got), bytes_of(want, 32));
    }
}

/* Ours is libsodium's. */
static void ed25519(void **state)
{
    (void)state;
    for (int n = 0; n < ROUNDS; n++) {
        uint8_t data[MOST_BYTES], seed[32], public_key[32], signature[64];
        struct bytes in = random_bytes(data, sizeof data);
        assert_ok(rng_fill(&rng, seed, sizeof seed));
        struct sig_key key;
        struct signature ours;
        assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &key));
        assert_ok(sig_sign(&key, in, &ours));
        EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, 32);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        size_t len = 32, signature_len = 64;
        assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, public_key, &len), 1);
        assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, pkey, NULL), 1);
        assert_int_equal(EVP_DigestSign(ctx, signature, &signature_len, in.data, in.len), 1);
        test_assert_bytes(public_key_view(&key.public_key), bytes_of(public_key, 32));
        test_assert_bytes(signature_view(&ours), bytes_of(signature, 64));
        EVP_MD_CTX_free(ctx);
        EVP_PKEY_free(pkey);
        sig_key_clear(&key);
    }
}

static void x25519(void **state)
{
    (void)state;
    for (int n = 0; n < ROUNDS; n++) {
        uint8_t scalar[32], point[32], ours[32], theirs[32];
        assert_ok(rng_fill(&rng, scalar, 32));
        assert_ok(rng_fill(&rng, point, 32)); /* on the curve or its twist, high bit set or not */
        assert_ok(dh_x25519.dh(&dh_x25519, bytes_of(scalar, 32), bytes_of(point, 32), ours));
        EVP_PKEY *a = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, scalar, 32);
        EVP_PKEY *b = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, point, 32);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, a, NULL);
        size_t len = 32;
        assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
        assert_int_equal(EVP_PKEY_derive_set_peer(ctx, b), 1);
        assert_int_equal(EVP_PKEY_derive(ctx, theirs, &len), 1);
        test_assert_bytes(bytes_of(ours, 32), bytes_of(theirs, 32));
        assert_ok(dh_x25519.public_of(&dh_x25519, bytes_of(scalar, 32), ours));
        assert_int_equal(EVP_PKEY_get_raw_public_key(a, theirs, &len), 1);
        test_assert_bytes(bytes_of(ours, 32), bytes_of(theirs, 32));
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(a);
        EVP_PKEY_free(b);
    }
}

static void openssl_chacha(const uint8_t key[32], const uint8_t nonce[12], struct bytes aad,
                           struct bytes in, uint8_t *out)
{
    int len;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex2(ctx, cipher, key, nonce, NULL), 1);
    if (aad.len > 0)
        assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &len, aad.data, (int)aad.len), 1);
    if (in.len > 0)
        assert_int_equal(EVP_EncryptUpdate(ctx, out, &len, in.data, (int)in.len), 1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, out + in.len, &len), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + in.len), 1);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
}

static void aeads(void **state)
{
    (void)state;
    for (int n = 0; n < ROUNDS; n++) {
        uint8_t text[MOST_BYTES], extra[64], nonce[12];
        uint8_t ours[MOST_BYTES + 16], theirs[MOST_BYTES + 16];
        struct bytes in = random_bytes(text, sizeof text);
        struct bytes aad = random_bytes(extra, sizeof extra);
        struct secret key;
        assert_ok(secret_random(&rng, 32, &key));
        assert_ok(rng_fill(&rng, nonce, sizeof nonce));
        assert_ok(aead_seal(&aead_chacha20_poly1305, &key, nonce, aad, in, ours));
        openssl_chacha(key.data, nonce, aad, in, theirs);
        test_assert_bytes(bytes_of(ours, in.len + 16), bytes_of(theirs, in.len + 16));
        if (!crypto_aead_aes256gcm_is_available())
            continue; /* libsodium has it only with the CPU's help */
        assert_ok(aead_seal(&aead_aes256_gcm, &key, nonce, aad, in, ours));
        crypto_aead_aes256gcm_encrypt(theirs, NULL, in.data, in.len, aad.data, aad.len, NULL, nonce,
                                      key.data);
        test_assert_bytes(bytes_of(ours, in.len + 16), bytes_of(theirs, in.len + 16));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(ed25519),
        cmocka_unit_test(x25519),
        cmocka_unit_test(aeads),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
