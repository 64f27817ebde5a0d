/* Tokens: an unlinkable right to a share of a server, in the structures of Privacy Pass (RFC 9577,
 * RFC 9578, draft-ietf-privacypass-batched-tokens). Whoever is entitled gets them by name
 * (request.h, issue.h) and spends them without one (redeem.h); between homeservers a voucher buys a
 * batch (voucher.h).
 *
 * A token belongs to one class (which service), and one period (a day): each pair has its own key,
 * so that an issuer who sees only the key knows whose allowance to charge. Nobody chooses a
 * challenge: the client builds it from domain, class, period and key, the same for everybody, for a
 * challenge of one's own would mark the tokens made with it.
 *
 *     struct {
 *         uint16 token_type;
 *         opaque issuer_name<1..2^16-1>;
 *         opaque redemption_context<0..32>;      0 or 32 bytes
 *         opaque origin_info<0..2^16-1>;
 *     } TokenChallenge;                          RFC 9577 2.1.1
 *     struct {
 *         uint16 token_type;
 *         uint8 nonce[32];
 *         uint8 challenge_digest[32];            SHA-256(TokenChallenge)
 *         uint8 token_key_id[32];                SHA-256(public key)
 *         uint8 authenticator[Nk];               64 for 0x0005, 256 for 0x0002
 *     } Token;                                   RFC 9577 2.2.1; 162 or 354 bytes
 *     struct {
 *         uint8 class; uint32 period; uint8 nonce[32]; uint8 authenticator[64];
 *     } ShortToken;                              ours: the rest follows; 101 bytes
 */
#ifndef PASS_TOKEN_H
#define PASS_TOKEN_H

#include "crypto/voprf.h"

enum {
    PASS_TYPE_TOKEN = 0x0005,   /* VOPRF(ristretto255, SHA-512) */
    PASS_TYPE_VOUCHER = 0x0002, /* blind RSA, 2048 bits */

    PASS_NONCE_BYTES = 32,
    PASS_DIGEST_BYTES = 32,
    PASS_KEY_ID_BYTES = 32,
    PASS_INPUT_BYTES = 2 + PASS_NONCE_BYTES + PASS_DIGEST_BYTES + PASS_KEY_ID_BYTES,
    PASS_AUTHENTICATOR_BYTES = VOPRF_OUTPUT_BYTES,
    PASS_TOKEN_BYTES = PASS_INPUT_BYTES + PASS_AUTHENTICATOR_BYTES,
    PASS_SHORT_BYTES = 1 + 4 + PASS_NONCE_BYTES + PASS_AUTHENTICATOR_BYTES,
    PASS_VOUCHER_BYTES = PASS_INPUT_BYTES + 256,

    PASS_BATCH_MAX = VOPRF_BATCH_MAX, /* tokens of one request */
};

/* One per service, so that each has its own key, allowance and spent table. */
enum pass_class {
    PASS_DELIVERY = 1,
    PASS_QUEUE = 2,
    PASS_TRANSPARENCY = 3,
    PASS_AUTH = 4, /* handles, connections, invitations */
    PASS_ATTACHMENT = 5,
    PASS_CLASS_END,
};

struct pass_challenge {
    uint16_t token_type;
    struct bytes issuer_name;        /* 1 to 65535 bytes */
    struct bytes redemption_context; /* 0 or 32 bytes */
    struct bytes origin_info;        /* at most 65535 bytes */
};
/* Appends. Sizes are the caller's to keep; the buffer fails where they can't be written. */
void pass_challenge_write(struct buf *b, const struct pass_challenge *challenge);
/* SHA-256 of what pass_challenge_write would write. */
void pass_challenge_digest(const struct pass_challenge *challenge,
                           uint8_t ret_digest[PASS_DIGEST_BYTES]);

/* What all may know of a type-5 key, worked out once. 101 bytes used. */
struct pass_public_key {
    uint8_t class; /* enum pass_class */
    uint32_t period;
    uint8_t public_key[VOPRF_ELEMENT_BYTES];
    uint8_t key_id[PASS_KEY_ID_BYTES];
    uint8_t challenge_digest[PASS_DIGEST_BYTES];
};
/* domain is both issuer and origin, 1 to 253 bytes. ERR_ARGUMENT: class or domain;
 * ERR_CRYPTO_ELEMENT: the key. */
CHECKED struct err pass_public_key_init(struct bytes domain, uint8_t class, uint32_t period,
                                        const uint8_t public_key[VOPRF_ELEMENT_BYTES],
                                        struct pass_public_key *ret_key);
/* What a token's authenticator is made from. */
void pass_token_input(const struct pass_public_key *key, const uint8_t nonce[PASS_NONCE_BYTES],
                      uint8_t ret_input[PASS_INPUT_BYTES]);
/* The challenge that pass_public_key_init digests; redemption_context goes to ret_context, which
 * the challenge borrows, as it does domain. For WWW-Authenticate. */
void pass_token_challenge(struct bytes domain, uint8_t class, uint32_t period,
                          const uint8_t public_key[VOPRF_ELEMENT_BYTES],
                          uint8_t ret_context[PASS_DIGEST_BYTES],
                          struct pass_challenge *ret_challenge);

/* A Token of either type, parsed; views into the input. */
struct pass_token {
    uint16_t token_type;
    struct bytes nonce;
    struct bytes challenge_digest;
    struct bytes key_id;
    struct bytes authenticator;
    struct bytes input; /* all but the authenticator, as received */
};
/* ERR_PASS_TYPE, wire errors. */
CHECKED struct err pass_token_parse(struct bytes in, struct pass_token *ret_token);

struct pass_short {
    uint8_t class; /* 1 to PASS_CLASS_END - 1 */
    uint32_t period;
    const uint8_t *nonce;         /* PASS_NONCE_BYTES */
    const uint8_t *authenticator; /* PASS_AUTHENTICATOR_BYTES */
};
/* ERR_WIRE_VALUE for a class that is none, wire errors. */
CHECKED struct err pass_short_parse(struct bytes in, struct pass_short *ret_short);
void pass_short_write(struct buf *b, const struct pass_short *token);

#endif
