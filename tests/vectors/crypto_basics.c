/* The labelled functions (RFC 9420 5.1.2, 5.1.3, 5.2, 8, 9). */
#include "crypto/labelled.h"
#include "vectors/vector_case.h"

static struct bytes label_of(struct vector_case *c, const json_t *object)
{
    const char *label = json_string_value(vector_field(c, object, "label"));
    if (label == NULL)
        vector_fail(c, "no label");
    return bytes_str(label != NULL ? label : "");
}

static void check_derivations(struct vector_case *c, const struct suite *suite)
{
    const struct kdf_alg *kdf = suite->hpke.kdf;
    struct digest digest;
    struct secret out;
    const json_t *v = vector_field(c, c->json, "ref_hash");
    CHECK_OK(labelled_ref_hash(suite->hash, label_of(c, v), vector_hex(c, v, "value"), &digest));
    CHECK_BYTES(digest_view(&digest), vector_hex(c, v, "out"));
    v = vector_field(c, c->json, "expand_with_label");
    CHECK_OK(labelled_expand(kdf, vector_hex(c, v, "secret"), LABEL_MLS, label_of(c, v),
                             vector_hex(c, v, "context"), vector_uint(c, v, "length"), &out));
    CHECK_BYTES(secret_view(&out), vector_hex(c, v, "out"));
    v = vector_field(c, c->json, "derive_secret");
    CHECK_OK(
        labelled_derive_secret(kdf, vector_hex(c, v, "secret"), LABEL_MLS, label_of(c, v), &out));
    CHECK_BYTES(secret_view(&out), vector_hex(c, v, "out"));
    v = vector_field(c, c->json, "derive_tree_secret");
    CHECK_OK(labelled_derive_tree_secret(kdf, vector_hex(c, v, "secret"), LABEL_MLS, label_of(c, v),
                                         (uint32_t)vector_uint(c, v, "generation"),
                                         vector_uint(c, v, "length"), &out));
    CHECK_BYTES(secret_view(&out), vector_hex(c, v, "out"));
}

static void check_signing(struct vector_case *c, const struct suite *suite)
{
    const json_t *v = vector_field(c, c->json, "sign_with_label");
    struct bytes label = label_of(c, v), content = vector_hex(c, v, "content");
    struct bytes public_key = vector_hex(c, v, "pub");
    CHECK_OK(labelled_verify(suite->sig, public_key, LABEL_MLS, label, content,
                             vector_hex(c, v, "signature")));
    struct sig_key key;
    struct signature signature;
    CHECK_OK(sig_key_init(suite->sig, vector_private_key(c, v, "priv", suite->sig->private_bytes),
                          &key));
    struct bytes derived = public_key_view(&key.public_key);
    bool same = bytes_equal(derived, public_key);
    struct err err = labelled_sign(&key, LABEL_MLS, label, content, &signature);
    sig_key_clear(&key);
    CHECK(same);
    CHECK_OK(err);
    CHECK_OK(labelled_verify(suite->sig, public_key, LABEL_MLS, label, content,
                             signature_view(&signature)));
    CHECK(labelled_verify(suite->sig, public_key, LABEL_HEARTH, label, content,
                          signature_view(&signature))
              .code == ERR_CRYPTO_SIGNATURE);
    CHECK(labelled_verify(suite->sig, public_key, LABEL_MLS, bytes_str("other"), content,
                          signature_view(&signature))
              .code == ERR_CRYPTO_SIGNATURE);
}

enum { TEXT_MAX_BYTES = 1024 };

static void check_encryption(struct vector_case *c, const struct suite *suite)
{
    const json_t *v = vector_field(c, c->json, "encrypt_with_label");
    const struct hpke_suite *hpke = &suite->hpke;
    struct bytes label = label_of(c, v), context = vector_hex(c, v, "context");
    struct bytes plaintext = vector_hex(c, v, "plaintext");
    struct bytes private_key = vector_private_key(c, v, "priv", hpke->kem->private_bytes);
    struct bytes public_key = vector_hex(c, v, "pub");
    struct bytes box = vector_hex(c, v, "ciphertext");
    struct bytes enc = vector_hex(c, v, "kem_output");
    uint8_t text[TEXT_MAX_BYTES], sealed[TEXT_MAX_BYTES];
    CHECK(box.len == plaintext.len + AEAD_TAG_BYTES && box.len <= TEXT_MAX_BYTES);
    /* with the own public key given and worked out */
    CHECK_OK(
        labelled_decrypt(hpke, private_key, public_key, LABEL_MLS, label, context, enc, box, text));
    CHECK_BYTES(bytes_of(text, plaintext.len), plaintext);
    memset(text, 0, sizeof text);
    CHECK_OK(labelled_decrypt(hpke, private_key, bytes_of(NULL, 0), LABEL_MLS, label, context, enc,
                              box, text));
    CHECK_BYTES(bytes_of(text, plaintext.len), plaintext);
    CHECK(labelled_decrypt(hpke, private_key, public_key, LABEL_HEARTH, label, context, enc, box,
                           text)
              .code == ERR_CRYPTO_TAG);

    struct public_key own_enc;
    CHECK_OK(labelled_encrypt(hpke, &rng_system, public_key, LABEL_MLS, label, context, plaintext,
                              &own_enc, sealed));
    CHECK_OK(labelled_decrypt(hpke, private_key, public_key, LABEL_MLS, label, context,
                              public_key_view(&own_enc), bytes_of(sealed, box.len), text));
    CHECK_BYTES(bytes_of(text, plaintext.len), plaintext);
}

void vector_crypto_basics(struct vector_case *c)
{
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    check_derivations(c, suite);
    check_signing(c, suite);
    check_encryption(c, suite);
}
