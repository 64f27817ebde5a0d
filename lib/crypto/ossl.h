/* What this folder keeps of OpenSSL for the life of the process, and how its failures become ours.
 * Internal to lib/crypto.
 */
#ifndef CRYPTO_OSSL_H
#define CRYPTO_OSSL_H

#include "base/bytes.h"

/* EC_KEY and ECDSA_* are marked deprecated in favour of EVP_PKEY, which takes 35 us to make a key
 * for a P-256 verification of 60. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

enum ossl_curve { OSSL_P256, OSSL_P384, OSSL_P521, OSSL_CURVE_COUNT };

enum { OSSL_ORDER_MAX_BYTES = 66 };

struct ossl {
    EVP_CIPHER *aes128_gcm;
    EVP_CIPHER *aes256_gcm;
    EC_GROUP *group[OSSL_CURVE_COUNT];
    /* the group orders, big-endian, as long as the curve's scalars */
    uint8_t order[OSSL_CURVE_COUNT][OSSL_ORDER_MAX_BYTES];
};

/* crypto_init() and the objects; they are never freed and may be shared by threads. */
CHECKED struct err ossl_get(const struct ossl **ret_ossl);

/* ERR_NO_MEMORY if OpenSSL's error queue says so, else `otherwise`. Empties the queue: what stays
 * in it would be taken by a TLS connection on this thread for its own (SSL_get_error). */
CHECKED struct err ossl_failure(struct err otherwise);

#endif
