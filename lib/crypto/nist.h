/* The NIST curves P-256, P-384, P-521: scalars and uncompressed points as bytes. Shared by KEM and
 * signatures; internal to lib/crypto.
 */
#ifndef CRYPTO_NIST_H
#define CRYPTO_NIST_H

#include "crypto/ossl.h"
#include "crypto/public_key.h"
#include "crypto/secret.h"

struct nist_curve {
    enum ossl_curve index;
    const char *group_name; /* as OpenSSL's providers know it */
    size_t scalar_bytes;
    size_t point_bytes; /* 1 + 2 coordinates */
    uint8_t top_mask;   /* the bits of a scalar's first byte that a random candidate may set */
};

extern const struct nist_curve nist_p256;
extern const struct nist_curve nist_p384;
extern const struct nist_curve nist_p521;

/* 1 <= scalar < order, in constant time but for the answer: ERR_CRYPTO_KEY_LENGTH, ERR_CRYPTO_KEY.
 */
CHECKED struct err nist_check_scalar(const struct nist_curve *curve, struct bytes scalar);
/* Exact length, uncompressed form, on the curve, not infinity: ERR_CRYPTO_KEY_LENGTH,
 * ERR_CRYPTO_KEY. */
CHECKED struct err nist_check_point(const struct nist_curve *curve, struct bytes point);
/* Writes point_bytes bytes. */
CHECKED struct err nist_public_of(const struct nist_curve *curve, struct bytes scalar,
                                  uint8_t *ret_point);
/* ECDH: the x coordinate, scalar_bytes bytes. Checks both inputs. */
CHECKED struct err nist_dh(const struct nist_curve *curve, struct bytes scalar, struct bytes point,
                           uint8_t *ret_x);
/* A key object for ECDSA. Checks the point; the scalar must have been checked, and may be empty.
 * Free with EC_KEY_free. */
CHECKED struct err nist_key(const struct nist_curve *curve, struct bytes scalar, struct bytes point,
                            EC_KEY **ret_key);

#endif
