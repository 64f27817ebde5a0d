#include "rpc/gzip.h"

#include <zlib.h>

enum {
    STEP_BYTES = 16 * 1024,
    GZIP_WINDOW_BITS = 15 + 16,
    MEMORY_LEVEL = 8,
    HEAD_AND_TAIL_BYTES = 10 + 8,
    RATIO_MOST = 1032, /* zlib's technical details: 1032:1 */
};

static struct err run(z_stream *z, int (*step)(z_stream *, int), struct bytes in, struct buf *out)
{
    uint8_t chunk[STEP_BYTES];
    z->next_in = (uint8_t *)(uintptr_t)in.data; /* zlib's type lacks const; it does not write */
    z->avail_in = (uInt)in.len;
    for (;;) {
        z->next_out = chunk;
        z->avail_out = sizeof chunk;
        int rv = step(z, Z_FINISH);
        if (rv == Z_MEM_ERROR)
            return ERR(NO_MEMORY);
        if (rv != Z_OK && rv != Z_STREAM_END && rv != Z_BUF_ERROR)
            return ERR(RPC_FRAME);
        buf_append(out, chunk, sizeof chunk - z->avail_out);
        TRY(buf_check(out));
        if (rv == Z_STREAM_END)
            return z->avail_in == 0 ? ERR_OK : ERR(RPC_FRAME);
        if (z->avail_out != 0)
            return ERR(RPC_FRAME); /* no progress: the input ends too early */
    }
}

/* RFC 1952 2.3.1: the last four bytes are the size of what was compressed, so a bomb says itself
 * what it is. One that lies finds no room for more than it said, and deflate can't say more than
 * 1032 to 1. */
static struct err room_for(struct bytes in, const struct buf *out, size_t *ret_size)
{
    if (in.len < HEAD_AND_TAIL_BYTES)
        return ERR(RPC_FRAME);
    const uint8_t *tail = in.data + in.len - 4;
    size_t size =
        (size_t)tail[0] | (size_t)tail[1] << 8 | (size_t)tail[2] << 16 | (size_t)tail[3] << 24;
    size_t limit = out->limit > 0 ? out->limit : BUF_DEFAULT_LIMIT;
    if (out->len > limit || size > limit - out->len)
        return ERR(TOO_LARGE);
    if (size / RATIO_MOST > in.len)
        return ERR(RPC_FRAME);
    *ret_size = size;
    return ERR_OK;
}

static struct err inflate_all(z_stream *z, struct bytes in, uint8_t *room, size_t size)
{
    uint8_t spare = 0; /* zlib wants somewhere to write, even when there is nothing */
    z->next_in = (uint8_t *)(uintptr_t)in.data; /* zlib's type lacks const; it does not write */
    z->avail_in = (uInt)in.len;
    z->next_out = size > 0 ? room : &spare;
    z->avail_out = (uInt)size;
    int rv = inflate(z, Z_FINISH);
    if (rv == Z_MEM_ERROR)
        return ERR(NO_MEMORY);
    bool whole = rv == Z_STREAM_END && z->avail_in == 0 && z->avail_out == 0;
    return whole ? ERR_OK : ERR(RPC_FRAME);
}

struct err gzip_inflate(struct bytes in, struct buf *out)
{
    z_stream z = {0};
    size_t size = 0;
    TRY(room_for(in, out, &size));
    uint8_t *room = size > 0 ? buf_extend(out, size) : NULL;
    if (size > 0 && room == NULL)
        return ERR(NO_MEMORY);
    struct err err = ERR(NO_MEMORY);
    if (inflateInit2(&z, GZIP_WINDOW_BITS) == Z_OK) {
        err = inflate_all(&z, in, room, size);
        inflateEnd(&z);
    }
    if (!err_is_ok(err))
        out->len -= size;
    return err;
}

struct err gzip_deflate(struct bytes in, struct buf *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR(NO_MEMORY);
    struct err err = run(&z, deflate, in, out);
    deflateEnd(&z);
    return err;
}
