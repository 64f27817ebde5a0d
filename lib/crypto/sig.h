/* Signatures: Ed25519, Ed448 (RFC 8032), ECDSA on P-256, P-384, P-521 with the hash of the same
 * strength.
 *
 * Serialised forms are those of RFC 9420 5.1.1 and 5.1.2:
 *   Ed25519  private 32 (the seed), public 32, signature 64
 *   Ed448    private 57 (the seed), public 57, signature 114
 *   ECDSA    private 32, 48 or 66 (the scalar, 1 to n-1), public 65, 97 or 133 (uncompressed
 * point), signature DER Ecdsa-Sig-Value, strictly DER, at most 72, 104 or 139 Lengths are checked
 * exactly. Points are checked to lie on the curve. Ed25519 verification refuses S >= L,
 * non-canonical keys, and keys and R of small order.
 *
 * ECDSA draws its nonces from OpenSSL's generator (hedged there with key and message), not from a
 * struct rng, and is thus the one thing here that a seeded world can't repeat; the other signatures
 * are deterministic.
 */
#ifndef CRYPTO_SIG_H
#define CRYPTO_SIG_H

#include "crypto/public_key.h"
#include "crypto/secret.h"

enum { SIGNATURE_MAX_BYTES = 139 };

struct signature {
    uint8_t data[SIGNATURE_MAX_BYTES];
    size_t len; /* bytes in use */
};

static inline struct bytes signature_view(const struct signature *s)
{
    return bytes_of(s->data, s->len);
}

struct sig_alg {
    const char *name;
    uint16_t scheme; /* TLS SignatureScheme, RFC 8446 4.2.3 */
    size_t private_bytes;
    size_t public_bytes;
    size_t signature_max_bytes; /* exact for EdDSA */
    const struct sig_ops *ops;
};

extern const struct sig_alg sig_ed25519;
extern const struct sig_alg sig_ed448;
extern const struct sig_alg sig_ecdsa_p256_sha256;
extern const struct sig_alg sig_ecdsa_p384_sha384;
extern const struct sig_alg sig_ecdsa_p521_sha512;

/* A private key made ready: the public key is worked out once (which costs Ed25519 as much as
 * signing), and what OpenSSL makes of a key is kept. Read-only after init, so it may be shared by
 * threads. Clear it. */
struct sig_key {
    const struct sig_alg *alg;
    struct secret private_key;    /* serialised */
    struct public_key public_key; /* serialised */
    void *parsed;                 /* owned; NULL for Ed25519 */
};

/* ERR_CRYPTO_KEY_LENGTH, ERR_CRYPTO_KEY (scalar out of range), ERR_NO_MEMORY. */
CHECKED struct err sig_key_init(const struct sig_alg *alg, struct bytes private_key,
                                struct sig_key *ret_key);
CHECKED struct err sig_key_generate(const struct sig_alg *alg, const struct rng *rng,
                                    struct sig_key *ret_key);
/* Wipes and frees; safe on the zero state. */
void sig_key_clear(struct sig_key *key);

CHECKED struct err sig_sign(const struct sig_key *key, struct bytes message,
                            struct signature *ret_signature);

/* ERR_CRYPTO_KEY_LENGTH or ERR_CRYPTO_KEY when the key is malformed, ERR_CRYPTO_SIGNATURE when the
 * signature is malformed or not the key's, ERR_NO_MEMORY. (When memory runs out inside OpenSSL's
 * Ed448, it calls a good signature wrong; never the other way about.) */
CHECKED struct err sig_verify(const struct sig_alg *alg, struct bytes public_key,
                              struct bytes message, struct bytes signature);

/* Is this a public key? Cheap for Ed25519, where it looks at the length only and leaves the point
 * to sig_verify; ECDSA points are checked in full. */
CHECKED struct err sig_check_public(const struct sig_alg *alg, struct bytes public_key);

/* A public key kept parsed, for many verifications under it: saves the NIST curves the decoding of
 * the point. Ed25519 gains nothing and loses nothing. Shareable by threads like struct sig_key. */
struct sig_verifier {
    const struct sig_alg *alg;
    struct public_key public_key;
    void *parsed; /* owned; NULL for Ed25519 */
};

CHECKED struct err sig_verifier_init(const struct sig_alg *alg, struct bytes public_key,
                                     struct sig_verifier *ret_verifier);
void sig_verifier_clear(struct sig_verifier *verifier);
CHECKED struct err sig_verifier_verify(const struct sig_verifier *verifier, struct bytes message,
                                       struct bytes signature);

#endif
