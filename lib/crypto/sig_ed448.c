/* Ed448 by OpenSSL, the only one here that has it. */

#include "crypto/ossl.h"
#include "crypto/sig_ops.h"

enum { ED448_KEY_BYTES = 57, ED448_SIGNATURE_BYTES = 114 };

static struct err ed448_load_private(const struct sig_alg *alg, struct bytes private_key,
                                     uint8_t *ret_public, void **ret_parsed)
{
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key_ex(NULL, "ED448", NULL, private_key.data, private_key.len);
    if (pkey == NULL)
        return ossl_failure(ERR(CRYPTO_BACKEND));
    size_t len = alg->public_bytes;
    if (EVP_PKEY_get_raw_public_key(pkey, ret_public, &len) != 1 || len != alg->public_bytes) {
        EVP_PKEY_free(pkey);
        return ossl_failure(ERR(CRYPTO_BACKEND));
    }
    *ret_parsed = pkey;
    return ERR_OK;
}

/* The points of order 1, 2 and 4 are those with y = 1, -1 and 0. OpenSSL accepts them; under such a
 * key one signature is good for many messages, so they are refused as for Ed25519. Public data: may
 * branch. */
static bool ed448_small_order(struct bytes key)
{
    uint8_t first = key.data[0];
    bool zeros = true; /* bytes 1 to 55 */
    bool ones = true;  /* of p - 1 = 2^448 - 2^224 - 2 */
    for (size_t i = 1; i < ED448_KEY_BYTES - 1; i++) {
        zeros = zeros && key.data[i] == 0;
        ones = ones && key.data[i] == (i == 28 ? 0xfe : 0xff);
    }
    bool no_excess = (key.data[ED448_KEY_BYTES - 1] & 0x7f) == 0;
    return no_excess && ((zeros && first <= 1) || (ones && first == 0xfe));
}

static struct err ed448_check_public(const struct sig_alg *alg, struct bytes public_key)
{
    (void)alg;
    return ed448_small_order(public_key) ? ERR(CRYPTO_KEY) : ERR_OK;
}

static struct err ed448_load_public(const struct sig_alg *alg, struct bytes public_key,
                                    void **ret_parsed)
{
    TRY(ed448_check_public(alg, public_key));
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key_ex(NULL, "ED448", NULL, public_key.data, public_key.len);
    if (pkey == NULL)
        return ossl_failure(ERR(CRYPTO_BACKEND));
    *ret_parsed = pkey;
    return ERR_OK;
}

static struct err ed448_sign(const struct sig_key *key, struct bytes message,
                             struct signature *ret_signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return ossl_failure(ERR(NO_MEMORY));
    struct signature signature = {.len = ED448_SIGNATURE_BYTES};
    bool done =
        EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key->parsed, NULL) == 1 &&
        EVP_DigestSign(ctx, signature.data, &signature.len, message.data, message.len) == 1 &&
        signature.len == ED448_SIGNATURE_BYTES;
    EVP_MD_CTX_free(ctx);
    if (!done)
        return ossl_failure(ERR(CRYPTO_BACKEND));
    *ret_signature = signature;
    return ERR_OK;
}

static struct err ed448_verify(const struct sig_alg *alg, struct bytes public_key, void *parsed,
                               struct bytes message, struct bytes signature)
{
    (void)alg;
    (void)public_key;
    if (signature.len != ED448_SIGNATURE_BYTES)
        return ERR(CRYPTO_SIGNATURE);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return ossl_failure(ERR(NO_MEMORY));
    bool ready = EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, parsed, NULL) == 1;
    bool genuine = ready && EVP_DigestVerify(ctx, signature.data, signature.len, message.data,
                                             message.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (genuine)
        return ERR_OK;
    return ossl_failure(ready ? ERR(CRYPTO_SIGNATURE) : ERR(CRYPTO_BACKEND));
}

static void ed448_free(void *parsed)
{
    EVP_PKEY_free(parsed);
}

static const struct sig_ops ed448_ops = {
    .draw = sig_draw_seed,
    .load_private = ed448_load_private,
    .check_public = ed448_check_public,
    .load_public = ed448_load_public,
    .sign = ed448_sign,
    .verify = ed448_verify,
    .free_parsed = ed448_free,
};

const struct sig_alg sig_ed448 = {
    .name = "Ed448",
    .scheme = 0x0808,
    .private_bytes = ED448_KEY_BYTES,
    .public_bytes = ED448_KEY_BYTES,
    .signature_max_bytes = ED448_SIGNATURE_BYTES,
    .ops = &ed448_ops,
};
