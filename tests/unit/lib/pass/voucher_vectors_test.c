/* Type 0x0002 from private key to token, byte for byte: RFC 9578 appendix A.2, and what the generic
 * batch draft has from Go, Rust and TypeScript (its envelope is not ours, the tokens are; so is its
 * one token of type 0x0005). Type 0x0001 (P-384) is not ours: named and skipped. */
#include <stdio.h>

#include <openssl/evp.h>

#include "crypto/hash.h"
#include "pass/redeem.h"
#include "pass/voucher.h"
#include "support/test.h"
#include "support/vectors.h"

static struct vectors file, generic;

/* PEM to DER. */
static struct bytes der_of(struct bytes pem)
{
    char *text = arena_strndup(&file.arena, (const char *)pem.data, pem.len);
    uint8_t *der = arena_alloc(&file.arena, pem.len);
    char *body = strchr(text + strlen("-----BEGIN"), '\n') + 1;
    char *end = strstr(body, "-----END");
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    int len = 0, more = 0;
    assert_non_null(ctx);
    EVP_DecodeInit(ctx);
    assert_true(EVP_DecodeUpdate(ctx, der, &len, (const uint8_t *)body, (int)(end - body)) >= 0);
    assert_true(EVP_DecodeFinal(ctx, der + len, &more) >= 0);
    EVP_ENCODE_CTX_free(ctx);
    return bytes_of(der, (size_t)(len + more));
}

/* Nonce, salt, blind: each asked for in this order. */
struct scripted {
    struct bytes left[3];
    size_t at;
};

static struct err scripted_fill(void *self, uint8_t *out, size_t len)
{
    struct scripted *s = self;
    if (s->at == 3 || s->left[s->at].len != len)
        return ERR(IO);
    memcpy(out, s->left[s->at++].data, len);
    return ERR_OK;
}

/* Fields are called skS or sk_s, ... */
static struct bytes field(const json_t *c, const char *name, const char *other)
{
    return vectors_hex(&file, c, vectors_has(c, name) ? name : other);
}

/* with_wire: request and response are there to compare with. */
static void blind_rsa(const json_t *c, bool with_wire)
{
    struct blind_rsa_key key;
    assert_ok(blind_rsa_key_init(der_of(field(c, "skS", "sk_s")), &key));
    test_assert_bytes(bytes_of(key.public.spki, sizeof key.public.spki), field(c, "pkS", "pk_s"));
    struct digest digest;
    hash_once(&hash_sha256, vectors_hex(&file, c, "token_challenge"), &digest);
    struct scripted script = {{vectors_hex(&file, c, "nonce"), vectors_hex(&file, c, "salt"),
                               vectors_hex(&file, c, "blind")},
                              0};
    const struct rng rng = {scripted_fill, &script};
    struct pass_voucher_order order;
    assert_ok(pass_voucher_order_init(&key.public, digest.data, &rng, &order));
    struct buf request = BUF_INIT;
    pass_voucher_order_write(&order, &request);
    uint8_t response[PASS_VOUCHER_RESPONSE_BYTES], voucher[PASS_VOUCHER_BYTES];
    assert_ok(pass_voucher_issue(&key, buf_view(&request), response));
    if (with_wire) {
        test_assert_bytes(buf_view(&request), vectors_hex(&file, c, "token_request"));
        test_assert_bytes(bytes_of(response, sizeof response),
                          vectors_hex(&file, c, "token_response"));
    }
    assert_ok(pass_voucher_order_finish(&order, &key.public, bytes_of(response, sizeof response),
                                        voucher));
    test_assert_bytes(bytes_of(voucher, sizeof voucher), vectors_hex(&file, c, "token"));
    struct pass_token token;
    assert_ok(pass_token_parse(bytes_of(voucher, sizeof voucher), &token));
    assert_ok(pass_voucher_check(&key.public, digest.data, &token));
    buf_clear(&request);
    blind_rsa_key_clear(&key);
}

static void rfc9578(void **state)
{
    (void)state;
    size_t index, done = 0;
    const json_t *c;
    json_array_foreach(vectors_get(file.root, "type_0002_blind_rsa_2048"), index, c)
    {
        blind_rsa(c, true);
        vectors_forget(&file);
        done++;
    }
    printf("RFC 9578: %zu of type 0x0002; skipped: %zu of type 0x0001\n", done,
           json_array_size(vectors_get(file.root, "type_0001_voprf_p384")));
    assert_int_equal(done, 5);
}

static void single_token(const json_t *c)
{
    struct pass_issuer_key key = {.public = {.class = PASS_AUTH}};
    struct pass_token token;
    struct digest digest;
    assert_ok(voprf_key_init(field(c, "skS", "sk_s").data, &key.voprf));
    test_assert_bytes(bytes_of(key.voprf.public_key, 32), field(c, "pkS", "pk_s"));
    hash_once(&hash_sha256, bytes_of(key.voprf.public_key, 32), &digest);
    memcpy(key.public.key_id, digest.data, 32);
    hash_once(&hash_sha256, vectors_hex(&file, c, "token_challenge"), &digest);
    memcpy(key.public.challenge_digest, digest.data, 32);
    assert_ok(pass_token_parse(vectors_hex(&file, c, "token"), &token));
    assert_ok(pass_redeem(&key, &token));
}

static void generic_batch(void **state)
{
    (void)state;
    static const char *const sets[] = {"generic_go", "generic_rs", "generic_ts"};
    size_t vouchers = 0, tokens = 0, skipped = 0;
    for (size_t s = 0; s < 3; s++) {
        size_t i, j;
        const json_t *batch, *c;
        json_array_foreach(vectors_get(generic.root, sets[s]), i, batch)
            json_array_foreach(vectors_get(batch, "issuance"), j, c)
        {
            const char *type = vectors_text(c, vectors_has(c, "type") ? "type" : "token_type");
            if (strcmp(type, "0002") == 0) {
                blind_rsa(c, false);
                vouchers++;
            } else if (strcmp(type, "0005") == 0) {
                single_token(c);
                tokens++;
            } else {
                skipped++;
            }
            vectors_forget(&file);
        }
    }
    printf("generic batches: %zu of type 0x0002, %zu of 0x0005; skipped: %zu of 0x0001\n", vouchers,
           tokens, skipped);
    assert_int_equal(vouchers, 12);
    assert_int_equal(tokens, 1);
}

int main(void)
{
    vectors_open(&file, "rfc9578_privacypass.json");
    vectors_open(&generic, "privacypass_generic_batch_draft.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(rfc9578), cmocka_unit_test(generic_batch)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_close(&file);
    vectors_close(&generic);
    return failed;
}
