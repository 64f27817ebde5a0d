/* SHA-2, HMAC, HKDF with the numbers of FIPS 180-4's examples, RFC 4231, RFC 5869. */
#include "crypto/kdf.h"
#include "support/test.h"

static struct arena arena = {.cap_bytes = 1 << 22};

static struct bytes hex(const char *text)
{
    return test_hex(&arena, text);
}

static int forget(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static void check_hash(const struct hash_alg *alg, struct bytes in, const char *want)
{
    struct digest whole;
    hash_once(alg, in, &whole);
    test_assert_hex(digest_view(&whole), want);
    /* every split into two pieces, with the state forked between */
    for (size_t cut = 0; cut <= in.len; cut++) {
        struct hash first, copy;
        struct digest a, b;
        hash_init(&first, alg);
        hash_update(&first, bytes_of(in.data, cut));
        copy = first;
        hash_update(&first, bytes_of(in.data + cut, in.len - cut));
        hash_final(&first, &a);
        assert_memory_equal(a.data, whole.data, whole.len);
        hash_update(&copy, bytes_of(in.data + cut, in.len - cut));
        hash_final(&copy, &b);
        assert_memory_equal(b.data, whole.data, whole.len);
    }
}

static void sha2(void **state)
{
    (void)state;
    check_hash(&hash_sha256, bytes_of(NULL, 0),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_hash(&hash_sha256, bytes_str("abc"),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_hash(&hash_sha256, bytes_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_hash(&hash_sha384, bytes_str("abc"),
               "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
               "8086072ba1e7cc2358baeca134c825a7");
    check_hash(&hash_sha512, bytes_str("abc"),
               "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
               "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    check_hash(&hash_sha512,
               bytes_str("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                         "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
               "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
               "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
}

static void check_hmac(struct bytes key, struct bytes data, const char *mac256, const char *mac384,
                       const char *mac512)
{
    static const struct hash_alg *const algs[] = {&hash_sha256, &hash_sha384, &hash_sha512};
    const char *want[] = {mac256, mac384, mac512};
    for (size_t i = 0; i < 3; i++) {
        struct digest mac;
        hmac_once(algs[i], key, BYTES_LIST(data), &mac);
        test_assert_hex(digest_view(&mac), want[i]);
        assert_ok(hmac_verify(algs[i], key, BYTES_LIST(data), digest_view(&mac)));
        /* in full: neither a flipped last bit, nor a truncation, nor an extension passes */
        mac.data[mac.len - 1] ^= 1;
        assert_err(hmac_verify(algs[i], key, BYTES_LIST(data), digest_view(&mac)), CRYPTO_TAG);
        mac.data[mac.len - 1] ^= 1;
        mac.len--;
        assert_err(hmac_verify(algs[i], key, BYTES_LIST(data), digest_view(&mac)), CRYPTO_TAG);
        assert_err(hmac_verify(algs[i], key, BYTES_LIST(data), bytes_of(NULL, 0)), CRYPTO_TAG);
    }
}

/* RFC 4231: cases 1, 2 and 6 (a key longer than the blocks) */
static void hmac_sha2(void **state)
{
    (void)state;
    check_hmac(hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), bytes_str("Hi There"),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
               "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
               "faea9ea9076ede7f4af152e8b2fa9cb6",
               "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
               "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
    check_hmac(bytes_str("Jefe"), bytes_str("what do ya want for nothing?"),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
               "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
               "8e2240ca5e69e2c78b3239ecfab21649",
               "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
               "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
    uint8_t key[131];
    memset(key, 0xaa, sizeof key);
    check_hmac(bytes_of(key, sizeof key),
               bytes_str("Test Using Larger Than Block-Size Key - Hash Key First"),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
               "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
               "0c2ef6ab4030fe8296248df163f44952",
               "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
               "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
}

/* RFC 5869 A.1 to A.3 */
static void hkdf_sha256(void **state)
{
    (void)state;
    struct bytes ikm = hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    struct secret prk, out;
    kdf_extract(&kdf_hkdf_sha256, hex("000102030405060708090a0b0c"), BYTES_LIST(ikm), &prk);
    test_assert_hex(secret_view(&prk),
                    "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    assert_ok(kdf_expand(&kdf_hkdf_sha256, secret_view(&prk),
                         BYTES_LIST(hex("f0f1f2f3f4f5f6f7f8f9")), 42, &out));
    const char *okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                      "34007208d5b887185865";
    test_assert_hex(secret_view(&out), okm);
    /* pieces, and the output over the key */
    assert_ok(kdf_expand(&kdf_hkdf_sha256, secret_view(&prk),
                         BYTES_LIST(hex("f0f1f2f3f4"), hex(""), hex("f5f6f7f8f9")), 42, &prk));
    test_assert_hex(secret_view(&prk), okm);

    uint8_t a[80], b[80], c[80];
    for (uint8_t i = 0; i < 80; i++) {
        a[i] = i;
        b[i] = (uint8_t)(0x60 + i);
        c[i] = (uint8_t)(0xb0 + i);
    }
    kdf_extract(&kdf_hkdf_sha256, bytes_of(b, 80),
                BYTES_LIST(bytes_of(a, 40), bytes_of(a + 40, 40)), &prk);
    test_assert_hex(secret_view(&prk),
                    "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244");
    uint8_t long_out[82];
    assert_ok(kdf_expand_into(&kdf_hkdf_sha256, secret_view(&prk), BYTES_LIST(bytes_of(c, 80)), 82,
                              long_out));
    test_assert_hex(bytes_of(long_out, 82),
                    "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
                    "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
                    "cc30c58179ec3e87c14c01d5c1f3434f1d87");

    kdf_extract(&kdf_hkdf_sha256, bytes_of(NULL, 0), BYTES_LIST(ikm), &prk);
    test_assert_hex(secret_view(&prk),
                    "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
    assert_ok(
        kdf_expand(&kdf_hkdf_sha256, secret_view(&prk), BYTES_LIST(bytes_of(NULL, 0)), 42, &out));
    test_assert_hex(secret_view(&out), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c"
                                       "738d2d9d201395faa4b61a96c8");
}

static void hkdf_lengths(void **state)
{
    (void)state;
    struct bytes prk = bytes_str("0123456789abcdef0123456789abcdef");
    static uint8_t out[255 * 64 + 1];
    static const struct kdf_alg *const algs[] = {&kdf_hkdf_sha256, &kdf_hkdf_sha384,
                                                 &kdf_hkdf_sha512};
    for (size_t i = 0; i < 3; i++) {
        size_t most = 255 * algs[i]->hash->bytes;
        memset(out, 0xee, sizeof out);
        assert_ok(kdf_expand_into(algs[i], prk, BYTES_LIST(prk), most, out));
        assert_int_equal(out[most], 0xee);
        assert_err(kdf_expand_into(algs[i], prk, BYTES_LIST(prk), most + 1, out), CRYPTO_LENGTH);
    }
    struct secret s = {.len = 3};
    assert_ok(kdf_expand(algs[0], prk, BYTES_LIST(prk), 0, &s));
    assert_int_equal(s.len, 0);
    assert_ok(kdf_expand(algs[0], prk, BYTES_LIST(prk), SECRET_MAX_BYTES, &s));
    s.len = 3;
    assert_err(kdf_expand(algs[0], prk, BYTES_LIST(prk), SECRET_MAX_BYTES + 1, &s), CRYPTO_LENGTH);
    assert_int_equal(s.len, 3);
}

static void secrets(void **state)
{
    (void)state;
    struct secret a = {0}, b = {0};
    assert_true(secret_equal(&a, &b));
    assert_ok(secret_set(bytes_str("one"), &a));
    assert_false(secret_equal(&a, &b));
    assert_ok(secret_set(bytes_str("onf"), &b));
    assert_false(secret_equal(&a, &b));
    assert_ok(secret_set(bytes_str("one"), &b));
    assert_true(secret_equal(&a, &b));
    uint8_t long_value[SECRET_MAX_BYTES + 1] = {0};
    assert_err(secret_set(bytes_of(long_value, sizeof long_value), &a), TOO_LARGE);
    assert_true(secret_equal(&a, &b));
    /* from within itself */
    assert_ok(secret_set(bytes_of(a.data + 1, 2), &a));
    test_assert_bytes(secret_view(&a), bytes_str("ne"));
    secret_set_zero(32, &b);
    test_assert_bytes(secret_view(&b), bytes_of(long_value, 32));
    assert_ok(secret_set(bytes_str("three"), &b));
    secret_clear(&b);
    assert_int_equal(b.len, 0);
    assert_memory_equal(b.data, long_value, SECRET_MAX_BYTES);
    assert_err(secret_random(&rng_system, SECRET_MAX_BYTES + 1, &b), TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sha2, forget),
        cmocka_unit_test_teardown(hmac_sha2, forget),
        cmocka_unit_test_teardown(hkdf_sha256, forget),
        cmocka_unit_test(hkdf_lengths),
        cmocka_unit_test(secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
