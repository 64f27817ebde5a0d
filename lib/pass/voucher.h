/* Vouchers: what a user's home A issues so that another homeserver B gives him tokens (type 0x0002,
 * RFC 9578 6). A is told how many vouchers a user takes, not for which server; B sees "some user of
 * A". One buys a batch of up to PASS_BATCH_MAX tokens of one class at B.
 *
 *     struct {
 *         uint16 token_type = 0x0002; uint8 truncated_token_key_id; uint8 blinded_msg[256];
 *     } TokenRequest;                            259 bytes
 *     struct { uint8 blind_sig[256]; } TokenResponse;
 *
 * Keys are per class and week (unix time / 604800), good for that week and a day of grace. The
 * challenge names A as issuer and B as origin; its context is SHA-256("Hearth voucher 1" || class
 * || week), so a voucher is good at one server and for one class.
 */
#ifndef PASS_VOUCHER_H
#define PASS_VOUCHER_H

#include "crypto/blind_rsa.h"
#include "pass/token.h"

enum {
    PASS_WEEK_S = 604800,
    PASS_VOUCHER_REQUEST_BYTES = 2 + 1 + BLIND_RSA_BYTES,
    PASS_VOUCHER_RESPONSE_BYTES = BLIND_RSA_BYTES,
};

/* Of a voucher from home (the issuer) for visited (the origin). ERR_ARGUMENT: class, or a domain
 * that is not 1 to 253 bytes. */
CHECKED struct err pass_voucher_digest(struct bytes home, struct bytes visited, uint8_t class,
                                       uint32_t week, uint8_t ret_digest[PASS_DIGEST_BYTES]);

/* Client: what it remembers between request and response; 610 bytes, wipe it. */
struct pass_voucher_order {
    uint8_t input[PASS_INPUT_BYTES];
    uint8_t inverse[BLIND_RSA_BYTES];
    uint8_t blinded[BLIND_RSA_BYTES];
};

/* Draws nonce, salt and blind: 0.3 ms. digest as from pass_voucher_digest; the key is one the
 * client accepts (key_rules.h). Errors of blind_rsa_blind. */
CHECKED struct err pass_voucher_order_init(const struct blind_rsa_public *key,
                                           const uint8_t digest[PASS_DIGEST_BYTES],
                                           const struct rng *rng,
                                           struct pass_voucher_order *ret_order);
/* Appends the request. */
void pass_voucher_order_write(const struct pass_voucher_order *order, struct buf *b);
/* Unblinds and verifies. ERR_WIRE_SHORT, ERR_WIRE_TRAILING, ERR_CRYPTO_SIGNATURE. */
CHECKED struct err pass_voucher_order_finish(const struct pass_voucher_order *order,
                                             const struct blind_rsa_public *key,
                                             struct bytes response,
                                             uint8_t ret_voucher[PASS_VOUCHER_BYTES]);
void pass_voucher_order_clear(struct pass_voucher_order *order);

/* Issuer whose private key is elsewhere: what is to be signed blindly, a view into the request.
 * ERR_PASS_TYPE, wire errors, ERR_PASS_KEY when it names another key. */
CHECKED struct err pass_voucher_request_parse(struct bytes request,
                                              const uint8_t spki[BLIND_RSA_PUBLIC_BYTES],
                                              const uint8_t **ret_blinded);
/* Issuer: 0.3 ms. ERR_PASS_TYPE, wire errors, ERR_PASS_KEY when the request names another key,
 * errors of blind_rsa_sign. */
CHECKED struct err pass_voucher_issue(const struct blind_rsa_key *key, struct bytes request,
                                      uint8_t ret_response[PASS_VOUCHER_RESPONSE_BYTES]);

/* Visited server: 40 us. ERR_PASS_TYPE, ERR_PASS_KEY (another key or challenge), ERR_PASS_TOKEN. */
CHECKED struct err pass_voucher_check(const struct blind_rsa_public *key,
                                      const uint8_t digest[PASS_DIGEST_BYTES],
                                      const struct pass_token *token);

#endif
