/* HPKE beyond the RFC's vectors: order of messages, exhaustion, PSK rules, wrong keys; the suite
 * table; and the labelled functions' limits. */
#include "crypto/labelled.h"
#include "crypto/suite.h"
#include "support/test.h"
#include "wire/writer.h"

static const struct bytes none = {0};

struct pair {
    struct secret private_key;
    struct public_key public_key;
    struct hpke_ctx sender, recipient;
};

static void pair_init(const struct hpke_suite *suite, struct pair *p)
{
    struct public_key enc;
    struct bytes info = bytes_str("info");
    assert_ok(kem_generate(suite->kem, &rng_system, &p->private_key, &p->public_key));
    assert_ok(hpke_setup_send(suite, &rng_system, public_key_view(&p->public_key), BYTES_LIST(info),
                              NULL, &p->sender, &enc));
    assert_ok(hpke_setup_receive(suite, secret_view(&p->private_key), none, public_key_view(&enc),
                                 BYTES_LIST(info), NULL, &p->recipient));
}

static void messages_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        struct pair p;
        uint8_t first[20], second[20], out[4];
        pair_init(&suite_table[i].hpke, &p);
        assert_ok(hpke_ctx_seal(&p.sender, none, bytes_str("text"), first));
        assert_ok(hpke_ctx_seal(&p.sender, none, bytes_str("text"), second));
        assert_memory_not_equal(first, second, sizeof first);
        /* the second one does not open first, and failing it changes nothing */
        assert_err(hpke_ctx_open(&p.recipient, none, bytes_of(second, 20), out), CRYPTO_TAG);
        assert_int_equal(p.recipient.sequence, 0);
        assert_ok(hpke_ctx_open(&p.recipient, none, bytes_of(first, 20), out));
        assert_err(hpke_ctx_open(&p.recipient, none, bytes_of(first, 20), out), CRYPTO_TAG);
        assert_ok(hpke_ctx_open(&p.recipient, none, bytes_of(second, 20), out));
        assert_memory_equal(out, "text", 4);
    }
}

static void sequence_ends(void **state)
{
    (void)state;
    struct pair p;
    uint8_t out[20];
    pair_init(&suite_table[0].hpke, &p);
    p.sender.sequence = UINT64_MAX - 1;
    assert_ok(hpke_ctx_seal(&p.sender, none, bytes_str("text"), out));
    assert_err(hpke_ctx_seal(&p.sender, none, bytes_str("text"), out), CRYPTO_EXHAUSTED);
    p.recipient.sequence = UINT64_MAX;
    assert_err(hpke_ctx_open(&p.recipient, none, bytes_of(out, 20), out), CRYPTO_EXHAUSTED);
}

/* RFC 9180 5.1: both or neither; 5.1.2: at least 32 bytes */
static void psk_inputs(void **state)
{
    (void)state;
    const struct hpke_suite *suite = &suite_table[0].hpke;
    struct secret private_key;
    struct public_key public_key, enc;
    struct hpke_ctx ctx;
    assert_ok(kem_generate(suite->kem, &rng_system, &private_key, &public_key));
    struct bytes key = bytes_str("0123456789abcdef0123456789abcdef");
    const struct hpke_psk bad[] = {
        {none, none}, {key, none}, {none, bytes_str("id")}, {bytes_of(key.data, 31), key}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_err(hpke_setup_send(suite, &rng_system, public_key_view(&public_key),
                                   BYTES_LIST(none), &bad[i], &ctx, &enc),
                   ARGUMENT);
        assert_err(hpke_setup_receive(suite, secret_view(&private_key), none,
                                      public_key_view(&public_key), BYTES_LIST(none), &bad[i],
                                      &ctx),
                   ARGUMENT);
    }
}

static void single_shot(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        const struct hpke_suite *suite = &suite_table[i].hpke;
        struct secret private_key, other;
        struct public_key public_key, other_public, enc;
        uint8_t sealed[20], out[4];
        struct bytes info = bytes_str("info"), aad = bytes_str("aad");
        assert_ok(kem_generate(suite->kem, &rng_system, &private_key, &public_key));
        assert_ok(kem_generate(suite->kem, &rng_system, &other, &other_public));
        struct bytes recipient = public_key_view(&public_key);
        assert_ok(hpke_seal(suite, &rng_system, recipient, BYTES_LIST(info), aad, bytes_str("text"),
                            &enc, sealed));
        struct bytes box = bytes_of(sealed, sizeof sealed), sent = public_key_view(&enc);
        struct bytes key = secret_view(&private_key);
        assert_ok(hpke_open(suite, key, none, sent, BYTES_LIST(info), aad, box, out));
        assert_ok(hpke_open(suite, key, recipient, sent, BYTES_LIST(info), aad, box, out));
        assert_err(hpke_open(suite, key, recipient, sent, BYTES_LIST(aad), aad, box, out),
                   CRYPTO_TAG);
        assert_err(hpke_open(suite, key, recipient, sent, BYTES_LIST(info), info, box, out),
                   CRYPTO_TAG);
        assert_err(
            hpke_open(suite, secret_view(&other), none, sent, BYTES_LIST(info), aad, box, out),
            CRYPTO_TAG);
        assert_err(hpke_open(suite, key, none, public_key_view(&other_public), BYTES_LIST(info),
                             aad, box, out),
                   CRYPTO_TAG);
        assert_err(
            hpke_open(suite, key, none, sent, BYTES_LIST(info), aad, bytes_of(sealed, 15), out),
            CRYPTO_TAG);
    }
}

/* RFC 9420 17.1 */
static void suites(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        const struct suite *s = &suite_table[i];
        assert_int_equal(s->id, i + 1);
        assert_ptr_equal(suite_find(s->id), s);
        assert_ptr_equal(s->hash, s->hpke.kdf->hash);
        assert_int_equal(strstr(s->name, "AES128") != NULL ? 16 : 32, s->hpke.aead->key_bytes);
        assert_true(s->hpke.kem->public_bytes <= PUBLIC_KEY_MAX_BYTES);
        assert_true(s->sig->public_bytes <= PUBLIC_KEY_MAX_BYTES);
        assert_true(s->sig->signature_max_bytes <= SIGNATURE_MAX_BYTES);
    }
    assert_null(suite_find(0));
    assert_null(suite_find(8));
    assert_null(suite_find(0xffff));
}

/* The signed string is SignContent of RFC 9420 5.1.2, whichever way it is put together: around the
 * sizes where the length takes one more byte and where the stack no longer holds it. */
static void sign_content(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 2028, 2029, 2030, 2031, 16383, 16384, 100000};
    struct sig_key key;
    assert_ok(sig_key_generate(&sig_ed25519, &rng_system, &key));
    static uint8_t content[100000];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct bytes view = bytes_of(content, sizes[i]);
        struct buf whole = BUF_INIT;
        wire_write_vector(&whole, bytes_str("MLS 1.0 LeafNodeTBS"));
        wire_write_vector(&whole, view);
        struct signature labelled, plain;
        assert_ok(labelled_sign(&key, LABEL_MLS, bytes_str("LeafNodeTBS"), view, &labelled));
        assert_ok(sig_sign(&key, buf_view(&whole), &plain));
        test_assert_bytes(signature_view(&labelled), signature_view(&plain));
        struct bytes public_key = public_key_view(&key.public_key);
        assert_ok(labelled_verify(&sig_ed25519, public_key, LABEL_MLS, bytes_str("LeafNodeTBS"),
                                  view, signature_view(&plain)));
        struct sig_verifier verifier;
        assert_ok(sig_verifier_init(&sig_ed25519, public_key, &verifier));
        assert_ok(labelled_verify_with(&verifier, LABEL_MLS, bytes_str("LeafNodeTBS"), view,
                                       signature_view(&plain)));
        assert_err(labelled_verify_with(&verifier, LABEL_MLS, bytes_str("LeafNodeTBT"), view,
                                        signature_view(&plain)),
                   CRYPTO_SIGNATURE);
        sig_verifier_clear(&verifier);
        buf_clear(&whole);
    }
    sig_key_clear(&key);
}

static void labelled_limits(void **state)
{
    (void)state;
    uint8_t label[300] = {0};
    struct bytes longest = bytes_of(label, LABELLED_LABEL_MAX_BYTES - LABEL_MLS.len);
    struct bytes too_long = bytes_of(label, longest.len + 1);
    struct bytes secret = bytes_str("0123456789abcdef0123456789abcdef");
    struct secret out = {.len = 1};
    const struct kdf_alg *kdf = &kdf_hkdf_sha256;
    assert_err(labelled_derive_secret(kdf, secret, LABEL_MLS, too_long, &out), ARGUMENT);
    assert_err(labelled_expand(kdf, secret, LABEL_MLS, longest, none, SECRET_MAX_BYTES + 1, &out),
               CRYPTO_LENGTH);
    assert_int_equal(out.len, 1);
    assert_ok(labelled_derive_secret(kdf, secret, LABEL_MLS, longest, &out));
    static uint8_t big[255 * 32];
    assert_ok(labelled_expand_into(kdf, secret, LABEL_MLS, longest, none, sizeof big, big));
    assert_err(labelled_expand_into(kdf, secret, LABEL_MLS, longest, none, sizeof big + 1, big),
               CRYPTO_LENGTH);
    /* refused by its length alone, before the pointer is followed */
    struct bytes huge = bytes_of(big, (size_t)WIRE_VECTOR_MAX + 1);
    assert_err(labelled_expand(kdf, secret, LABEL_MLS, longest, huge, 32, &out), TOO_LARGE);
    struct digest digest;
    assert_err(labelled_ref_hash(&hash_sha256, longest, huge, &digest), TOO_LARGE);
    struct signature signature;
    struct sig_key key;
    assert_ok(sig_key_generate(&sig_ed25519, &rng_system, &key));
    assert_err(labelled_sign(&key, LABEL_MLS, longest, huge, &signature), TOO_LARGE);
    sig_key_clear(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_in_order),
        cmocka_unit_test(sequence_ends),
        cmocka_unit_test(psk_inputs),
        cmocka_unit_test(single_shot),
        cmocka_unit_test(suites),
        cmocka_unit_test(sign_content),
        cmocka_unit_test(labelled_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
