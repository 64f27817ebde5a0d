/* Push tokens: how a device is woken, sealed by the client under a key that travels in its queue
 * references (sealed_ref.h).
 *
 *     at_rest_seal(push token key, aad "push token", uint16 length, token, zeros up to
 * PUSH_TOKEN_MAX_BYTES)
 */
#ifndef SEAL_PUSH_TOKEN_H
#define SEAL_PUSH_TOKEN_H

#include "base/rng.h"
#include "seal/at_rest.h"
#include "seal/sealed_ref.h"

enum { PUSH_TOKEN_MAX_BYTES = 512 };

/* Appends to b. ERR_TOO_LARGE over PUSH_TOKEN_MAX_BYTES. */
CHECKED struct err push_token_seal(struct buf *b, const struct rng *rng,
                                   const uint8_t key[PUSH_TOKEN_KEY_BYTES], struct bytes token);
/* Appends the token to b, which the caller clears. ERR_CRYPTO_TAG, ERR_WIRE_VALUE. */
CHECKED struct err push_token_open(struct buf *b, const uint8_t key[PUSH_TOKEN_KEY_BYTES],
                                   struct bytes sealed);

#endif
