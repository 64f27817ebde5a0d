/* ECDSA with the numbers of RFC 6979 A.2.5 to A.2.7 (message "sample"), strict DER, and point
 * validation. */
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

struct known {
    const struct sig_alg *alg;
    const char *private_key, *public_key, *r, *s, *order;
};

static const struct known cases[] = {
    {&sig_ecdsa_p256_sha256, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
     "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
     "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
     "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
     "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
     "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"},
    {&sig_ecdsa_p384_sha384,
     "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
     "96d5724e4c70a825f872c9ea60d2edf5",
     "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
     "def8f0ea9055866064a254515480bc13"
     "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1"
     "288b231c3ae0d4fe7344fd2533264720",
     "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
     "81a648152e44acf96e36dd1e80fabe46",
     "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
     "a329c145786e679e7b82c71a38628ac8",
     "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
     "581a0db248b0a77aecec196accc52973"},
    {&sig_ecdsa_p521_sha512,
     "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75ca"
     "a896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b83538",
     "0401894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd37"
     "1123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f5023a4"
     "00493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0"
     "db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfdfcf5",
     "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174"
     "e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa",
     "00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af2826"
     "23eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a",
     "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
     "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"},
};
enum { CASES = sizeof cases / sizeof *cases };

static struct bytes message_view(void)
{
    return bytes_str("sample");
}

/* INTEGER, minimal unless padded with that many zeros too many */
static void put_integer(struct buf *b, struct bytes n, size_t padding)
{
    while (n.len > 1 && n.data[0] == 0)
        n = bytes_of(n.data + 1, n.len - 1);
    padding += n.data[0] >> 7;
    buf_append_byte(b, 0x02);
    buf_append_byte(b, (uint8_t)(n.len + padding));
    for (size_t i = 0; i < padding; i++)
        buf_append_byte(b, 0);
    buf_append_bytes(b, n);
}

enum der_form { DER, LONG_LENGTH, INDEFINITE };

/* Ecdsa-Sig-Value, valid for the caller until the arena is cleared. */
static struct bytes der(struct bytes r, struct bytes s, size_t padding, enum der_form form)
{
    struct buf body = BUF_INIT, whole = BUF_INIT;
    put_integer(&body, r, padding);
    put_integer(&body, s, 0);
    buf_append_byte(&whole, 0x30);
    if (form == INDEFINITE) {
        buf_append_byte(&whole, 0x80);
    } else {
        if (form == LONG_LENGTH && body.len > 127)
            buf_append(&whole, "\x82\x00", 2);
        else if (form == LONG_LENGTH || body.len > 127)
            buf_append_byte(&whole, 0x81);
        buf_append_byte(&whole, (uint8_t)body.len);
    }
    buf_append_bytes(&whole, buf_view(&body));
    if (form == INDEFINITE)
        buf_append(&whole, "\0\0", 2);
    struct bytes out = bytes_of(arena_copy(&arena, whole.data, whole.len), whole.len);
    buf_clear(&body);
    buf_clear(&whole);
    return out;
}

static void known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const struct known *c = &cases[i];
        struct sig_key key;
        assert_ok(sig_key_init(c->alg, hex(c->private_key), &key));
        test_assert_hex(public_key_view(&key.public_key), c->public_key);
        struct bytes known = der(hex(c->r), hex(c->s), 0, DER);
        assert_ok(sig_verify(c->alg, hex(c->public_key), message_view(), known));
        assert_err(sig_verify(c->alg, hex(c->public_key), bytes_str("simple"), known),
                   CRYPTO_SIGNATURE);
        struct sig_verifier verifier;
        assert_ok(sig_verifier_init(c->alg, hex(c->public_key), &verifier));
        for (int n = 0; n < 20; n++) {
            struct signature s;
            assert_ok(sig_sign(&key, message_view(), &s));
            assert_true(s.len <= c->alg->signature_max_bytes);
            assert_ok(sig_verify(c->alg, hex(c->public_key), message_view(), signature_view(&s)));
            assert_ok(sig_verifier_verify(&verifier, message_view(), signature_view(&s)));
        }
        sig_verifier_clear(&verifier);
        sig_key_clear(&key);
    }
}

static void strict_der(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const struct known *c = &cases[i];
        struct bytes key = hex(c->public_key), r = hex(c->r), s = hex(c->s);
        struct bytes good = der(r, s, 0, DER);
        assert_ok(sig_verify(c->alg, key, message_view(), good));
        for (size_t len = 0; len < good.len; len++)
            assert_err(sig_verify(c->alg, key, message_view(), bytes_of(good.data, len)),
                       CRYPTO_SIGNATURE);
        uint8_t longer[160];
        memcpy(longer, good.data, good.len);
        longer[good.len] = 0;
        assert_err(sig_verify(c->alg, key, message_view(), bytes_of(longer, good.len + 1)),
                   CRYPTO_SIGNATURE);
        longer[1]++; /* the trailing byte inside the SEQUENCE */
        assert_err(sig_verify(c->alg, key, message_view(), bytes_of(longer, good.len + 1)),
                   CRYPTO_SIGNATURE);
        assert_err(sig_verify(c->alg, key, message_view(), der(r, s, 1, DER)), CRYPTO_SIGNATURE);
        assert_err(sig_verify(c->alg, key, message_view(), der(r, s, 0, LONG_LENGTH)),
                   CRYPTO_SIGNATURE);
        assert_err(sig_verify(c->alg, key, message_view(), der(r, s, 0, INDEFINITE)),
                   CRYPTO_SIGNATURE);
        /* the bare r || s of other protocols */
        uint8_t raw[132];
        memcpy(raw, r.data, r.len);
        memcpy(raw + r.len, s.data, s.len);
        assert_err(sig_verify(c->alg, key, message_view(), bytes_of(raw, r.len + s.len)),
                   CRYPTO_SIGNATURE);
    }
}

static void r_and_s_out_of_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const struct known *c = &cases[i];
        struct bytes key = hex(c->public_key), zero = hex("00"), order = hex(c->order);
        struct bytes r = hex(c->r), s = hex(c->s);
        assert_err(sig_verify(c->alg, key, message_view(), der(zero, zero, 0, DER)),
                   CRYPTO_SIGNATURE);
        assert_err(sig_verify(c->alg, key, message_view(), der(r, zero, 0, DER)), CRYPTO_SIGNATURE);
        assert_err(sig_verify(c->alg, key, message_view(), der(zero, s, 0, DER)), CRYPTO_SIGNATURE);
        assert_err(sig_verify(c->alg, key, message_view(), der(r, order, 0, DER)),
                   CRYPTO_SIGNATURE);
        assert_err(sig_verify(c->alg, key, message_view(), der(order, s, 0, DER)),
                   CRYPTO_SIGNATURE);
    }
}

static void check_bad_point(const struct known *c, struct bytes key, enum err_code code)
{
    struct bytes good = der(hex(c->r), hex(c->s), 0, DER);
    struct sig_verifier verifier;
    assert_int_equal(sig_check_public(c->alg, key).code, code);
    assert_int_equal(sig_verify(c->alg, key, message_view(), good).code, code);
    assert_int_equal(sig_verifier_init(c->alg, key, &verifier).code, code);
}

static void bad_points(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const struct known *c = &cases[i];
        struct bytes good = hex(c->public_key);
        assert_ok(sig_check_public(c->alg, good));
        uint8_t point[133];
        memcpy(point, good.data, good.len);
        point[good.len - 1] ^= 1; /* off the curve */
        check_bad_point(c, bytes_of(point, good.len), ERR_CRYPTO_KEY);
        memcpy(point, good.data, good.len);
        point[0] = (uint8_t)(6 | (good.data[good.len - 1] & 1)); /* hybrid form, right parity */
        check_bad_point(c, bytes_of(point, good.len), ERR_CRYPTO_KEY);
        point[0] = (uint8_t)(2 | (good.data[good.len - 1] & 1)); /* compressed, RFC 9420 5.1.1 */
        check_bad_point(c, bytes_of(point, (good.len + 1) / 2), ERR_CRYPTO_KEY_LENGTH);
        point[0] = 0; /* infinity: one zero byte, or zeros of the right length */
        check_bad_point(c, bytes_of(point, 1), ERR_CRYPTO_KEY_LENGTH);
        memset(point, 0, sizeof point);
        check_bad_point(c, bytes_of(point, good.len), ERR_CRYPTO_KEY);
        point[0] = 4; /* (0, 0) is on none of the curves */
        check_bad_point(c, bytes_of(point, good.len), ERR_CRYPTO_KEY);
        memset(point + 1, 0xff, good.len - 1); /* coordinates beyond p */
        check_bad_point(c, bytes_of(point, good.len), ERR_CRYPTO_KEY);
        check_bad_point(c, bytes_of(good.data, good.len - 1), ERR_CRYPTO_KEY_LENGTH);
        check_bad_point(c, bytes_of(good.data, 0), ERR_CRYPTO_KEY_LENGTH);
    }
}

/* Scalars 1 and n - 1 are keys; 0, n and above are not. */
static void scalar_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const struct known *c = &cases[i];
        uint8_t scalar[66] = {0};
        size_t len = c->alg->private_bytes;
        struct sig_key key = {0};
        assert_err(sig_key_init(c->alg, bytes_of(scalar, len), &key), CRYPTO_KEY);
        memset(scalar, 0xff, sizeof scalar);
        assert_err(sig_key_init(c->alg, bytes_of(scalar, len), &key), CRYPTO_KEY);
        memcpy(scalar, hex(c->order).data, len);
        assert_err(sig_key_init(c->alg, bytes_of(scalar, len), &key), CRYPTO_KEY);
        scalar[len - 1]++;
        assert_err(sig_key_init(c->alg, bytes_of(scalar, len), &key), CRYPTO_KEY);
        assert_null(key.alg);
        scalar[len - 1] -= 2;
        assert_ok(sig_key_init(c->alg, bytes_of(scalar, len), &key));
        sig_key_clear(&key);
        memset(scalar, 0, sizeof scalar);
        scalar[len - 1] = 1;
        assert_ok(sig_key_init(c->alg, bytes_of(scalar, len), &key));
        sig_key_clear(&key);
        assert_err(sig_key_init(c->alg, bytes_of(scalar, len - 1), &key), CRYPTO_KEY_LENGTH);
        assert_err(sig_key_init(c->alg, bytes_of(scalar, len + 1), &key), CRYPTO_KEY_LENGTH);
    }
}

static struct err all_ones(void *self, uint8_t *out, size_t len)
{
    (void)self;
    memset(out, 0xff, len);
    return ERR_OK;
}

/* A broken rng ends in an error, not in an endless loop. */
static void generate(void **state)
{
    (void)state;
    const struct rng broken = {all_ones, NULL};
    for (size_t i = 0; i < CASES; i++) {
        struct sig_key a, b;
        assert_ok(sig_key_generate(cases[i].alg, &rng_system, &a));
        assert_ok(sig_key_generate(cases[i].alg, &rng_system, &b));
        assert_false(secret_equal(&a.private_key, &b.private_key));
        assert_ok(sig_check_public(cases[i].alg, public_key_view(&a.public_key)));
        sig_key_clear(&a);
        sig_key_clear(&b);
        assert_err(sig_key_generate(cases[i].alg, &broken, &a), INTERNAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(known_answers, forget),
        cmocka_unit_test_teardown(strict_der, forget),
        cmocka_unit_test_teardown(r_and_s_out_of_range, forget),
        cmocka_unit_test_teardown(bad_points, forget),
        cmocka_unit_test_teardown(scalar_range, forget),
        cmocka_unit_test(generate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
