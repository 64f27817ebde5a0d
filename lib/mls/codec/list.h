/* Lists kept as views into the input: uint16 values (capabilities), uint32 values (unmerged
 * leaves).
 *
 * A list costs no allocation and writes back byte for byte; elements are decoded when looked at.
 * Also the one place where the codec allocates: codec_alloc and codec_grow.
 */
#ifndef MLS_CODEC_LIST_H
#define MLS_CODEC_LIST_H

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* uint16 x<V> */
struct u16_list {
    struct bytes raw; /* contents of the vector, big-endian; len is even */
};

/* ERR_WIRE_VALUE when half an element is left over, ERR_WIRE_LIMIT over max_count elements. */
void u16_list_read(struct wire_reader *r, size_t max_count, struct u16_list *list);
void u16_list_write(struct buf *b, const struct u16_list *list);
bool u16_list_has(const struct u16_list *list, uint16_t value);

static inline size_t u16_list_count(const struct u16_list *list)
{
    return list->raw.len / 2;
}

static inline uint16_t u16_list_at(const struct u16_list *list, size_t i)
{
    return (uint16_t)(list->raw.data[2 * i] << 8 | list->raw.data[2 * i + 1]);
}

/* A list over a copy of values in the arena; an empty list when that fails (the arena remembers).
 */
struct u16_list u16_list_of(struct arena *a, const uint16_t *values, size_t count);

/* uint32 x<V> */
struct u32_list {
    struct bytes raw; /* len is a multiple of 4 */
};

void u32_list_read(struct wire_reader *r, size_t max_count, struct u32_list *list);
void u32_list_write(struct buf *b, const struct u32_list *list);
/* By binary search: the list must be sorted in increasing order (RFC 9420 7.1 wants that). */
bool u32_list_has_sorted(const struct u32_list *list, uint32_t value);

static inline size_t u32_list_count(const struct u32_list *list)
{
    return list->raw.len / 4;
}

static inline uint32_t u32_list_at(const struct u32_list *list, size_t i)
{
    const uint8_t *p = list->raw.data + 4 * i;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Arena memory for a decoder. On failure NULL, and the reader fails with ERR_TOO_LARGE (over the
 * arena's cap) or ERR_NO_MEMORY. A failed reader gets NULL. */
void *codec_alloc(struct wire_reader *r, struct arena *a, size_t len);
/* An array of count elements, full when count == *cap, made to hold one more; what it held is
 * copied. Doubles, so that at most half the memory is wasted. ERR_WIRE_LIMIT when count has reached
 * max_count. */
void *codec_grow(struct wire_reader *r, struct arena *a, void *array, size_t count, size_t *cap,
                 size_t element_bytes, size_t max_count);

#endif
