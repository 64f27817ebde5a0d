/* Base64url with padding (RFC 4648 5), as RFC 9577 and RFC 9578 write everything. Internal to
 * lib/pass. */
#ifndef PASS_BASE64URL_H
#define PASS_BASE64URL_H

#include "base/bytes.h"

void base64url_write(struct buf *b, struct bytes data);
/* Strict: padded, no other characters, bits left over zero. Writes at most room bytes. False when
 * it is none of that, or longer. */
bool base64url_read(struct bytes text, size_t room, uint8_t *ret_data, size_t *ret_len);

#endif
