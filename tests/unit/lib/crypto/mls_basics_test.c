/* Official vectors crypto-basics.json: the labelled functions of all seven suites. */
#include <stdio.h>

#include "base/rng.h"
#include "crypto/labelled.h"
#include "crypto/suite.h"
#include "support/test.h"
#include "support/vectors.h"

static struct vectors file;

static const struct suite *suite_of(const json_t *c)
{
    const struct suite *suite = suite_find((uint16_t)vectors_uint(c, "cipher_suite"));
    assert_non_null(suite);
    return suite;
}

static struct bytes text_of(const json_t *object, const char *field)
{
    return bytes_str(vectors_text(object, field));
}

static void check_derivations(const struct suite *suite, const json_t *c)
{
    struct digest digest;
    const json_t *v = vectors_get(c, "ref_hash");
    assert_ok(labelled_ref_hash(suite->hash, text_of(v, "label"), vectors_hex(&file, v, "value"),
                                &digest));
    test_assert_bytes(digest_view(&digest), vectors_hex(&file, v, "out"));

    struct secret out;
    v = vectors_get(c, "expand_with_label");
    assert_ok(labelled_expand(suite->hpke.kdf, vectors_hex(&file, v, "secret"), LABEL_MLS,
                              text_of(v, "label"), vectors_hex(&file, v, "context"),
                              vectors_uint(v, "length"), &out));
    test_assert_bytes(secret_view(&out), vectors_hex(&file, v, "out"));

    v = vectors_get(c, "derive_secret");
    assert_ok(labelled_derive_secret(suite->hpke.kdf, vectors_hex(&file, v, "secret"), LABEL_MLS,
                                     text_of(v, "label"), &out));
    test_assert_bytes(secret_view(&out), vectors_hex(&file, v, "out"));

    v = vectors_get(c, "derive_tree_secret");
    assert_ok(labelled_derive_tree_secret(
        suite->hpke.kdf, vectors_hex(&file, v, "secret"), LABEL_MLS, text_of(v, "label"),
        (uint32_t)vectors_uint(v, "generation"), vectors_uint(v, "length"), &out));
    test_assert_bytes(secret_view(&out), vectors_hex(&file, v, "out"));
}

static void check_signing(const struct suite *suite, const json_t *c)
{
    const json_t *v = vectors_get(c, "sign_with_label");
    struct bytes label = text_of(v, "label");
    struct bytes content = vectors_hex(&file, v, "content");
    struct bytes public_key = vectors_hex(&file, v, "pub");
    assert_ok(labelled_verify(suite->sig, public_key, LABEL_MLS, label, content,
                              vectors_hex(&file, v, "signature")));

    struct sig_key key;
    assert_ok(sig_key_init(suite->sig, vectors_hex(&file, v, "priv"), &key));
    test_assert_bytes(public_key_view(&key.public_key), public_key);
    struct signature signature;
    assert_ok(labelled_sign(&key, LABEL_MLS, label, content, &signature));
    assert_ok(labelled_verify(suite->sig, public_key, LABEL_MLS, label, content,
                              signature_view(&signature)));
    /* the prefix and the label are part of what is signed */
    assert_err(labelled_verify(suite->sig, public_key, LABEL_HEARTH, label, content,
                               signature_view(&signature)),
               CRYPTO_SIGNATURE);
    assert_err(labelled_verify(suite->sig, public_key, LABEL_MLS, bytes_str("other"), content,
                               signature_view(&signature)),
               CRYPTO_SIGNATURE);
    sig_key_clear(&key);
}

static void check_encryption(const struct suite *suite, const json_t *c)
{
    const json_t *v = vectors_get(c, "encrypt_with_label");
    struct bytes label = text_of(v, "label");
    struct bytes context = vectors_hex(&file, v, "context");
    struct bytes plaintext = vectors_hex(&file, v, "plaintext");
    struct bytes private_key = vectors_hex(&file, v, "priv");
    struct bytes public_key = vectors_hex(&file, v, "pub");
    struct bytes ciphertext = vectors_hex(&file, v, "ciphertext");
    struct bytes enc = vectors_hex(&file, v, "kem_output");
    uint8_t opened[256];
    assert_true(plaintext.len + AEAD_TAG_BYTES <= sizeof opened);
    assert_int_equal(ciphertext.len, plaintext.len + AEAD_TAG_BYTES);
    /* with the public key given and worked out */
    for (int given = 0; given < 2; given++) {
        memset(opened, 0xee, sizeof opened);
        assert_ok(labelled_decrypt(&suite->hpke, private_key,
                                   given ? public_key : bytes_of(NULL, 0), LABEL_MLS, label,
                                   context, enc, ciphertext, opened));
        test_assert_bytes(bytes_of(opened, plaintext.len), plaintext);
    }
    assert_err(labelled_decrypt(&suite->hpke, private_key, public_key, LABEL_HEARTH, label, context,
                                enc, ciphertext, opened),
               CRYPTO_TAG);

    struct public_key own_enc;
    uint8_t sealed[256];
    assert_ok(labelled_encrypt(&suite->hpke, &rng_system, public_key, LABEL_MLS, label, context,
                               plaintext, &own_enc, sealed));
    assert_ok(labelled_decrypt(&suite->hpke, private_key, public_key, LABEL_MLS, label, context,
                               public_key_view(&own_enc), bytes_of(sealed, ciphertext.len),
                               opened));
    test_assert_bytes(bytes_of(opened, plaintext.len), plaintext);
}

static void all_suites(void **state)
{
    (void)state;
    size_t index;
    json_t *c;
    size_t cases = 0;
    json_array_foreach(file.root, index, c)
    {
        const struct suite *suite = suite_of(c);
        check_derivations(suite, c);
        check_signing(suite, c);
        check_encryption(suite, c);
        vectors_forget(&file);
        cases++;
    }
    printf("crypto-basics.json: %zu suites, none skipped\n", cases);
    assert_int_equal(cases, SUITE_COUNT);
}

int main(void)
{
    vectors_open(&file, "mls/crypto-basics.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_suites)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_close(&file);
    return failed;
}
