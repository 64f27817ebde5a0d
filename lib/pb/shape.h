/* Bounds the nesting of serialised messages before they are decoded: protobuf-c unpacks by
 * recursion and has no bound of its own, so a few bytes per level could run the stack over.
 */
#ifndef PB_SHAPE_H
#define PB_SHAPE_H

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"

/* What protobuf's own implementations take. */
enum { SHAPE_DEPTH = 100 };

/* false: messages nested deeper than depth (1: none within it), or bytes that are no message of
 * this type. Fields that the type doesn't know are stepped over, as when decoding. */
bool shape_fits(const ProtobufCMessageDescriptor *type, struct bytes in, unsigned depth);

/* One field from the front of *in (moved on): its number, wire type, and contents (for a varint:
 * none; for the rest the bytes behind key and length). false where there is none that is whole. */
bool shape_field(struct bytes *in, uint32_t *ret_number, unsigned *ret_wire_type,
                 struct bytes *ret_contents);

/* A varint from the front of *in (moved on), at most 10 bytes; false when there is none. */
bool shape_varint(struct bytes *in, uint64_t *ret_value);

#endif
