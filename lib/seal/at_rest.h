/* Encryption of stored bytes: AES-256-GCM under a random nonce, associated data says what and
 * where.
 *
 *     sealed = nonce[12] || AES-256-GCM(key, nonce, aad, plaintext)      AT_REST_OVERHEAD_BYTES
 * longer
 *
 * Random nonces of 96 bits: one key may seal 2^32 times (NIST SP 800-38D 8.3); purposes have keys
 * of their own.
 */
#ifndef SEAL_AT_REST_H
#define SEAL_AT_REST_H

#include "crypto/aead.h"
#include "crypto/hash.h"

enum { AT_REST_KEY_BYTES = 32, AT_REST_OVERHEAD_BYTES = 28 };

/* Appends to b. */
CHECKED struct err at_rest_seal(struct buf *b, const uint8_t key[AT_REST_KEY_BYTES],
                                const struct rng *rng, struct bytes aad, struct bytes plaintext);
/* Appends the plaintext to b, which the caller clears (buf_clear wipes). ERR_CRYPTO_TAG. */
CHECKED struct err at_rest_open(struct buf *b, const uint8_t key[AT_REST_KEY_BYTES],
                                struct bytes aad, struct bytes sealed);
/* A pseudo-random id: the first 16 bytes of HMAC-SHA256(key, pieces each with its length before
 * it). */
void at_rest_prf(const uint8_t key[AT_REST_KEY_BYTES], struct bytes_list pieces,
                 uint8_t ret_id[16]);

#endif
