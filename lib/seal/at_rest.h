/* Encryption of stored bytes: AES-256-GCM; associated data says what it is and where it lies.
 *
 *     sealed = salt[12] || nonce[12] || AES-256-GCM(key', nonce, aad, plaintext)
 *     key'   = HMAC-SHA256(key, "Hearth 1 at rest" || salt)
 *
 * AT_REST_OVERHEAD_BYTES longer than the plaintext. Salt and nonce are random. Without the salt one
 * key would be good for 2^32 rows (NIST SP 800-38D 8.3), which a busy queue writes in days; with it
 * two rows share key and nonce only when 192 random bits repeat. It costs one HMAC a row.
 */
#ifndef SEAL_AT_REST_H
#define SEAL_AT_REST_H

#include "crypto/aead.h"
#include "crypto/hash.h"

enum { AT_REST_KEY_BYTES = 32, AT_REST_OVERHEAD_BYTES = 40, AT_REST_ID_BYTES = 16 };

/* Appends to b; on failure b holds what it held. */
CHECKED struct err at_rest_seal(struct buf *b, const uint8_t key[AT_REST_KEY_BYTES],
                                const struct rng *rng, struct bytes aad, struct bytes plaintext);
/* The same, for what is written to b between the two: large contents need not be copied. After
 * begin b holds salt and nonce more; end turns what follows them into ciphertext. On failure b is
 * as it was before begin; a caller that gives up between the two clears b, which wipes. */
struct at_rest_mark {
    size_t begun, inner;
};
CHECKED struct err at_rest_begin(struct buf *b, const struct rng *rng,
                                 struct at_rest_mark *ret_mark);
CHECKED struct err at_rest_end(struct buf *b, struct at_rest_mark mark,
                               const uint8_t key[AT_REST_KEY_BYTES], struct bytes aad);
/* Appends the plaintext to b, which the caller clears (buf_clear wipes). ERR_CRYPTO_TAG when it was
 * not sealed so, too short ones included; b then holds what it held. */
CHECKED struct err at_rest_open(struct buf *b, const uint8_t key[AT_REST_KEY_BYTES],
                                struct bytes aad, struct bytes sealed);
/* A pseudo-random id: the first 16 bytes of HMAC-SHA256(key, pieces), each piece with its length
 * before it as uint64, so that ("ab", "c") and ("a", "bc") differ. A key for ids is no key for
 * sealing. */
void at_rest_prf(const uint8_t key[AT_REST_KEY_BYTES], struct bytes_list pieces,
                 uint8_t ret_id[AT_REST_ID_BYTES]);

#endif
