/* RFC 9180 appendix A, all suites: base and PSK mode; the Auth modes are named and skipped. */
#include <stdio.h>

#include "crypto/hpke.h"
#include "support/test.h"
#include "support/vectors.h"

static struct vectors file;

/* Hands out a given string once, as the ephemeral key's ikm. */
struct scripted {
    struct bytes left;
};

static struct err scripted_fill(void *self, uint8_t *out, size_t len)
{
    struct scripted *s = self;
    if (len != s->left.len)
        return ERR(IO);
    memcpy(out, s->left.data, len);
    s->left = bytes_of(NULL, 0);
    return ERR_OK;
}

static struct hpke_suite suite_of(const json_t *c)
{
    static const struct kem_alg *const kems[] = {&kem_x25519, &kem_x448, &kem_p256, &kem_p384,
                                                 &kem_p521};
    static const struct kdf_alg *const kdfs[] = {&kdf_hkdf_sha256, &kdf_hkdf_sha384,
                                                 &kdf_hkdf_sha512};
    static const struct aead_alg *const aeads[] = {&aead_aes128_gcm, &aead_aes256_gcm,
                                                   &aead_chacha20_poly1305, &aead_export_only};
    struct hpke_suite suite = {0};
    for (size_t i = 0; i < sizeof kems / sizeof *kems; i++)
        if (kems[i]->hpke_id == vectors_uint(c, "kem_id"))
            suite.kem = kems[i];
    for (size_t i = 0; i < sizeof kdfs / sizeof *kdfs; i++)
        if (kdfs[i]->hpke_id == vectors_uint(c, "kdf_id"))
            suite.kdf = kdfs[i];
    for (size_t i = 0; i < sizeof aeads / sizeof *aeads; i++)
        if (aeads[i]->hpke_id == vectors_uint(c, "aead_id"))
            suite.aead = aeads[i];
    assert_non_null(suite.kem);
    assert_non_null(suite.kdf);
    assert_non_null(suite.aead);
    return suite;
}

static void check_keys(const struct hpke_suite *suite, const json_t *c)
{
    static const char *const names[][3] = {{"ikmE", "skEm", "pkEm"}, {"ikmR", "skRm", "pkRm"}};
    for (size_t i = 0; i < 2; i++) {
        struct secret private_key;
        struct public_key public_key, again;
        assert_ok(
            kem_derive(suite->kem, vectors_hex(&file, c, names[i][0]), &private_key, &public_key));
        test_assert_bytes(secret_view(&private_key), vectors_hex(&file, c, names[i][1]));
        test_assert_bytes(public_key_view(&public_key), vectors_hex(&file, c, names[i][2]));
        assert_ok(kem_public_of(suite->kem, secret_view(&private_key), &again));
        test_assert_bytes(public_key_view(&again), public_key_view(&public_key));
        assert_ok(kem_check_public(suite->kem, public_key_view(&public_key)));
    }
    struct secret shared;
    assert_ok(kem_decap(suite->kem, vectors_hex(&file, c, "skRm"), bytes_of(NULL, 0),
                        vectors_hex(&file, c, "enc"), &shared));
    test_assert_bytes(secret_view(&shared), vectors_hex(&file, c, "shared_secret"));
}

static void check_context(struct hpke_ctx *ctx, const json_t *c)
{
    if (ctx->suite->aead != &aead_export_only) {
        test_assert_bytes(secret_view(&ctx->key), vectors_hex(&file, c, "key"));
        test_assert_bytes(secret_view(&ctx->base_nonce), vectors_hex(&file, c, "base_nonce"));
    } else {
        uint8_t out[64];
        assert_err(hpke_ctx_seal(ctx, bytes_of(NULL, 0), bytes_str("x"), out), WRONG_STATE);
        assert_err(hpke_ctx_open(ctx, bytes_of(NULL, 0), bytes_of(out, 17), out), WRONG_STATE);
    }
    test_assert_bytes(secret_view(&ctx->exporter_secret), vectors_hex(&file, c, "exporter_secret"));
    size_t index;
    json_t *e;
    json_array_foreach(vectors_get(c, "exports"), index, e)
    {
        struct secret out;
        assert_ok(hpke_ctx_export(ctx, vectors_hex(&file, e, "exporter_context"),
                                  vectors_uint(e, "L"), &out));
        test_assert_bytes(secret_view(&out), vectors_hex(&file, e, "exported_value"));
    }
}

static size_t check_messages(struct hpke_ctx *sender, struct hpke_ctx *recipient, const json_t *c)
{
    size_t index;
    json_t *e;
    json_array_foreach(json_object_get(c, "encryptions"), index, e)
    {
        struct bytes aad = vectors_hex(&file, e, "aad");
        struct bytes plaintext = vectors_hex(&file, e, "pt");
        struct bytes want = vectors_hex(&file, e, "ct");
        uint8_t out[256];
        assert_true(want.len <= sizeof out);
        sender->sequence = vectors_uint(e, "sequence_number");
        recipient->sequence = sender->sequence;
        assert_ok(hpke_ctx_seal(sender, aad, plaintext, out));
        test_assert_bytes(bytes_of(out, want.len), want);
        assert_ok(hpke_ctx_open(recipient, aad, want, out));
        test_assert_bytes(bytes_of(out, plaintext.len), plaintext);
        assert_int_equal(sender->sequence, recipient->sequence);
        assert_int_equal(sender->sequence, vectors_uint(e, "sequence_number") + 1);
    }
    return json_array_size(json_object_get(c, "encryptions"));
}

static size_t check_case(const json_t *c)
{
    struct hpke_suite suite = suite_of(c);
    check_keys(&suite, c);
    struct hpke_psk psk = {0};
    bool with_psk = vectors_uint(c, "mode") == 1;
    if (with_psk) {
        psk.psk = vectors_hex(&file, c, "psk");
        psk.psk_id = vectors_hex(&file, c, "psk_id");
    }
    struct scripted script = {vectors_hex(&file, c, "ikmE")};
    struct rng rng = {scripted_fill, &script};
    struct hpke_ctx sender, recipient;
    struct public_key enc;
    struct bytes info = vectors_hex(&file, c, "info");
    struct bytes public_key = vectors_hex(&file, c, "pkRm");
    assert_ok(hpke_setup_send(&suite, &rng, public_key, BYTES_LIST(info), with_psk ? &psk : NULL,
                              &sender, &enc));
    test_assert_bytes(public_key_view(&enc), vectors_hex(&file, c, "enc"));
    /* info in two pieces: must make no difference */
    struct bytes head = bytes_of(info.data, info.len / 2);
    struct bytes tail = bytes_of(info.data + head.len, info.len - head.len);
    assert_ok(hpke_setup_receive(&suite, vectors_hex(&file, c, "skRm"), public_key,
                                 public_key_view(&enc), BYTES_LIST(head, tail),
                                 with_psk ? &psk : NULL, &recipient));
    check_context(&sender, c);
    check_context(&recipient, c);
    size_t messages = check_messages(&sender, &recipient, c);
    hpke_ctx_clear(&sender);
    hpke_ctx_clear(&recipient);
    return messages;
}

static void run_file(const char *name, size_t want_run, size_t want_skipped)
{
    size_t index, run = 0, skipped = 0, messages = 0;
    json_t *c;
    json_array_foreach(vectors_get(file.root, "vectors"), index, c)
    {
        uint64_t mode = vectors_uint(c, "mode");
        if (mode > 1) {
            printf("skipped (%s mode not supported): %s\n", mode == 2 ? "Auth" : "AuthPSK",
                   vectors_text(c, "suite"));
            skipped++;
            continue;
        }
        messages += check_case(c);
        run++;
        vectors_forget(&file);
    }
    printf("%s: %zu cases with %zu messages, %zu skipped\n", name, run, messages, skipped);
    assert_int_equal(run, want_run);
    assert_int_equal(skipped, want_skipped);
}

static void main_file(void **state)
{
    (void)state;
    run_file("rfc9180_hpke.json", 4, 4);
}

static void other_file(void **state)
{
    (void)state;
    vectors_close(&file);
    vectors_open(&file, "rfc9180_hpke_other.json");
    run_file("rfc9180_hpke_other.json", 10, 10);
}

int main(void)
{
    vectors_open(&file, "rfc9180_hpke.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(main_file), cmocka_unit_test(other_file)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_close(&file);
    return failed;
}
