/* HashValue: the SHA-256 outputs that all trees of the log are made of, and how the log's messages
 * carry them (transparency.md 3): vectors with an ELEMENT COUNT in the fewest bytes that hold their
 * upper bound, integers big-endian.
 */
#ifndef TLOG_HASH_VALUE_H
#define TLOG_HASH_VALUE_H

#include "crypto/hash.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    HASH_VALUE_BYTES = 32,
    LOG_PATH_MAX = 64, /* hashes of one path or range in a log of at most 2^63 entries */
};

struct hash_value {
    uint8_t data[HASH_VALUE_BYTES];
};

static inline struct bytes hash_value_view(const struct hash_value *h)
{
    return bytes_of(h->data, HASH_VALUE_BYTES);
}

/* Hashes of the log are public. */
static inline bool hash_value_equal(const struct hash_value *a, const struct hash_value *b)
{
    return memcmp(a->data, b->data, HASH_VALUE_BYTES) == 0;
}

/* SHA-256(tag || left || right). */
static inline void hash_value_pair(uint8_t tag, const uint8_t left[HASH_VALUE_BYTES],
                                   const uint8_t right[HASH_VALUE_BYTES],
                                   struct hash_value *ret_hash)
{
    uint8_t block[1 + 2 * HASH_VALUE_BYTES];
    struct digest digest;
    block[0] = tag;
    memcpy(block + 1, left, HASH_VALUE_BYTES);
    memcpy(block + 1 + HASH_VALUE_BYTES, right, HASH_VALUE_BYTES);
    hash_once(&hash_sha256, bytes_of(block, sizeof block), &digest);
    memcpy(ret_hash->data, digest.data, HASH_VALUE_BYTES);
}

/* Several hashes, one after the other: a proof. Borrowed. */
struct hash_run {
    const uint8_t *data; /* count * HASH_VALUE_BYTES */
    size_t count;
};

static inline const uint8_t *hash_run_at(const struct hash_run *run, size_t i)
{
    return run->data + i * HASH_VALUE_BYTES;
}

/* HashValue x<0..2^8-1>, at most LOG_PATH_MAX of them: WIRE_LIMIT. */
struct hash_run hash_run_read8(struct wire_reader *r);
/* HashValue x<0..2^16-1>. */
struct hash_run hash_run_read16(struct wire_reader *r);
void hash_run_write8(struct buf *b, const struct hash_run *run);
void hash_run_write16(struct buf *b, const struct hash_run *run);
/* HashValue x */
void hash_value_read(struct wire_reader *r, struct hash_value *ret_hash);
/* opaque x<0..2^32-1> with at most `most` bytes: WIRE_LIMIT. */
struct bytes tlog_read_vector32(struct wire_reader *r, size_t most);
void tlog_write_vector32(struct buf *b, struct bytes value);
/* opaque x<1..2^8-1> */
struct bytes tlog_read_name(struct wire_reader *r);
/* Bytes of a fixed size into place; zeros when the reader has failed. */
void tlog_read_into(struct wire_reader *r, uint8_t *ret_out, size_t len);

#endif
