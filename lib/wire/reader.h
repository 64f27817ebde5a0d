/* Reading the TLS presentation language (RFC 8446 3) with the variable vectors of RFC 9420 2.1.2.
 *
 * A reader borrows its input; views it hands out live as long as that. Failure is sticky: after the
 * first failure every read gives zero or an empty view and nothing moves, so a parser reads a whole
 * structure and asks once, with wire_reader_end() for a complete input or wire_reader_check() in
 * between. Nothing is allocated; a length is compared with what is left of the input before it is
 * believed.
 */
#ifndef WIRE_READER_H
#define WIRE_READER_H

#include "base/bytes.h"

struct wire_reader {
    const uint8_t *at;
    const uint8_t *end;
    enum err_code failure; /* ERR_NONE while well */
};

struct wire_reader wire_reader_of(struct bytes input);

uint8_t wire_read_u8(struct wire_reader *r);
uint16_t wire_read_u16(struct wire_reader *r);
uint32_t wire_read_u32(struct wire_reader *r);
uint64_t wire_read_u64(struct wire_reader *r);
/* A varint of RFC 9420 2.1.2: 1, 2 or 4 bytes, minimal, prefix 0b11 refused (ERR_WIRE_VARINT). */
uint32_t wire_read_varint(struct wire_reader *r);
/* opaque x[len] */
struct bytes wire_read_fixed(struct wire_reader *r, size_t len);
/* opaque x<V> */
struct bytes wire_read_vector(struct wire_reader *r);
/* opaque x<0..2^8-1>, <0..2^16-1>: RFC 8446 vectors with a length of fixed size */
struct bytes wire_read_vector8(struct wire_reader *r);
struct bytes wire_read_vector16(struct wire_reader *r);
/* A vector of structures: a reader over its contents. A failed outer reader gives an empty inner
 * one; errors inside are carried out with wire_reader_join(). */
struct wire_reader wire_read_nested(struct wire_reader *r);
/* Ends a nested reader: trailing bytes or a failure inside fail the outer one too. */
void wire_reader_join(struct wire_reader *outer, const struct wire_reader *inner);
/* uint8 presence flag of optional<T>: 0 or 1, else ERR_WIRE_VALUE. */
bool wire_read_present(struct wire_reader *r);

/* For a parser that finds a bad value. The first failure stays. */
void wire_reader_fail(struct wire_reader *r, enum err_code code);

/* More input and no failure: the loop condition for a vector of structures. */
static inline bool wire_reader_more(const struct wire_reader *r)
{
    return r->failure == ERR_NONE && r->at != r->end;
}

static inline size_t wire_reader_left(const struct wire_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* What was read between two points of one input, for hashing the bytes as received:
 * `const uint8_t *from = r->at; ... wire_reader_since(r, from)`. */
static inline struct bytes wire_reader_since(const struct wire_reader *r, const uint8_t *from)
{
    return bytes_of(from, (size_t)(r->at - from));
}

CHECKED struct err wire_reader_check(const struct wire_reader *r);
/* Fails with ERR_WIRE_TRAILING when bytes are left. */
CHECKED struct err wire_reader_end(const struct wire_reader *r);

#endif
