/* Ed25519 and Ed448 with the numbers of RFC 8032 7.1 and 7.4, and the signatures that must not
 * pass. */
#include "crypto/sig.h"
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

static void check_known(const struct sig_alg *alg, const char *private_key, const char *public_key,
                        const char *message, const char *want)
{
    struct sig_key key;
    struct signature signature;
    assert_ok(sig_key_init(alg, hex(private_key), &key));
    test_assert_hex(public_key_view(&key.public_key), public_key);
    assert_ok(sig_sign(&key, hex(message), &signature));
    test_assert_bytes(signature_view(&signature), hex(want));
    assert_ok(sig_verify(alg, hex(public_key), hex(message), hex(want)));
    sig_key_clear(&key);
    sig_key_clear(&key); /* the zero state may be cleared */
}

static void ed25519_known(void **state)
{
    (void)state;
    check_known(&sig_ed25519, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    check_known(&sig_ed25519, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    check_known(&sig_ed25519, "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
}

static void ed448_known(void **state)
{
    (void)state;
    check_known(&sig_ed448,
                "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e"
                "39a3fc5b94492f8f032e7549a20098f95b",
                "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c706"
                "1bd6783df1e50f6cd1fa1abeafe8256180",
                "",
                "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281"
                "f2fd7a22ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b41"
                "04852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600");
    check_known(&sig_ed448,
                "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c"
                "5e3bc397a659949ef8021e954e0a12274e",
                "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802"
                "b8438ea4cb82169c235160627b4c3a9480",
                "03",
                "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7"
                "e18f62de8ccdf633fc1bf037ab7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336"
                "c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c03a00");
}

static const struct sig_alg *const algs[] = {&sig_ed25519, &sig_ed448};

static void every_bit_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sig_key key;
        struct signature s;
        struct bytes message = bytes_str("message");
        assert_ok(sig_key_generate(algs[i], &rng_system, &key));
        struct bytes public_key = public_key_view(&key.public_key);
        assert_ok(sig_sign(&key, message, &s));
        assert_int_equal(s.len, algs[i]->signature_max_bytes);
        for (size_t bit = 0; bit < 8 * s.len; bit++) {
            s.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_err(sig_verify(algs[i], public_key, message, signature_view(&s)),
                       CRYPTO_SIGNATURE);
            s.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t len = 0; len < s.len; len++)
            assert_err(sig_verify(algs[i], public_key, message, bytes_of(s.data, len)),
                       CRYPTO_SIGNATURE);
        assert_err(sig_verify(algs[i], public_key, message, bytes_of(s.data, s.len + 1)),
                   CRYPTO_SIGNATURE);
        assert_err(sig_verify(algs[i], public_key, bytes_str("massage"), signature_view(&s)),
                   CRYPTO_SIGNATURE);
        assert_ok(sig_verify(algs[i], public_key, message, signature_view(&s)));
        struct sig_verifier verifier;
        assert_ok(sig_verifier_init(algs[i], public_key, &verifier));
        for (int n = 0; n < 3; n++) {
            assert_ok(sig_verifier_verify(&verifier, message, signature_view(&s)));
            assert_err(sig_verifier_verify(&verifier, public_key, signature_view(&s)),
                       CRYPTO_SIGNATURE);
        }
        sig_verifier_clear(&verifier);
        sig_verifier_clear(&verifier);
        sig_key_clear(&key);
    }
}

/* S + L satisfies the equation and must be refused: RFC 8032 5.1.7 and 5.2.7 (malleability). */
static void s_not_below_order(void **state)
{
    (void)state;
    static const char *const orders[] = {
        "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010",
        "f34458ab92c27823558fc58d72c26c219036d6ae49db4ec4e923ca7cffffffff"
        "ffffffffffffffffffffffffffffffffffffffffffffff3f00",
    };
    for (size_t i = 0; i < 2; i++) {
        struct sig_key key;
        struct signature s;
        struct bytes message = bytes_str("message");
        assert_ok(sig_key_generate(algs[i], &rng_system, &key));
        assert_ok(sig_sign(&key, message, &s));
        struct bytes order = hex(orders[i]);
        uint8_t *half = s.data + s.len / 2;
        assert_int_equal(order.len, s.len / 2);
        unsigned carry = 0;
        for (size_t at = 0; at < order.len; at++) {
            carry += (unsigned)half[at] + order.data[at];
            half[at] = (uint8_t)carry;
            carry >>= 8;
        }
        assert_err(
            sig_verify(algs[i], public_key_view(&key.public_key), message, signature_view(&s)),
            CRYPTO_SIGNATURE);
        sig_key_clear(&key);
    }
}

/* Under the identity as a key, R = identity and S = 0 satisfy the equation for every message. */
static void keys_of_small_order(void **state)
{
    (void)state;
    static const char *const points25519[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        /* and in non-canonical form: y = p + 1, and a sign bit on x = 0 */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
    };
    uint8_t signature[64] = {1};
    for (size_t i = 0; i < sizeof points25519 / sizeof *points25519; i++)
        for (uint8_t n = 0; n < 32; n++)
            assert_err(sig_verify(&sig_ed25519, hex(points25519[i]), bytes_of(&n, 1),
                                  bytes_of(signature, sizeof signature)),
                       CRYPTO_SIGNATURE);

    static const char *const points448[] = {
        "01", "81" /* low byte of y with the sign bit in the last, see below */, "00", "80"};
    for (size_t i = 0; i < 4; i++) {
        uint8_t key[57] = {0};
        struct bytes text = hex(points448[i]);
        key[0] = text.data[0] & 0x7f;
        key[56] = text.data[0] & 0x80;
        assert_err(sig_check_public(&sig_ed448, bytes_of(key, sizeof key)), CRYPTO_KEY);
        uint8_t zero[114] = {1};
        assert_err(sig_verify(&sig_ed448, bytes_of(key, sizeof key), bytes_str("m"),
                              bytes_of(zero, sizeof zero)),
                   CRYPTO_KEY);
    }
    uint8_t minus_one[57];
    memset(minus_one, 0xff, sizeof minus_one);
    minus_one[0] = 0xfe;
    minus_one[28] = 0xfe;
    minus_one[56] = 0;
    assert_err(sig_check_public(&sig_ed448, bytes_of(minus_one, sizeof minus_one)), CRYPTO_KEY);
}

/* A y with no x, and one beyond p */
static void keys_off_the_curve(void **state)
{
    (void)state;
    uint8_t signature[114] = {0};
    uint8_t key[57] = {2}; /* y = 2 is on neither curve */
    assert_err(sig_verify(&sig_ed25519, bytes_of(key, 32), bytes_str("m"), bytes_of(signature, 64)),
               CRYPTO_SIGNATURE);
    assert_err(sig_verify(&sig_ed448, bytes_of(key, 57), bytes_str("m"), bytes_of(signature, 114)),
               CRYPTO_SIGNATURE);
    memset(key, 0xff, sizeof key);
    assert_err(sig_verify(&sig_ed25519, bytes_of(key, 32), bytes_str("m"), bytes_of(signature, 64)),
               CRYPTO_SIGNATURE);
    assert_err(sig_verify(&sig_ed448, bytes_of(key, 57), bytes_str("m"), bytes_of(signature, 114)),
               CRYPTO_SIGNATURE);
}

static void wrong_lengths(void **state)
{
    (void)state;
    uint8_t zeros[140] = {0};
    for (size_t i = 0; i < 2; i++) {
        struct sig_key key = {0};
        struct sig_verifier verifier;
        for (size_t len = 0; len < 64; len++) {
            if (len != algs[i]->private_bytes)
                assert_err(sig_key_init(algs[i], bytes_of(zeros, len), &key), CRYPTO_KEY_LENGTH);
            if (len == algs[i]->public_bytes)
                continue;
            assert_err(sig_check_public(algs[i], bytes_of(zeros, len)), CRYPTO_KEY_LENGTH);
            assert_err(sig_verifier_init(algs[i], bytes_of(zeros, len), &verifier),
                       CRYPTO_KEY_LENGTH);
            assert_err(sig_verify(algs[i], bytes_of(zeros, len), bytes_str("m"),
                                  bytes_of(zeros, algs[i]->signature_max_bytes)),
                       CRYPTO_KEY_LENGTH);
        }
        assert_null(key.alg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(ed25519_known, forget),
        cmocka_unit_test_teardown(ed448_known, forget),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test_teardown(s_not_below_order, forget),
        cmocka_unit_test_teardown(keys_of_small_order, forget),
        cmocka_unit_test(keys_off_the_curve),
        cmocka_unit_test(wrong_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
