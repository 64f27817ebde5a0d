/* The Diffie-Hellman groups beneath DHKEM. Internal to lib/crypto. Lengths are checked by the
 * caller. */
#ifndef CRYPTO_DH_H
#define CRYPTO_DH_H

#include "crypto/kem.h"
#include "crypto/nist.h"

enum { DH_MAX_BYTES = 66 };

struct kem_ops {
    size_t dh_bytes;
    struct err (*public_of)(const struct kem_ops *ops, struct bytes private_key,
                            uint8_t *ret_public);
    struct err (*dh)(const struct kem_ops *ops, struct bytes private_key, struct bytes public_key,
                     uint8_t *ret_dh);
    struct err (*check_public)(const struct kem_ops *ops, struct bytes public_key);
    /* NULL when every string of the right length is a private key (RFC 9180 7.1.3) */
    const struct nist_curve *curve;
};

extern const struct kem_ops dh_x25519;
extern const struct kem_ops dh_x448;
extern const struct kem_ops dh_p256;
extern const struct kem_ops dh_p384;
extern const struct kem_ops dh_p521;

#endif
