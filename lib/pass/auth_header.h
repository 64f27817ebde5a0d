/* Tokens in HTTP headers (RFC 9577 2.1.2, 2.2.2), for clients that are not ours:
 *
 *     authorization: PrivateToken token="<base64url, padded>"
 *     www-authenticate: PrivateToken challenge="...", token-key="..."
 */
#ifndef PASS_AUTH_HEADER_H
#define PASS_AUTH_HEADER_H

#include "pass/token.h"

enum { PASS_AUTHORIZATION_MAX_BYTES = 1024 }; /* a voucher takes 494 */

/* Appends the header's value. token is a Token of either type. */
void pass_authorization_write(struct buf *b, struct bytes token);
/* The one parameter `token` of scheme PrivateToken, decoded (pass_token_parse comes next). Scheme
 * and names without regard to case, token or quoted-string, other parameters ignored (RFC
 * 9110 11.4). ERR_PASS_HEADER. */
CHECKED struct err pass_authorization_parse(struct bytes value,
                                            uint8_t ret_token[PASS_VOUCHER_BYTES], size_t *ret_len);
/* Appends the value of a challenge: a TokenChallenge and the key in its published form. */
void pass_www_authenticate_write(struct buf *b, const struct pass_challenge *challenge,
                                 struct bytes public_key);

#endif
