/* Status codes as text, grpc-message percent-encoding, and what an HTTP status means when
 * grpc-status is missing. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
#ifndef RPC_STATUS_TEXT_H
#define RPC_STATUS_TEXT_H

#include "base/bytes.h"
#include "hearth/rpc.h"

/* Appends text with everything outside 0x20..0x7E, and '%', as %XX. */
void status_message_encode(struct buf *out, const char *text);
/* In place; sequences that are not %XX stay as they are. Returns the new length. */
size_t status_message_decode(char *text, size_t len);
/* grpc-status: one or two digits; numbers over 16 and other text become UNKNOWN. */
enum hearth_code status_code_parse(struct bytes text);
/* For responses without grpc-status (doc/http-grpc-status-mapping.md). */
enum hearth_code status_from_http(unsigned http_status);
/* For streams reset by the other side. */
enum hearth_code status_from_h2_error(uint32_t error_code);

#endif
