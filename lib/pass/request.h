/* The client's half of issuance (draft-ietf-privacypass-batched-tokens, amortized, type 0x0005).
 *
 *     struct {
 *         uint16 token_type = 0x0005;
 *         uint8 truncated_token_key_id;           last byte of the key's id
 *         BlindedMessage blinded_msgs<V>;         32 bytes each
 *     } AmortizedBatchTokenRequest;
 *     struct {
 *         EvaluatedMessage evaluated_msgs<V>;     32 bytes each
 *         uint8 evaluated_proof[64];
 *     } AmortizedBatchTokenResponse;
 *
 * <V> counts bytes, as in RFC 9420 2.1.2: 100 tokens are 3205 bytes up and 3266 down.
 *
 *     pass_order_init(&order, ...);  pass_order_write(&order, &request);  ...the server...
 *     pass_order_finish(&order, response, tokens);  pass_order_clear(&order);
 *
 * An order holds what links tokens to their issuance: keep it as secret as the tokens, and don't
 * spend soon after fetching (fetch-then-spend is linked by time alone).
 */
#ifndef PASS_REQUEST_H
#define PASS_REQUEST_H

#include "pass/token.h"

/* About 9.8 KB; wipe with pass_order_clear. */
struct pass_order {
    struct pass_public_key key;
    size_t count;
    uint8_t nonces[PASS_BATCH_MAX * PASS_NONCE_BYTES];
    uint8_t blinds[PASS_BATCH_MAX * VOPRF_SCALAR_BYTES];
    uint8_t blinded[PASS_BATCH_MAX * VOPRF_ELEMENT_BYTES];
};

/* What a client keeps of a token; with the key it is a pass_short or a Token. */
struct pass_coin {
    uint8_t nonce[PASS_NONCE_BYTES];
    uint8_t authenticator[PASS_AUTHENTICATOR_BYTES];
};

/* Draws nonces and blinds for count tokens: about 7 ms for 100. The key is one the client accepts
 * (key_rules.h). ERR_PASS_BATCH, ERR_IO without randomness; ret_order is wiped on failure. */
CHECKED struct err pass_order_init(const struct pass_public_key *key, size_t count,
                                   const struct rng *rng, struct pass_order *ret_order);
/* Appends the request. */
void pass_order_write(const struct pass_order *order, struct buf *b);
/* Checks the proof and writes order->count coins, or none: about 20 ms for 100. Wire errors,
 * ERR_PASS_BATCH when the number is not the one asked for, ERR_CRYPTO_PROOF, ERR_CRYPTO_ELEMENT. */
CHECKED struct err pass_order_finish(const struct pass_order *order, struct bytes response,
                                     struct pass_coin *ret_coins);
void pass_order_clear(struct pass_order *order);

/* Appends a Token, 162 bytes. */
void pass_coin_write_token(struct buf *b, const struct pass_public_key *key,
                           const struct pass_coin *coin);
/* Appends a ShortToken, 101 bytes. */
void pass_coin_write_short(struct buf *b, const struct pass_public_key *key,
                           const struct pass_coin *coin);

#endif
