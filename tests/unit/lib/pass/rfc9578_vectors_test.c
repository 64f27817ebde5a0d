/* RFC 9578 appendix A.2: type 0x0002, from private key to token, byte for byte. Type 0x0001 (P-384)
 * is not ours: named and skipped. */
#include <stdio.h>

#include <openssl/evp.h>

#include "crypto/hash.h"
#include "pass/voucher.h"
#include "support/test.h"
#include "support/vectors.h"

static struct vectors file;

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

static void blind_rsa(const json_t *c)
{
    struct blind_rsa_key key;
    assert_ok(blind_rsa_key_init(der_of(vectors_hex(&file, c, "skS")), &key));
    test_assert_bytes(bytes_of(key.public.spki, sizeof key.public.spki),
                      vectors_hex(&file, c, "pkS"));
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
    test_assert_bytes(buf_view(&request), vectors_hex(&file, c, "token_request"));
    uint8_t response[PASS_VOUCHER_RESPONSE_BYTES], voucher[PASS_VOUCHER_BYTES];
    assert_ok(pass_voucher_issue(&key, buf_view(&request), response));
    test_assert_bytes(bytes_of(response, sizeof response), vectors_hex(&file, c, "token_response"));
    assert_ok(pass_voucher_order_finish(&order, &key.public, bytes_of(response, sizeof response),
                                        voucher));
    test_assert_bytes(bytes_of(voucher, sizeof voucher), vectors_hex(&file, c, "token"));
    struct pass_token token;
    assert_ok(pass_token_parse(bytes_of(voucher, sizeof voucher), &token));
    assert_ok(pass_voucher_check(&key.public, digest.data, &token));
    buf_clear(&request);
    blind_rsa_key_clear(&key);
}

static void all(void **state)
{
    (void)state;
    size_t index, done = 0;
    const json_t *c;
    json_array_foreach(vectors_get(file.root, "type_0002_blind_rsa_2048"), index, c)
    {
        blind_rsa(c);
        vectors_forget(&file);
        done++;
    }
    printf("RFC 9578: %zu of type 0x0002; skipped: %zu of type 0x0001\n", done,
           json_array_size(vectors_get(file.root, "type_0001_voprf_p384")));
    assert_int_equal(done, 5);
}

int main(void)
{
    vectors_open(&file, "rfc9578_privacypass.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_close(&file);
    return failed;
}
