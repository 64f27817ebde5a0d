/* gzip (RFC 1952) for single messages, by zlib; inflate is bounded before and while it runs.
 */
#ifndef RPC_GZIP_H
#define RPC_GZIP_H

#include "base/bytes.h"

/* Appends the decompressed message to out, whose limit is the largest size allowed. ERR_TOO_LARGE
 * beyond it, ERR_RPC_FRAME for bytes that are no complete gzip stream. */
CHECKED struct err gzip_inflate(struct bytes in, struct buf *out);
CHECKED struct err gzip_deflate(struct bytes in, struct buf *out);

#endif
