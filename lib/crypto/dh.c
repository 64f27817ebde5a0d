#include "crypto/dh.h"

#include <sodium.h>

/* RFC 7748 6: all zeros means that the other key had small order. Constant time but for the answer.
 */
static struct err refuse_zero(const uint8_t *dh, size_t len)
{
    return sodium_is_zero(dh, len) ? ERR(CRYPTO_DH_ZERO) : ERR_OK;
}

static struct err any_public(const struct kem_ops *ops, struct bytes public_key)
{
    (void)ops;
    (void)public_key;
    return ERR_OK;
}

/* X25519 by libsodium: it clamps the scalar and ignores the high bit of the point (RFC 7748 5). */
static struct err x25519_public_of(const struct kem_ops *ops, struct bytes private_key,
                                   uint8_t *ret_public)
{
    (void)ops;
    crypto_scalarmult_curve25519_base(ret_public, private_key.data);
    return ERR_OK;
}

static struct err x25519_dh(const struct kem_ops *ops, struct bytes private_key,
                            struct bytes public_key, uint8_t *ret_dh)
{
    if (crypto_scalarmult_curve25519(ret_dh, private_key.data, public_key.data) != 0)
        return ERR(CRYPTO_DH_ZERO);
    return refuse_zero(ret_dh, ops->dh_bytes);
}

static EVP_PKEY *x448_private(struct bytes key)
{
    return EVP_PKEY_new_raw_private_key_ex(NULL, "X448", NULL, key.data, key.len);
}

static struct err x448_public_of(const struct kem_ops *ops, struct bytes private_key,
                                 uint8_t *ret_public)
{
    EVP_PKEY *pkey = x448_private(private_key);
    size_t len = ops->dh_bytes;
    bool done = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, ret_public, &len) == 1 &&
                len == ops->dh_bytes;
    EVP_PKEY_free(pkey);
    return done ? ERR_OK : ossl_failure(ERR(CRYPTO_BACKEND));
}

static struct err x448_dh(const struct kem_ops *ops, struct bytes private_key,
                          struct bytes public_key, uint8_t *ret_dh)
{
    EVP_PKEY *ours = x448_private(private_key);
    EVP_PKEY *theirs =
        EVP_PKEY_new_raw_public_key_ex(NULL, "X448", NULL, public_key.data, public_key.len);
    EVP_PKEY_CTX *ctx = ours != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL) : NULL;
    size_t len = ops->dh_bytes;
    bool ready = theirs != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                 EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) == 1;
    /* with everything in place, OpenSSL's derivation fails for a zero result only */
    bool done = ready && EVP_PKEY_derive(ctx, ret_dh, &len) == 1 && len == ops->dh_bytes;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(ours);
    if (!done)
        return ossl_failure(ready ? ERR(CRYPTO_DH_ZERO) : ERR(CRYPTO_BACKEND));
    return refuse_zero(ret_dh, len);
}

static struct err curve_public_of(const struct kem_ops *ops, struct bytes private_key,
                                  uint8_t *ret_public)
{
    return nist_public_of(ops->curve, private_key, ret_public);
}

static struct err curve_dh(const struct kem_ops *ops, struct bytes private_key,
                           struct bytes public_key, uint8_t *ret_dh)
{
    return nist_dh(ops->curve, private_key, public_key, ret_dh);
}

static struct err curve_check_public(const struct kem_ops *ops, struct bytes public_key)
{
    return nist_check_point(ops->curve, public_key);
}

const struct kem_ops dh_x25519 = {32, x25519_public_of, x25519_dh, any_public, NULL};
const struct kem_ops dh_x448 = {56, x448_public_of, x448_dh, any_public, NULL};
const struct kem_ops dh_p256 = {32, curve_public_of, curve_dh, curve_check_public, &nist_p256};
const struct kem_ops dh_p384 = {48, curve_public_of, curve_dh, curve_check_public, &nist_p384};
const struct kem_ops dh_p521 = {66, curve_public_of, curve_dh, curve_check_public, &nist_p521};
