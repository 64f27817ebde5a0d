/* The batch proof of discrete-logarithm equality beneath voprf.h (RFC 9497 2.2). Internal to
 * lib/crypto. */
#ifndef CRYPTO_VOPRF_PROOF_H
#define CRYPTO_VOPRF_PROOF_H

#include "crypto/voprf.h"

/* GenerateProof with ComputeCompositesFast: evaluated[i] = private key * blinded[i] for all i.
 * ERR_CRYPTO_ELEMENT, ERR_IO without randomness. */
CHECKED struct err voprf_prove(const struct voprf_key *key, const struct rng *rng,
                               const uint8_t *blinded, const uint8_t *evaluated, size_t count,
                               uint8_t ret_proof[VOPRF_PROOF_BYTES]);
/* VerifyProof: ERR_CRYPTO_PROOF, ERR_CRYPTO_ELEMENT. */
CHECKED struct err voprf_verify(const uint8_t public_key[VOPRF_ELEMENT_BYTES],
                                const uint8_t *blinded, const uint8_t *evaluated, size_t count,
                                const uint8_t proof[VOPRF_PROOF_BYTES]);
/* A random scalar that is not zero, from 64 bytes of rng. ERR_IO. */
CHECKED struct err voprf_random_scalar(const struct rng *rng,
                                       uint8_t ret_scalar[VOPRF_SCALAR_BYTES]);

#endif
