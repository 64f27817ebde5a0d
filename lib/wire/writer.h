/* Writing the TLS presentation language; the mirror of reader.h.
 *
 * A writer appends to a struct buf owned by the caller. Failure is sticky in the buffer
 * (buf_check).
 */
#ifndef WIRE_WRITER_H
#define WIRE_WRITER_H

#include "base/bytes.h"

/* Longest vector that RFC 9420 2.1.2 can express. */
enum { WIRE_VECTOR_MAX = (1 << 30) - 1 };

void wire_write_u8(struct buf *b, uint8_t value);
void wire_write_u16(struct buf *b, uint16_t value);
void wire_write_u32(struct buf *b, uint32_t value);
void wire_write_u64(struct buf *b, uint64_t value);
/* Minimal form; a value over WIRE_VECTOR_MAX fails the buffer. */
void wire_write_varint(struct buf *b, size_t value);
void wire_write_fixed(struct buf *b, struct bytes value);
void wire_write_vector(struct buf *b, struct bytes value);
void wire_write_vector8(struct buf *b, struct bytes value);
void wire_write_vector16(struct buf *b, struct bytes value);
void wire_write_present(struct buf *b, bool present);

/* A vector of structures whose length is not known yet:
 *     size_t mark = wire_vector_begin(b);  ...write elements...  wire_vector_end(b, mark);
 * The contents move by up to three bytes at the end, so that the length is minimal. */
size_t wire_vector_begin(struct buf *b);
void wire_vector_end(struct buf *b, size_t mark);

/* Bytes that wire_write_varint(value) takes: 1, 2 or 4. */
size_t wire_varint_size(size_t value);

#endif
