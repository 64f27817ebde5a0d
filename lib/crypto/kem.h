/* DHKEM (RFC 9180 4.1) over X25519, X448, P-256, P-384, P-521.
 *
 * Sizes in bytes (RFC 9180 7.1), private / public = encapsulation / shared secret:
 *   X25519 32 / 32 / 32, X448 56 / 56 / 64, P-256 32 / 65 / 32, P-384 48 / 97 / 48, P-521 66 / 133
 * / 64 Private keys are raw (X25519 and X448 are clamped in use, not in storage); NIST public keys
 * are uncompressed points, checked to lie on the curve and not to be infinity. A DH result of all
 * zeros (X25519, X448: a key of small order) is refused with ERR_CRYPTO_DH_ZERO. The high bit of an
 * X25519 key is ignored as RFC 7748 5 asks.
 */
#ifndef CRYPTO_KEM_H
#define CRYPTO_KEM_H

#include "crypto/kdf.h"
#include "crypto/public_key.h"

struct kem_alg {
    const char *name;
    uint16_t hpke_id;     /* RFC 9180 7.1 */
    size_t private_bytes; /* Nsk */
    size_t public_bytes;  /* Npk = Nenc */
    size_t secret_bytes;  /* Nsecret */
    const struct kdf_alg *kdf;
    const struct kem_ops *ops;
};

extern const struct kem_alg kem_x25519;
extern const struct kem_alg kem_x448;
extern const struct kem_alg kem_p256;
extern const struct kem_alg kem_p384;
extern const struct kem_alg kem_p521;

/* DeriveKeyPair(ikm), RFC 9180 7.1.3. RFC 9420 calls it KEM.DeriveKeyPair for path secrets and
 * external keys. ERR_INTERNAL with probability 2^-256 or less (the rejection loop ran out),
 * ERR_NO_MEMORY. */
CHECKED struct err kem_derive(const struct kem_alg *kem, struct bytes ikm,
                              struct secret *ret_private, struct public_key *ret_public);
/* GenerateKeyPair(): DeriveKeyPair of Nsk random bytes. */
CHECKED struct err kem_generate(const struct kem_alg *kem, const struct rng *rng,
                                struct secret *ret_private, struct public_key *ret_public);
/* The public half. ERR_CRYPTO_KEY_LENGTH, ERR_CRYPTO_KEY (NIST scalar out of range). */
CHECKED struct err kem_public_of(const struct kem_alg *kem, struct bytes private_key,
                                 struct public_key *ret_public);
/* Is this a public key? ERR_CRYPTO_KEY_LENGTH or ERR_CRYPTO_KEY. For X25519 and X448 every string
 * of the right length is one; those of small order show up in the DH. */
CHECKED struct err kem_check_public(const struct kem_alg *kem, struct bytes public_key);

/* Encap(pkR). Draws the Nsk bytes of the ephemeral key's ikm from rng, so that a scripted rng
 * reproduces the RFC's vectors. Errors: as kem_check_public, ERR_CRYPTO_DH_ZERO, ERR_IO (rng),
 * ERR_NO_MEMORY. */
CHECKED struct err kem_encap(const struct kem_alg *kem, const struct rng *rng,
                             struct bytes public_key, struct secret *ret_shared,
                             struct public_key *ret_enc);
/* Decap(enc, skR). own_public is the public half of private_key if at hand, or empty: then it is
 * worked out, at the price of a base point multiplication. Errors as kem_encap, about enc. */
CHECKED struct err kem_decap(const struct kem_alg *kem, struct bytes private_key,
                             struct bytes own_public, struct bytes enc, struct secret *ret_shared);

#endif
