/* ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381 5, 5.5): an output that only the key's holder can work
 * out, with a proof that anybody can check and that exists for one output only.
 *
 *   secret key 32 (an Ed25519 seed, RFC 8032 5.1.5), public key 32,
 *   proof 80: Gamma[32] || c[16] || s[32], output 64 (beta)
 *
 * A proof is deterministic. Making one takes a time that depends on alpha (try and increment, RFC
 * 9381 7.1): work it out once and keep it; alpha is not hidden from whoever times the maker. The
 * key is handled in constant time.
 *
 * Stricter than RFC 9381 where it leaves a malicious prover room: a public key or a Gamma with a
 * part of small order is refused (the RFC takes some such proofs, whose output is the same), so is
 * s = 0. No honest prover makes these; what is accepted here is accepted by every implementation.
 */
#ifndef CRYPTO_VRF_H
#define CRYPTO_VRF_H

#include "base/bytes.h"

enum {
    VRF_SECRET_BYTES = 32,
    VRF_PUBLIC_BYTES = 32,
    VRF_PROOF_BYTES = 80,
    VRF_OUTPUT_BYTES = 64,
};

/* A secret key made ready. Read-only after init, so it may be shared by threads. Clear it. */
struct vrf_key {
    uint8_t scalar[32]; /* x, reduced */
    uint8_t prefix[32]; /* second half of the hashed seed, for nonces (RFC 8032 5.1.6) */
    uint8_t public_key[VRF_PUBLIC_BYTES];
};

/* ERR_CRYPTO_KEY_LENGTH; ERR_NO_MEMORY (see crypto_init). */
CHECKED struct err vrf_key_init(struct bytes secret, struct vrf_key *ret_key);
/* Wipes; safe on the zero state. */
void vrf_key_clear(struct vrf_key *key);

/* ERR_CRYPTO_BACKEND when no candidate is a point, which 2^-256 of all alphas meet. */
CHECKED struct err vrf_prove(const struct vrf_key *key, struct bytes alpha,
                             uint8_t ret_proof[VRF_PROOF_BYTES],
                             uint8_t ret_output[VRF_OUTPUT_BYTES]);

/* RFC 9381 5.4.5: is this a public key? Canonical, on the curve, of prime order.
 * ERR_CRYPTO_KEY_LENGTH, ERR_CRYPTO_KEY. */
CHECKED struct err vrf_check_public(struct bytes public_key);

/* ERR_CRYPTO_KEY_LENGTH or ERR_CRYPTO_KEY for the key, ERR_CRYPTO_VRF when the proof is malformed
 * or not the key's proof for alpha. */
CHECKED struct err vrf_verify(struct bytes public_key, struct bytes alpha, struct bytes proof,
                              uint8_t ret_output[VRF_OUTPUT_BYTES]);

#endif
