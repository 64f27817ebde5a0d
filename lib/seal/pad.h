/* Padding: the six sizes of ME1 for what crosses the network, Padmé for what is stored.
 *
 *     struct { uint32 length; opaque content[length]; zeros }
 */
#ifndef SEAL_PAD_H
#define SEAL_PAD_H

#include "base/bytes.h"

enum { PAD_HEAD_BYTES = 4, PAD_BUCKETS = 6, PAD_BUCKET_MAX_BYTES = 98304 };

/* Totals for pad_write: they hold the head, len bytes and zeros. */

/* Smallest of 256, 1024, 4096, 16384, 65536, 98304 that holds len + PAD_HEAD_BYTES; 0 when none
 * does. */
size_t pad_bucket_bytes(size_t len);
/* Padmé (Nikitin et al. 2019, 4) of len + PAD_HEAD_BYTES, and at least `least`: rounded up, by at
 * most 12 %, so that O(log log len) bits of it show. 0 when that is no size. */
size_t pad_padme_bytes(size_t len, size_t least);

/* Appends. Fails the buffer when total does not hold the content: callers look at 0 first, which is
 * their ERR_TOO_LARGE. */
void pad_write(struct buf *b, struct bytes content, size_t total);
/* The same around content that is written in between; total may depend on its length:
 *     size_t mark = pad_begin(b);
 *     ...write the content...
 *     pad_end(b, mark, pad_bucket_bytes(pad_content_bytes(b, mark)));
 */
size_t pad_begin(struct buf *b);
static inline size_t pad_content_bytes(const struct buf *b, size_t mark)
{
    return b->failed ? 0 : b->len - mark - PAD_HEAD_BYTES;
}
void pad_end(struct buf *b, size_t mark, size_t total);

/* Undoes pad_write; a view into padded. ERR_WIRE_SHORT, ERR_WIRE_VALUE when the length does not fit
 * or the padding is not zero. The total is not checked. */
CHECKED struct err pad_read(struct bytes padded, struct bytes *ret_content);

#endif
