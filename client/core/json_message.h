/* Protobuf messages as JSON and back, by their descriptors: for tools (`hearth rpc`). Bytes are
 * hex; a one-field oneof is the field itself; enums go by name; 64-bit numbers are JSON integers.
 */
#ifndef CLIENT_CORE_JSON_MESSAGE_H
#define CLIENT_CORE_JSON_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"

/* Freed with protobuf_c_message_free_unpacked. ERR_ARGUMENT, and ret_why (128 bytes) says what. */
CHECKED struct err json_message_read(const ProtobufCMessageDescriptor *type, const char *json,
                                     char ret_why[128], ProtobufCMessage **ret_message);
/* Appends text without NUL. */
CHECKED struct err json_message_write(const ProtobufCMessage *message, struct buf *b);

#endif
