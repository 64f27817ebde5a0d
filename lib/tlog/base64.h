/* Base64 with padding (RFC 4648 4), as signed notes and checkpoints write it. (lib/rpc/base64.h is
 * gRPC's habit: no padding.) Bits that pad the last character are not looked at, as Go's decoder
 * has it, which most of these notes' readers use.
 */
#ifndef TLOG_BASE64_H
#define TLOG_BASE64_H

#include "base/bytes.h"

/* out has room for text.len / 4 * 3 bytes. ERR_TLOG_NOTE. */
CHECKED struct err tlog_base64_decode(struct bytes text, uint8_t *out, size_t *ret_len);
void tlog_base64_write(struct buf *b, struct bytes value);

#endif
