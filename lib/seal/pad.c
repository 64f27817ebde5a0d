#include "seal/pad.h"

size_t pad_bucket_bytes(size_t len)
{
    static const size_t buckets[PAD_BUCKETS] = {256,   1024,  4096,
                                                16384, 65536, PAD_BUCKET_MAX_BYTES};
    for (size_t i = 0; i < PAD_BUCKETS; i++)
        if (len <= buckets[i] - PAD_HEAD_BYTES)
            return buckets[i];
    return 0;
}

static unsigned floor_log2(size_t value) /* value above 0 */
{
    unsigned log = 0;
    while (value >>= 1)
        log++;
    return log;
}

size_t pad_padme_bytes(size_t len, size_t least)
{
    if (len > UINT32_MAX - PAD_HEAD_BYTES)
        return 0;
    size_t total = len + PAD_HEAD_BYTES;
    if (total < least)
        total = least;
    /* a floating point number with exponent E and a mantissa of log2(E) + 1 bits; the other low
     * bits are rounded away upwards */
    unsigned exponent = floor_log2(total);
    unsigned mantissa = floor_log2(exponent) + 1;
    if (mantissa >= exponent || exponent >= 32)
        return total; /* small numbers keep all their bits; larger ones there are none */
    unsigned low = exponent - mantissa;
    size_t mask = ((size_t)1 << low) - 1;
    return (total + mask) & ~mask;
}

size_t pad_begin(struct buf *b)
{
    size_t mark = b->len;
    (void)buf_extend(b, PAD_HEAD_BYTES);
    return mark;
}

void pad_end(struct buf *b, size_t mark, size_t total)
{
    if (b->failed)
        return;
    size_t used = b->len - mark;
    size_t len = used - PAD_HEAD_BYTES;
    if (used > total || len > UINT32_MAX) {
        b->failed = true;
        return;
    }
    uint8_t *zeros = buf_extend(b, total - used);
    if (b->failed)
        return;
    memset(zeros, 0, total - used);
    for (size_t i = 0; i < PAD_HEAD_BYTES; i++)
        b->data[mark + i] = (uint8_t)(len >> (24 - 8 * i));
}

void pad_write(struct buf *b, struct bytes content, size_t total)
{
    size_t mark = pad_begin(b);
    buf_append_bytes(b, content);
    pad_end(b, mark, total);
}

struct err pad_read(struct bytes padded, struct bytes *ret_content)
{
    if (padded.len < PAD_HEAD_BYTES)
        return ERR(WIRE_SHORT);
    size_t len = 0;
    for (size_t i = 0; i < PAD_HEAD_BYTES; i++)
        len = len << 8 | padded.data[i];
    if (len > padded.len - PAD_HEAD_BYTES)
        return ERR(WIRE_VALUE);
    uint8_t any = 0;
    for (size_t i = PAD_HEAD_BYTES + len; i < padded.len; i++)
        any |= padded.data[i];
    if (any != 0)
        return ERR(WIRE_VALUE);
    *ret_content = bytes_of(padded.data + PAD_HEAD_BYTES, len);
    return ERR_OK;
}
