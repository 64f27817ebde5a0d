/* Padding: the six sizes of ME1 for what crosses the network, Padmé for what is stored. */
#ifndef SEAL_PAD_H
#define SEAL_PAD_H

#include "base/bytes.h"

/* Smallest of 256, 1024, 4096, 16384, 65536, 98304 that holds len + 4; 0 when none does. */
size_t pad_bucket_bytes(size_t len);
/* Padmé (Nikitin et al. 2019, 4): len rounded up so that at most O(log log len) bits of it show; at
 * least `least`. */
size_t pad_padme_bytes(size_t len, size_t least);
/* Appends uint32 length, content, zeros up to total; total comes from the above + PAD_HEAD_BYTES.
 */
enum { PAD_HEAD_BYTES = 4 };
void pad_write(struct buf *b, struct bytes content, size_t total);
/* Undoes pad_write. ERR_WIRE_VALUE when the length does not fit or the padding is not zero. */
CHECKED struct err pad_read(struct bytes padded, struct bytes *ret_content);

#endif
