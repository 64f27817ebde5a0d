/* ECVRF: RFC 9381 B.3, and what a malicious prover may try. */
#include <sodium.h>

#include "crypto/hash.h"
#include "crypto/vrf.h"
#include "support/test.h"

static struct arena arena;

/* The three examples of RFC 9381 B.3. */
static const struct {
    const char *secret, *public_key, *alpha, *proof, *output;
} examples[] = {{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                 "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f"
                 "26f8a57ccaed74ee1b190bed1f479d9727d2d0f9b005a6e456a35d4fb0daab12"
                 "68a1b0db10836d9826a528ca76567805",
                 "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff"
                 "66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae"},
                {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                 "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed593"
                 "3bf0864a62558b3ed7f2fea45c92a465301b3bbf5e3e54ddf2d935be3b67926d"
                 "a3ef39226bbc355bdc9850112c8f4b02",
                 "eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb"
                 "5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031"},
                {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                 "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf80"
                 "96bb474e53895c362d8628ee9f9ea3c0e52c7a5c691b6c18c9979866568add7a"
                 "2d41b00b05081ed0f58ee5e31b3a970e",
                 "645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c45"
                 "2118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f"}};
enum { EXAMPLES = sizeof examples / sizeof *examples };

static struct vrf_key key_of(size_t example)
{
    struct vrf_key key;
    assert_ok(vrf_key_init(test_hex(&arena, examples[example].secret), &key));
    return key;
}

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct vrf_key key = key_of(i);
        uint8_t proof[VRF_PROOF_BYTES], output[VRF_OUTPUT_BYTES], again[VRF_OUTPUT_BYTES] = {0};
        struct bytes alpha = test_hex(&arena, examples[i].alpha);
        test_assert_hex(bytes_of(key.public_key, sizeof key.public_key), examples[i].public_key);
        assert_ok(vrf_prove(&key, alpha, proof, output));
        test_assert_hex(bytes_of(proof, sizeof proof), examples[i].proof);
        test_assert_hex(bytes_of(output, sizeof output), examples[i].output);
        assert_ok(
            vrf_verify(bytes_of(key.public_key, 32), alpha, bytes_of(proof, sizeof proof), again));
        assert_memory_equal(output, again, sizeof output);
        vrf_key_clear(&key);
        assert_true(sodium_is_zero((const uint8_t *)&key, sizeof key));
    }
}

/* Every bit of a proof, another alpha, another key, another length: refused, and nothing written.
 */
static void test_refusals(void **state)
{
    (void)state;
    struct vrf_key key = key_of(1), other = key_of(2);
    uint8_t proof[VRF_PROOF_BYTES], output[VRF_OUTPUT_BYTES], untouched[VRF_OUTPUT_BYTES] = {7};
    struct bytes alpha = bytes_str("alpha"), whole = bytes_of(proof, sizeof proof);
    struct bytes mine = bytes_of(key.public_key, 32);
    assert_ok(vrf_prove(&key, alpha, proof, output));
    for (size_t i = 0; i < sizeof proof * 8; i++) {
        proof[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_err(vrf_verify(mine, alpha, whole, untouched), CRYPTO_VRF);
        proof[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_err(vrf_verify(mine, bytes_str("alphb"), whole, untouched), CRYPTO_VRF);
    assert_err(vrf_verify(bytes_of(other.public_key, 32), alpha, whole, untouched), CRYPTO_VRF);
    assert_err(vrf_verify(mine, alpha, bytes_of(proof, 79), untouched), CRYPTO_VRF);
    assert_err(vrf_verify(bytes_of(key.public_key, 31), alpha, whole, untouched),
               CRYPTO_KEY_LENGTH);
    assert_err(vrf_key_init(bytes_of(proof, 31), &key), CRYPTO_KEY_LENGTH);
    assert_int_equal(untouched[0], 7);
    assert_ok(vrf_verify(mine, alpha, whole, untouched));
    assert_memory_equal(untouched, output, sizeof output);
}

/* s + q is the same scalar written otherwise: a second proof for one output, refused (RFC 9381
 * 5.4.4 step 8). */
static void test_scalar_canonical(void **state)
{
    (void)state;
    struct vrf_key key = key_of(0);
    uint8_t proof[VRF_PROOF_BYTES], output[VRF_OUTPUT_BYTES];
    struct bytes order =
        test_hex(&arena, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    assert_ok(vrf_prove(&key, bytes_str("a"), proof, output));
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)proof[48 + i] + order.data[i];
        proof[48 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_err(
        vrf_verify(bytes_of(key.public_key, 32), bytes_str("a"), bytes_of(proof, 80), output),
        CRYPTO_VRF);
    memcpy(proof + 48, order.data, 32); /* s = q */
    assert_err(
        vrf_verify(bytes_of(key.public_key, 32), bytes_str("a"), bytes_of(proof, 80), output),
        CRYPTO_VRF);
    memset(proof + 48, 0, 32); /* s = 0 */
    assert_err(
        vrf_verify(bytes_of(key.public_key, 32), bytes_str("a"), bytes_of(proof, 80), output),
        CRYPTO_VRF);
}

/* The eight points of small order, and the ways of writing them that are not canonical. */
static const char *const small_order[] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

static void test_small_order(void **state)
{
    (void)state;
    struct vrf_key key = key_of(0);
    uint8_t proof[VRF_PROOF_BYTES], output[VRF_OUTPUT_BYTES];
    assert_ok(vrf_prove(&key, bytes_str("a"), proof, output));
    for (size_t i = 0; i < sizeof small_order / sizeof *small_order; i++) {
        struct bytes point = test_hex(&arena, small_order[i]);
        assert_err(vrf_check_public(point), CRYPTO_KEY);
        assert_err(vrf_verify(point, bytes_str("a"), bytes_of(proof, 80), output), CRYPTO_KEY);
        uint8_t forged[VRF_PROOF_BYTES];
        memcpy(forged, proof, sizeof forged);
        memcpy(forged, point.data, 32); /* Gamma */
        assert_err(
            vrf_verify(bytes_of(key.public_key, 32), bytes_str("a"), bytes_of(forged, 80), output),
            CRYPTO_VRF);
    }
}

/* A prover who knows the key adds a point of order 2 to Gamma and tries nonces until c is even:
 * then c*T vanishes from V, all equations of RFC 9381 5.3 hold, and there is a second proof of the
 * output. Built here from the equations; refused for Gamma's order alone. */
static void test_cofactor_in_gamma(void **state)
{
    (void)state;
    static const uint8_t head[2] = {3, 2}, back[1] = {0};
    struct vrf_key key = key_of(0);
    struct bytes two = test_hex(&arena, small_order[1]), mine = bytes_of(key.public_key, 32);
    uint8_t proof[VRF_PROOF_BYTES], output[VRF_OUTPUT_BYTES], inverse[32], h[32], u[32], v[32];
    assert_ok(vrf_prove(&key, bytes_str("a"), proof, output));
    assert_int_equal(crypto_core_ed25519_scalar_invert(inverse, key.scalar), 0);
    assert_int_equal(crypto_scalarmult_ed25519_noclamp(h, inverse, proof), 0);
    uint8_t forged[VRF_PROOF_BYTES];
    for (uint8_t k[32] = {1};; k[0]++) {
        struct digest digest;
        uint8_t c[32] = {0};
        assert_int_equal(crypto_core_ed25519_add(forged, proof, two.data), 0);
        assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(u, k), 0);
        assert_int_equal(crypto_scalarmult_ed25519_noclamp(v, k, h), 0);
        hash_list(&hash_sha512,
                  BYTES_LIST(bytes_of(head, 2), mine, bytes_of(h, 32), bytes_of(forged, 32),
                             bytes_of(u, 32), bytes_of(v, 32), bytes_of(back, 1)),
                  &digest);
        if (digest.data[0] & 1)
            continue;
        memcpy(c, digest.data, 16);
        memcpy(forged + 32, c, 16);
        crypto_core_ed25519_scalar_mul(forged + 48, c, key.scalar);
        crypto_core_ed25519_scalar_add(forged + 48, forged + 48, k);
        break;
    }
    assert_err(vrf_verify(mine, bytes_str("a"), bytes_of(forged, 80), output), CRYPTO_VRF);
    /* the same of the public key */
    assert_int_equal(crypto_core_ed25519_add(u, key.public_key, two.data), 0);
    assert_err(vrf_check_public(bytes_of(u, 32)), CRYPTO_KEY);
}

/* Many alphas, so that candidates are passed over once, twice, many times. */
static void test_many(void **state)
{
    (void)state;
    struct vrf_key key = key_of(2);
    for (uint8_t i = 0; i < 64; i++) {
        uint8_t proof[VRF_PROOF_BYTES], output[VRF_OUTPUT_BYTES], again[VRF_OUTPUT_BYTES];
        assert_ok(vrf_prove(&key, bytes_of(&i, 1), proof, output));
        assert_ok(
            vrf_verify(bytes_of(key.public_key, 32), bytes_of(&i, 1), bytes_of(proof, 80), again));
        assert_memory_equal(output, again, sizeof output);
    }
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),          cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_scalar_canonical),  cmocka_unit_test(test_small_order),
        cmocka_unit_test(test_cofactor_in_gamma), cmocka_unit_test(test_many),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_clear(&arena);
    return failed;
}
