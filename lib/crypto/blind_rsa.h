/* Blind RSA signatures: RSABSSA-SHA384-PSS-Deterministic of RFC 9474, with keys of 2048 bits and
 * the exponent 65537, as token type 0x0002 wants them (RFC 9578 6). Whoever sees the signature can
 * check it with the public key, and the signer can't tell which of his answers it came from.
 *
 *     client                          server
 *     blind_rsa_blind     ->          blind_rsa_sign
 *     blind_rsa_finalize  <-
 *     (anyone: blind_rsa_verify)
 *
 * (When memory runs out inside OpenSSL, it may call a good signature or a good key wrong, never the
 * other way about.)
 *
 * Blinded messages, answers, inverses and signatures are 256 bytes, big-endian. About 0.3 ms to
 * blind and to sign, 40 us to finalize or verify (tests/bench/pass_bench).
 */
#ifndef CRYPTO_BLIND_RSA_H
#define CRYPTO_BLIND_RSA_H

#include "base/bytes.h"
#include "base/rng.h"

enum {
    BLIND_RSA_BYTES = 256,
    BLIND_RSA_SALT_BYTES = 48,
    /* SubjectPublicKeyInfo with id-RSASSA-PSS, SHA-384, MGF1-SHA-384, salt 48: only the modulus
     * differs between keys (RFC 9578 6.5). */
    BLIND_RSA_PUBLIC_BYTES = 342,
};

/* A public key, parsed. Read-only after init, may be shared by threads. Clear it. */
struct blind_rsa_public {
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
    void *parsed; /* owned */
};

/* Exactly the form above, the modulus odd and of 2048 bits: ERR_CRYPTO_KEY_LENGTH, ERR_CRYPTO_KEY,
 * ERR_NO_MEMORY. */
CHECKED struct err blind_rsa_public_init(struct bytes spki, struct blind_rsa_public *ret_public);
/* Frees; safe on the zero state. */
void blind_rsa_public_clear(struct blind_rsa_public *public);

/* A private key. As blind_rsa_public; what OpenSSL holds is wiped when cleared. */
struct blind_rsa_key {
    struct blind_rsa_public public;
    void *parsed; /* owned */
};

/* From OpenSSL's generator, not from a struct rng; takes tenths of a second. ERR_NO_MEMORY,
 * ERR_CRYPTO_BACKEND. */
CHECKED struct err blind_rsa_key_generate(struct blind_rsa_key *ret_key);
/* From PKCS#8 in DER (RFC 5208), which must be an RSA key of our size and exponent and nothing
 * more: ERR_CRYPTO_KEY, ERR_NO_MEMORY. Trusts the numbers to fit each other (blind_rsa_sign finds
 * out). */
CHECKED struct err blind_rsa_key_init(struct bytes pkcs8, struct blind_rsa_key *ret_key);
/* Appends PKCS#8, about 1.2 KB. Secret: clear the buffer. */
CHECKED struct err blind_rsa_key_write(const struct blind_rsa_key *key, struct buf *b);
void blind_rsa_key_clear(struct blind_rsa_key *key);

/* Client: pads the message with a random salt, draws the blind (rng: 48 bytes, then 256 at a time)
 * and blinds. The inverse stays secret; wipe it after blind_rsa_finalize. ERR_IO without
 * randomness, ERR_CRYPTO_KEY when the modulus has a factor so small that we hit it. */
CHECKED struct err blind_rsa_blind(const struct blind_rsa_public *public, struct bytes message,
                                   const struct rng *rng, uint8_t ret_inverse[BLIND_RSA_BYTES],
                                   uint8_t ret_blinded[BLIND_RSA_BYTES]);
/* Client: unblinds and verifies. ERR_CRYPTO_SIGNATURE. */
CHECKED struct err blind_rsa_finalize(const struct blind_rsa_public *public, struct bytes message,
                                      const uint8_t blind_signature[BLIND_RSA_BYTES],
                                      const uint8_t inverse[BLIND_RSA_BYTES],
                                      uint8_t ret_signature[BLIND_RSA_BYTES]);

/* Server: the private operation, then its check (RFC 9474 4.3: a fault would give the key away).
 * ERR_ARGUMENT when blinded is not below the modulus, ERR_CRYPTO_BACKEND when the check fails. */
CHECKED struct err blind_rsa_sign(const struct blind_rsa_key *key,
                                  const uint8_t blinded[BLIND_RSA_BYTES],
                                  uint8_t ret_blind_signature[BLIND_RSA_BYTES]);

/* RSASSA-PSS with SHA-384, MGF1-SHA-384 and a salt of exactly 48 bytes. ERR_CRYPTO_SIGNATURE. */
CHECKED struct err blind_rsa_verify(const struct blind_rsa_public *public, struct bytes message,
                                    const uint8_t signature[BLIND_RSA_BYTES]);

#endif
