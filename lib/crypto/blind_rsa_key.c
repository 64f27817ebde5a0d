/* Keys of blind_rsa.h: the one public form there is, and PKCS#8. */
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypto/blind_rsa.h"
#include "crypto/ossl.h"

/* SEQUENCE { SEQUENCE { id-RSASSA-PSS, { SHA-384, MGF1 with SHA-384, 48 } }, BIT STRING {
 * SEQUENCE { INTEGER 0 || modulus, INTEGER 65537 } } } up to the modulus, and after it. */
static const uint8_t head[] = {
    0x30, 0x82, 0x01, 0x52, 0x30, 0x3d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
    0x01, 0x01, 0x0a, 0x30, 0x30, 0xa0, 0x0d, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
    0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0xa1, 0x1a, 0x30, 0x18, 0x06, 0x09, 0x2a, 0x86,
    0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
    0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0xa2, 0x03, 0x02, 0x01, 0x30, 0x03, 0x82, 0x01,
    0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00};
static const uint8_t tail[] = {0x02, 0x03, 0x01, 0x00, 0x01};
_Static_assert(sizeof head + BLIND_RSA_BYTES + sizeof tail == BLIND_RSA_PUBLIC_BYTES, "SPKI");

enum { EXPONENT = 65537, BITS = 8 * BLIND_RSA_BYTES };

/* n and e as a key that OpenSSL can work with; NULL on failure. */
static EVP_PKEY *parse_modulus(const uint8_t modulus[BLIND_RSA_BYTES])
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(modulus, BLIND_RSA_BYTES, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (build != NULL && n != NULL && ctx != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, EXPONENT) == 1 &&
        (params = OSSL_PARAM_BLD_to_param(build)) != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

struct err blind_rsa_public_init(struct bytes spki, struct blind_rsa_public *ret_public)
{
    if (spki.len != BLIND_RSA_PUBLIC_BYTES)
        return ERR(CRYPTO_KEY_LENGTH);
    const uint8_t *modulus = spki.data + sizeof head;
    bool form = memcmp(spki.data, head, sizeof head) == 0 &&
                memcmp(modulus + BLIND_RSA_BYTES, tail, sizeof tail) == 0;
    if (!form || (modulus[0] & 0x80) == 0 || (modulus[BLIND_RSA_BYTES - 1] & 1) == 0)
        return ERR(CRYPTO_KEY);
    const struct ossl *ossl;
    TRY(ossl_get(&ossl));
    EVP_PKEY *parsed = parse_modulus(modulus);
    if (parsed == NULL)
        return ossl_failure(ERR(CRYPTO_BACKEND));
    memmove(ret_public->spki, spki.data, sizeof ret_public->spki);
    ret_public->parsed = parsed;
    return ERR_OK;
}

void blind_rsa_public_clear(struct blind_rsa_public *public)
{
    EVP_PKEY_free(public->parsed);
    *public = (struct blind_rsa_public){.parsed = NULL};
}

/* The public half of a private key: modulus of our size, exponent ours. */
static struct err public_of(EVP_PKEY *parsed, struct blind_rsa_public *ret_public)
{
    BIGNUM *n = NULL, *e = NULL;
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
    struct err err = ERR(CRYPTO_KEY);
    if (EVP_PKEY_get_bn_param(parsed, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
        EVP_PKEY_get_bn_param(parsed, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_num_bits(n) == BITS &&
        BN_is_word(e, EXPONENT) &&
        BN_bn2binpad(n, spki + sizeof head, BLIND_RSA_BYTES) == BLIND_RSA_BYTES) {
        memcpy(spki, head, sizeof head);
        memcpy(spki + sizeof head + BLIND_RSA_BYTES, tail, sizeof tail);
        err = blind_rsa_public_init(bytes_of(spki, sizeof spki), ret_public);
    } else {
        err = ossl_failure(err);
    }
    BN_free(n);
    BN_free(e);
    return err;
}

/* Takes parsed, also on failure. */
static struct err key_complete(EVP_PKEY *parsed, struct blind_rsa_key *ret_key)
{
    struct blind_rsa_key key = {.parsed = parsed};
    struct err err = public_of(parsed, &key.public);
    if (err_is_ok(err))
        *ret_key = key;
    else
        EVP_PKEY_free(parsed);
    return err;
}

struct err blind_rsa_key_generate(struct blind_rsa_key *ret_key)
{
    const struct ossl *ossl;
    TRY(ossl_get(&ossl));
    EVP_PKEY *parsed = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    bool done = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, BITS) == 1 &&
                EVP_PKEY_generate(ctx, &parsed) == 1;
    EVP_PKEY_CTX_free(ctx);
    return done ? key_complete(parsed, ret_key) : ossl_failure(ERR(CRYPTO_BACKEND));
}

struct err blind_rsa_key_init(struct bytes pkcs8, struct blind_rsa_key *ret_key)
{
    enum { PKCS8_MAX_BYTES = 4096 };
    if (pkcs8.len > PKCS8_MAX_BYTES)
        return ERR(CRYPTO_KEY);
    const struct ossl *ossl;
    TRY(ossl_get(&ossl));
    const unsigned char *at = pkcs8.data;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)pkcs8.len);
    bool whole = info != NULL && at == pkcs8.data + pkcs8.len;
    EVP_PKEY *parsed = whole ? EVP_PKCS82PKEY_ex(info, NULL, NULL) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (parsed == NULL)
        return ossl_failure(ERR(CRYPTO_KEY));
    if (EVP_PKEY_is_a(parsed, "RSA") != 1) {
        EVP_PKEY_free(parsed);
        return ERR(CRYPTO_KEY);
    }
    return key_complete(parsed, ret_key);
}

struct err blind_rsa_key_write(const struct blind_rsa_key *key, struct buf *b)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->parsed);
    unsigned char *der = NULL;
    int len = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    struct err err = ERR_OK;
    if (len > 0)
        buf_append(b, der, (size_t)len);
    else
        err = ossl_failure(ERR(CRYPTO_BACKEND));
    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(info);
    TRY(err);
    return buf_check(b);
}

void blind_rsa_key_clear(struct blind_rsa_key *key)
{
    blind_rsa_public_clear(&key->public);
    EVP_PKEY_free(key->parsed); /* wipes the private numbers */
    key->parsed = NULL;
}
