#include "crypto/blind_rsa.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "crypto/hash.h"
#include "crypto/ossl.h"

enum {
    N = BLIND_RSA_BYTES,
    HASH_BYTES = 48,                  /* SHA-384 */
    BLOCK_BYTES = N - HASH_BYTES - 1, /* DB of EMSA-PSS */
};

/* EMSA-PSS-ENCODE (RFC 8017 9.1.1), emBits = 2047. */
static void pss_encode(struct bytes message, const uint8_t salt[BLIND_RSA_SALT_BYTES],
                       uint8_t ret_encoded[N])
{
    static const uint8_t zeros[8];
    struct digest digest;
    hash_once(&hash_sha384, message, &digest);
    hash_list(
        &hash_sha384,
        BYTES_LIST(bytes_of(zeros, 8), digest_view(&digest), bytes_of(salt, BLIND_RSA_SALT_BYTES)),
        &digest);
    memset(ret_encoded, 0, BLOCK_BYTES);
    ret_encoded[BLOCK_BYTES - BLIND_RSA_SALT_BYTES - 1] = 1;
    memcpy(ret_encoded + BLOCK_BYTES - BLIND_RSA_SALT_BYTES, salt, BLIND_RSA_SALT_BYTES);
    for (size_t done = 0; done < BLOCK_BYTES; done += HASH_BYTES) { /* MGF1 */
        const uint8_t counter[] = {0, 0, 0, (uint8_t)(done / HASH_BYTES)};
        struct digest mask;
        hash_list(&hash_sha384, BYTES_LIST(digest_view(&digest), bytes_of(counter, 4)), &mask);
        for (size_t i = 0; i < HASH_BYTES && done + i < BLOCK_BYTES; i++)
            ret_encoded[done + i] ^= mask.data[i];
    }
    ret_encoded[0] &= 0x7f;
    memcpy(ret_encoded + BLOCK_BYTES, digest.data, HASH_BYTES);
    ret_encoded[N - 1] = 0xbc;
}

/* Numbers that are wiped when freed. */
struct numbers {
    BN_CTX *ctx;
    BIGNUM *n, *e, *a, *b, *c;
};

static void numbers_clear(struct numbers *x)
{
    BN_free(x->n);
    BN_free(x->e);
    BN_clear_free(x->a);
    BN_clear_free(x->b);
    BN_clear_free(x->c);
    BN_CTX_free(x->ctx);
}

/* false: nothing was kept. */
static bool numbers_init(const struct blind_rsa_public *public, struct numbers *ret)
{
    struct numbers x = {BN_CTX_secure_new(), NULL, NULL, BN_new(), BN_new(), BN_new()};
    if (x.ctx == NULL || x.a == NULL || x.b == NULL || x.c == NULL ||
        EVP_PKEY_get_bn_param(public->parsed, OSSL_PKEY_PARAM_RSA_N, &x.n) != 1 ||
        EVP_PKEY_get_bn_param(public->parsed, OSSL_PKEY_PARAM_RSA_E, &x.e) != 1) {
        numbers_clear(&x);
        return false;
    }
    *ret = x;
    return true;
}

/* Uniform from 1 to n - 1, by rejection: n has its top bit set, so 128 failures in a row mean a
 * broken rng. */
static struct err draw_blind(const struct rng *rng, const BIGNUM *n, BIGNUM *ret_r)
{
    uint8_t candidate[N];
    struct err err = ERR_OK;
    for (int attempt = 0; attempt < 128; attempt++) {
        TRY_OR(rng_fill(rng, candidate, sizeof candidate), err, out);
        if (BN_bin2bn(candidate, N, ret_r) == NULL) {
            err = ossl_failure(ERR(NO_MEMORY));
            goto out;
        }
        if (!BN_is_zero(ret_r) && BN_cmp(ret_r, n) < 0)
            goto out;
    }
    err = ERR(IO);
out:
    bytes_wipe(candidate, sizeof candidate);
    return err;
}

/* a holds the encoded message m, b the blind r: writes m r^e and 1 / r. One inversion, of m r, also
 * answers whether both have inverses (RFC 9474 4.2 asks it of m). */
static struct err blind_numbers(struct numbers *x, uint8_t ret_inverse[N], uint8_t ret_blinded[N])
{
    bool ready = BN_mod_mul(x->c, x->a, x->b, x->n, x->ctx) == 1;
    BN_set_flags(x->c, BN_FLG_CONSTTIME);
    if (!ready)
        return ossl_failure(ERR(CRYPTO_BACKEND));
    if (BN_mod_inverse(x->c, x->c, x->n, x->ctx) == NULL)
        return ossl_failure(ERR(CRYPTO_KEY));
    uint8_t inverse[N];
    bool done =
        BN_mod_mul(x->c, x->c, x->a, x->n, x->ctx) == 1 && BN_bn2binpad(x->c, inverse, N) == N &&
        BN_mod_exp_mont(x->b, x->b, x->e, x->n, x->ctx, NULL) == 1 &&
        BN_mod_mul(x->a, x->a, x->b, x->n, x->ctx) == 1 && BN_bn2binpad(x->a, ret_blinded, N) == N;
    if (done)
        memcpy(ret_inverse, inverse, N);
    bytes_wipe(inverse, sizeof inverse);
    return done ? ERR_OK : ossl_failure(ERR(CRYPTO_BACKEND));
}

struct err blind_rsa_blind(const struct blind_rsa_public *public, struct bytes message,
                           const struct rng *rng, uint8_t ret_inverse[BLIND_RSA_BYTES],
                           uint8_t ret_blinded[BLIND_RSA_BYTES])
{
    uint8_t salt[BLIND_RSA_SALT_BYTES], encoded[N];
    struct numbers x;
    TRY(rng_fill(rng, salt, sizeof salt));
    if (!numbers_init(public, &x))
        return ossl_failure(ERR(NO_MEMORY));
    struct err err;
    TRY_OR(draw_blind(rng, x.n, x.b), err, out);
    pss_encode(message, salt, encoded);
    if (BN_bin2bn(encoded, N, x.a) != NULL)
        err = blind_numbers(&x, ret_inverse, ret_blinded);
    else
        err = ossl_failure(ERR(NO_MEMORY));
out:
    numbers_clear(&x);
    bytes_wipe(salt, sizeof salt);
    bytes_wipe(encoded, sizeof encoded);
    return err;
}

struct err blind_rsa_finalize(const struct blind_rsa_public *public, struct bytes message,
                              const uint8_t blind_signature[BLIND_RSA_BYTES],
                              const uint8_t inverse[BLIND_RSA_BYTES],
                              uint8_t ret_signature[BLIND_RSA_BYTES])
{
    struct numbers x;
    uint8_t signature[N];
    if (!numbers_init(public, &x))
        return ossl_failure(ERR(NO_MEMORY));
    bool done = BN_bin2bn(blind_signature, N, x.a) != NULL && BN_bin2bn(inverse, N, x.b) != NULL &&
                BN_mod_mul(x.c, x.a, x.b, x.n, x.ctx) == 1 && BN_bn2binpad(x.c, signature, N) == N;
    numbers_clear(&x);
    if (!done)
        return ossl_failure(ERR(CRYPTO_BACKEND));
    TRY(blind_rsa_verify(public, message, signature));
    memcpy(ret_signature, signature, N);
    return ERR_OK;
}

/* Raw RSA, public or private as the door given: what EVP calls encrypting and decrypting. */
static bool raw(EVP_PKEY *pkey, bool private_half, const uint8_t in[N], uint8_t ret_out[N])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    size_t len = N;
    bool done = false;
    if (ctx != NULL && private_half)
        done = EVP_PKEY_decrypt_init(ctx) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
               EVP_PKEY_decrypt(ctx, ret_out, &len, in, N) == 1;
    else if (ctx != NULL)
        done = EVP_PKEY_encrypt_init(ctx) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
               EVP_PKEY_encrypt(ctx, ret_out, &len, in, N) == 1;
    EVP_PKEY_CTX_free(ctx);
    return done && len == N;
}

struct err blind_rsa_sign(const struct blind_rsa_key *key, const uint8_t blinded[BLIND_RSA_BYTES],
                          uint8_t ret_blind_signature[BLIND_RSA_BYTES])
{
    /* the modulus lies in the SPKI; both are big-endian and of one length */
    const uint8_t *modulus = key->public.spki + BLIND_RSA_PUBLIC_BYTES - 5 - N;
    uint8_t signature[N], check[N];
    if (memcmp(blinded, modulus, N) >= 0)
        return ERR(ARGUMENT);
    if (!raw(key->parsed, true, blinded, signature) ||
        !raw(key->public.parsed, false, signature, check))
        return ossl_failure(ERR(CRYPTO_BACKEND));
    if (memcmp(check, blinded, N) != 0) {
        bytes_wipe(signature, sizeof signature); /* a factor of the modulus could be had from it */
        return ERR(CRYPTO_BACKEND);
    }
    memcpy(ret_blind_signature, signature, N);
    return ERR_OK;
}

struct err blind_rsa_verify(const struct blind_rsa_public *public, struct bytes message,
                            const uint8_t signature[BLIND_RSA_BYTES])
{
    struct digest digest;
    hash_once(&hash_sha384, message, &digest);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, public->parsed, NULL);
    bool ready = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
                 EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                 EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha384()) == 1 &&
                 EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha384()) == 1 &&
                 EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, BLIND_RSA_SALT_BYTES) == 1;
    bool good = ready && EVP_PKEY_verify(ctx, signature, N, digest.data, digest.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (good)
        return ERR_OK;
    return ossl_failure(ready ? ERR(CRYPTO_SIGNATURE) : ERR(CRYPTO_BACKEND));
}
