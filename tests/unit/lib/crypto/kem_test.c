/* The DH groups with the numbers of RFC 7748 5.2, and the KEMs over them: hostile keys, lengths,
 * the rejection loop. RFC 9180's own vectors are in hpke_vectors_test.c. */
#include "crypto/dh.h"
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

static const struct kem_alg *const kems[] = {&kem_x25519, &kem_x448, &kem_p256, &kem_p384,
                                             &kem_p521};
enum { KEMS = sizeof kems / sizeof *kems };

static void check_dh(const struct kem_ops *ops, const char *scalar, const char *point,
                     const char *want)
{
    uint8_t out[DH_MAX_BYTES];
    assert_ok(ops->dh(ops, hex(scalar), hex(point), out));
    test_assert_hex(bytes_of(out, ops->dh_bytes), want);
}

/* k, u = DH(k, u), k, from the base point; compared after 1 and 1,000 steps */
static void check_iterated(const struct kem_ops *ops, uint8_t base, const char *after_1,
                           const char *after_1000)
{
    uint8_t k[DH_MAX_BYTES] = {base}, u[DH_MAX_BYTES] = {base}, out[DH_MAX_BYTES];
    for (int n = 1; n <= 1000; n++) {
        assert_ok(ops->dh(ops, bytes_of(k, ops->dh_bytes), bytes_of(u, ops->dh_bytes), out));
        memcpy(u, k, sizeof u);
        memcpy(k, out, ops->dh_bytes);
        if (n == 1)
            test_assert_hex(bytes_of(k, ops->dh_bytes), after_1);
    }
    test_assert_hex(bytes_of(k, ops->dh_bytes), after_1000);
}

static void x25519(void **state)
{
    (void)state;
    assert_ok(kem_check_public(&kem_x25519, bytes_of("0123456789abcdef0123456789abcdef", 32)));
    check_dh(&dh_x25519, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
             "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
             "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    /* this point of the RFC has its high bit set, which is to be ignored: the same without it */
    check_dh(&dh_x25519, "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
             "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
             "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
    check_dh(&dh_x25519, "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
             "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a413",
             "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
    check_iterated(&dh_x25519, 9,
                   "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
                   "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

static void x448(void **state)
{
    (void)state;
    check_dh(&dh_x448,
             "3d262fddf9ec8e88495266fea19a34d28882acef045104d0d1aae121700a779c984c24f8cdd78fbf"
             "f44943eba368f54b29259a4f1c600ad3",
             "06fce640fa3487bfda5f6cf2d5263f8aad88334cbd07437f020f08f9814dc031ddbdc38c19c6da25"
             "83fa5429db94ada18aa7a7fb4ef8a086",
             "ce3e4ff95a60dc6697da1db1d85e6afbdf79b50a2412d7546d5f239fe14fbaadeb445fc66a01b077"
             "9d98223961111e21766282f73dd96b6f");
    check_iterated(
        &dh_x448, 5,
        "3f482c8a9f19b01e6c46ee9711d9dc14fd4bf67af30765c2ae2b846a4d23a8cd0db897086239492c"
        "af350b51f833868b9bc2b3bca9cf4113",
        "aa3b4749d55b9daf1e5b00288826c467274ce3ebbdd5c17b975e09d4af6c67cf10d087202db88286"
        "e2b79fceea3ec353ef54faa26e219f38");
}

static void check_refused(const struct kem_alg *kem, struct bytes public_key, enum err_code code)
{
    struct secret own, shared = {.len = 1};
    struct public_key own_public, enc = {.len = 2};
    assert_ok(kem_generate(kem, &rng_system, &own, &own_public));
    assert_int_equal(kem_encap(kem, &rng_system, public_key, &shared, &enc).code, code);
    assert_int_equal(
        kem_decap(kem, secret_view(&own), public_key_view(&own_public), public_key, &shared).code,
        code);
    assert_int_equal(kem_decap(kem, secret_view(&own), bytes_of(NULL, 0), public_key, &shared).code,
                     code);
    /* outputs are written on success only */
    assert_int_equal(shared.len, 1);
    assert_int_equal(enc.len, 2);
}

/* Points of order 1, 2, 4 and 8, canonical and not: RFC 7748 6.1, 7 */
static void all_zero_shared_secret(void **state)
{
    (void)state;
    static const char *const x25519_points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    };
    for (size_t i = 0; i < sizeof x25519_points / sizeof *x25519_points; i++)
        check_refused(&kem_x25519, hex(x25519_points[i]), ERR_CRYPTO_DH_ZERO);
    uint8_t point[56] = {0};
    check_refused(&kem_x448, bytes_of(point, 56), ERR_CRYPTO_DH_ZERO);
    point[0] = 1;
    check_refused(&kem_x448, bytes_of(point, 56), ERR_CRYPTO_DH_ZERO);
    memset(point, 0xff, sizeof point); /* p - 1, then p and p + 1 = 1 */
    point[28] = 0xfe;
    point[0] = 0xfe;
    check_refused(&kem_x448, bytes_of(point, 56), ERR_CRYPTO_DH_ZERO);
    point[0] = 0xff;
    check_refused(&kem_x448, bytes_of(point, 56), ERR_CRYPTO_DH_ZERO);
}

static void nist_points(void **state)
{
    (void)state;
    for (size_t i = 2; i < KEMS; i++) {
        const struct kem_alg *kem = kems[i];
        struct secret private_key;
        struct public_key good, bad;
        assert_ok(kem_generate(kem, &rng_system, &private_key, &good));
        assert_ok(kem_check_public(kem, public_key_view(&good)));
        bad = good;
        bad.data[bad.len - 1] ^= 1; /* off the curve */
        check_refused(kem, public_key_view(&bad), ERR_CRYPTO_KEY);
        assert_err(kem_check_public(kem, public_key_view(&bad)), CRYPTO_KEY);
        bad = good;
        bad.data[0] = (uint8_t)(6 | (good.data[good.len - 1] & 1)); /* hybrid */
        check_refused(kem, public_key_view(&bad), ERR_CRYPTO_KEY);
        bad.data[0] = (uint8_t)(2 | (good.data[good.len - 1] & 1)); /* compressed */
        check_refused(kem, bytes_of(bad.data, 1 + good.len / 2), ERR_CRYPTO_KEY_LENGTH);
        bad.data[0] = 0; /* infinity */
        check_refused(kem, bytes_of(bad.data, 1), ERR_CRYPTO_KEY_LENGTH);
        memset(bad.data, 0, sizeof bad.data);
        check_refused(kem, public_key_view(&bad), ERR_CRYPTO_KEY);
        bad.data[0] = 4;
        check_refused(kem, public_key_view(&bad), ERR_CRYPTO_KEY);
        memset(bad.data + 1, 0xff, bad.len - 1); /* not below p */
        check_refused(kem, public_key_view(&bad), ERR_CRYPTO_KEY);
        /* private keys out of range */
        uint8_t scalar[66] = {0};
        assert_err(kem_public_of(kem, bytes_of(scalar, kem->private_bytes), &bad), CRYPTO_KEY);
        struct secret shared;
        assert_err(kem_decap(kem, bytes_of(scalar, kem->private_bytes), public_key_view(&good),
                             public_key_view(&good), &shared),
                   CRYPTO_KEY);
        memset(scalar, 0xff, sizeof scalar);
        assert_err(kem_public_of(kem, bytes_of(scalar, kem->private_bytes), &bad), CRYPTO_KEY);
    }
}

static void lengths(void **state)
{
    (void)state;
    uint8_t zeros[140] = {4};
    for (size_t i = 0; i < KEMS; i++) {
        const struct kem_alg *kem = kems[i];
        struct public_key public_key;
        struct secret shared;
        for (size_t len = 0; len <= sizeof zeros; len++) {
            if (len != kem->private_bytes)
                assert_err(kem_public_of(kem, bytes_of(zeros, len), &public_key),
                           CRYPTO_KEY_LENGTH);
            if (len == kem->public_bytes)
                continue;
            assert_err(kem_check_public(kem, bytes_of(zeros, len)), CRYPTO_KEY_LENGTH);
            check_refused(kem, bytes_of(zeros, len), ERR_CRYPTO_KEY_LENGTH);
            if (len > 0)
                assert_err(kem_decap(kem, bytes_of(zeros, kem->private_bytes), bytes_of(zeros, len),
                                     bytes_of(zeros, kem->public_bytes), &shared),
                           CRYPTO_KEY_LENGTH);
        }
    }
}

static void agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEMS; i++) {
        const struct kem_alg *kem = kems[i];
        struct secret private_key, a, b, c;
        struct public_key public_key, enc, enc2;
        assert_ok(kem_generate(kem, &rng_system, &private_key, &public_key));
        assert_int_equal(private_key.len, kem->private_bytes);
        assert_ok(kem_encap(kem, &rng_system, public_key_view(&public_key), &a, &enc));
        assert_int_equal(a.len, kem->secret_bytes);
        assert_int_equal(enc.len, kem->public_bytes);
        assert_ok(kem_decap(kem, secret_view(&private_key), bytes_of(NULL, 0),
                            public_key_view(&enc), &b));
        assert_true(secret_equal(&a, &b));
        assert_ok(kem_encap(kem, &rng_system, public_key_view(&public_key), &c, &enc2));
        assert_false(secret_equal(&a, &c));
    }
}

static struct err failing(void *self, uint8_t *out, size_t len)
{
    (void)self;
    (void)out;
    (void)len;
    return ERR(IO);
}

static void rng_failure(void **state)
{
    (void)state;
    const struct rng broken = {failing, NULL};
    for (size_t i = 0; i < KEMS; i++) {
        struct secret private_key = {0}, shared = {0};
        struct public_key public_key, enc = {0};
        assert_err(kem_generate(kems[i], &broken, &private_key, &enc), IO);
        assert_ok(kem_generate(kems[i], &rng_system, &private_key, &public_key));
        assert_err(kem_encap(kems[i], &broken, public_key_view(&public_key), &shared, &enc), IO);
        assert_int_equal(shared.len + enc.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(x25519, forget),
        cmocka_unit_test_teardown(x448, forget),
        cmocka_unit_test_teardown(all_zero_shared_secret, forget),
        cmocka_unit_test(nist_points),
        cmocka_unit_test(lengths),
        cmocka_unit_test(agree),
        cmocka_unit_test(rng_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
