/* AES-256-GCM under a random nonce, built in place at the end of a buffer. Internal to lib/seal.
 *
 *     nonce[12] || AES-256-GCM(key, nonce, aad, plaintext)
 *
 *     size_t mark;
 *     TRY(envelope_begin(b, rng, &mark));
 *     ...write the plaintext to b...
 *     TRY(envelope_end(b, mark, key, aad));
 *
 * One key may seal 2^32 times (NIST SP 800-38D 8.3, random nonces of 96 bits).
 */
#ifndef SEAL_ENVELOPE_H
#define SEAL_ENVELOPE_H

#include "crypto/aead.h"

enum {
    ENVELOPE_KEY_BYTES = 32,
    ENVELOPE_OVERHEAD_BYTES = AEAD_NONCE_BYTES + AEAD_TAG_BYTES,
};

/* Takes back what was appended since mark; it may have been plaintext. */
static inline void envelope_undo(struct buf *b, size_t mark)
{
    if (b->len > mark) {
        bytes_wipe(b->data + mark, b->len - mark);
        b->len = mark;
    }
}

CHECKED struct err envelope_begin(struct buf *b, const struct rng *rng, size_t *ret_mark);
/* On failure b is as it was before envelope_begin. */
CHECKED struct err envelope_end(struct buf *b, size_t mark, const uint8_t key[ENVELOPE_KEY_BYTES],
                                struct bytes aad);
/* Appends the plaintext to b. ERR_CRYPTO_TAG also when it is too short to be one; b is then as it
 * was. */
CHECKED struct err envelope_open(struct buf *b, const uint8_t key[ENVELOPE_KEY_BYTES],
                                 struct bytes aad, struct bytes sealed);

/* The last step alone, for other AEADs and nonces: b's bytes from `from` on become ciphertext and
 * tag. On failure they are gone, back to mark. */
CHECKED struct err envelope_aead(struct buf *b, size_t mark, size_t from,
                                 const struct aead_alg *alg, const struct secret *key,
                                 const uint8_t nonce[AEAD_NONCE_BYTES], struct bytes aad);
CHECKED struct err envelope_aead_open(struct buf *b, const struct aead_alg *alg,
                                      const struct secret *key,
                                      const uint8_t nonce[AEAD_NONCE_BYTES], struct bytes aad,
                                      struct bytes ciphertext);

#endif
