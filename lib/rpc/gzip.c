#include "rpc/gzip.h"

#include <zlib.h>

enum { STEP_BYTES = 16 * 1024, GZIP_WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8 };

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

struct err gzip_inflate(struct bytes in, struct buf *out)
{
    z_stream z = {0};
    if (inflateInit2(&z, GZIP_WINDOW_BITS) != Z_OK)
        return ERR(NO_MEMORY);
    struct err err = run(&z, inflate, in, out);
    inflateEnd(&z);
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
