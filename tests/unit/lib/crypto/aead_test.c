/* AEADs with the numbers of NIST's GCM specification (cases 2, 4, 14, 16) and RFC 8439 2.8.2. */
#include "crypto/aead.h"
#include "support/test.h"

static struct arena arena = {.cap_bytes = 1 << 22};

static int forget(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

struct known {
    const struct aead_alg *alg;
    const char *key, *nonce, *aad, *plaintext, *ciphertext;
};

static const struct known cases[] = {
    {&aead_aes128_gcm, "00000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000",
     "0388dace60b6a392f328c2b971b2fe78 ab6e47d42cec13bdf53a67b21257bddf"},
    {&aead_aes128_gcm, "00000000000000000000000000000000", "000000000000000000000000", "", "",
     "58e2fccefa7e3061367f1d57a4e7455a"},
    {&aead_aes128_gcm, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
     "49a6b525b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5a"
     "ac84aa051ba30b396a0aac973d58e091 5bc94fbc3221a5db94fae95ae7121a47"},
    {&aead_aes256_gcm, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919"},
    {&aead_aes256_gcm, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
     "49a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
     "56828838c5f61e6393ba7a0abcc9f662 76fc6ece0f4e1768cddf8853bb2d551b"},
    {&aead_chacha20_poly1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966"
     "204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f722074686520667574"
     "7572652c2073756e73637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69"
     "da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675"
     "945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116 1ae10b594f09e26a7e902ecbd0600691"},
};

static void known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct known *c = &cases[i];
        struct secret key;
        assert_ok(secret_set(test_hex(&arena, c->key), &key));
        struct bytes nonce = test_hex(&arena, c->nonce);
        assert_int_equal(nonce.len, AEAD_NONCE_BYTES);
        struct bytes aad = test_hex(&arena, c->aad);
        struct bytes plaintext = test_hex(&arena, c->plaintext);
        struct bytes ciphertext = test_hex(&arena, c->ciphertext);
        uint8_t out[256];
        assert_ok(aead_seal(c->alg, &key, nonce.data, aad, plaintext, out));
        test_assert_bytes(bytes_of(out, plaintext.len + AEAD_TAG_BYTES), ciphertext);
        /* in place, both ways */
        memcpy(out, plaintext.data, plaintext.len);
        assert_ok(aead_seal(c->alg, &key, nonce.data, aad, bytes_of(out, plaintext.len), out));
        test_assert_bytes(bytes_of(out, ciphertext.len), ciphertext);
        assert_ok(aead_open(c->alg, &key, nonce.data, aad, bytes_of(out, ciphertext.len), out));
        test_assert_bytes(bytes_of(out, plaintext.len), plaintext);
    }
}

/* Every bit of ciphertext and tag, nonce and additional data matters; a failure leaves no
 * plaintext. */
static void tampering(void **state)
{
    (void)state;
    static const struct aead_alg *const algs[] = {&aead_aes128_gcm, &aead_aes256_gcm,
                                                  &aead_chacha20_poly1305};
    for (size_t i = 0; i < 3; i++) {
        struct secret key;
        secret_set_zero(algs[i]->key_bytes, &key);
        uint8_t nonce[AEAD_NONCE_BYTES] = {1};
        uint8_t aad[3] = "aad";
        uint8_t text[20] = "a text of some bytes";
        uint8_t sealed[sizeof text + AEAD_TAG_BYTES], opened[sizeof text];
        struct bytes aad_view = bytes_of(aad, sizeof aad);
        struct bytes sealed_view = bytes_of(sealed, sizeof sealed);
        assert_ok(aead_seal(algs[i], &key, nonce, aad_view, bytes_of(text, sizeof text), sealed));
        for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
            memset(opened, 0, sizeof opened);
            assert_err(aead_open(algs[i], &key, nonce, aad_view, sealed_view, opened), CRYPTO_TAG);
            static const uint8_t none[sizeof opened];
            assert_memory_equal(opened, none, sizeof opened);
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t len = 0; len < sizeof sealed; len++)
            assert_err(aead_open(algs[i], &key, nonce, aad_view, bytes_of(sealed, len), opened),
                       CRYPTO_TAG);
        aad[2] ^= 1;
        assert_err(aead_open(algs[i], &key, nonce, aad_view, sealed_view, opened), CRYPTO_TAG);
        assert_err(aead_open(algs[i], &key, nonce, bytes_of(aad, 2), sealed_view, opened),
                   CRYPTO_TAG);
        aad[2] ^= 1;
        nonce[11] ^= 1;
        assert_err(aead_open(algs[i], &key, nonce, aad_view, sealed_view, opened), CRYPTO_TAG);
        nonce[11] ^= 1;
        assert_ok(aead_open(algs[i], &key, nonce, aad_view, sealed_view, opened));
        key.len--;
        assert_err(aead_open(algs[i], &key, nonce, aad_view, sealed_view, opened),
                   CRYPTO_KEY_LENGTH);
        assert_err(aead_seal(algs[i], &key, nonce, aad_view, aad_view, sealed), CRYPTO_KEY_LENGTH);
        key.len += 2;
        assert_err(aead_seal(algs[i], &key, nonce, aad_view, aad_view, sealed), CRYPTO_KEY_LENGTH);
    }
}

/* Lengths are refused before anything is read: the pointer leads nowhere. */
static void too_large(void **state)
{
    (void)state;
    struct secret key;
    secret_set_zero(16, &key);
    uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    uint8_t out[32];
    struct bytes huge = bytes_of(out, (size_t)1 << 31);
    assert_err(aead_seal(&aead_aes128_gcm, &key, nonce, bytes_of(NULL, 0), huge, out), TOO_LARGE);
    assert_err(aead_seal(&aead_aes128_gcm, &key, nonce, huge, bytes_of(NULL, 0), out), TOO_LARGE);
    assert_err(aead_open(&aead_aes128_gcm, &key, nonce, bytes_of(NULL, 0), huge, out), TOO_LARGE);
    assert_err(aead_seal(&aead_export_only, &key, nonce, bytes_of(NULL, 0), bytes_of(NULL, 0), out),
               WRONG_STATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(known_answers, forget),
        cmocka_unit_test(tampering),
        cmocka_unit_test(too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
