/* Base64 (RFC 4648 4) as gRPC uses it for `-bin` metadata: written without padding, read with or
 * without.
 */
#ifndef RPC_BASE64_H
#define RPC_BASE64_H

#include "base/bytes.h"

/* Bytes that encoding len bytes takes, without padding. */
static inline size_t base64_size(size_t len)
{
    return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

/* Writes base64_size(len) characters, no terminator. */
void base64_encode(struct bytes in, char *out);
/* out has room for in.len / 4 * 3 + 2 bytes. ERR_RPC_METADATA on characters or a length that can't
 * be. */
CHECKED struct err base64_decode(struct bytes in, uint8_t *out, size_t *ret_len);

#endif
