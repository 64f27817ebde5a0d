/* gRPC framing, gzip, metadata, base64, timeouts and status messages over any bytes; what was
 * accepted is written again and must read the same. */
#include <stdlib.h>

#include "rpc/base64.h"
#include "rpc/frame.h"
#include "rpc/gzip.h"
#include "rpc/metadata.h"
#include "rpc/status_text.h"
#include "rpc/timeout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool good)
{
    if (!good)
        abort();
}

static void fuzz_base64(struct bytes in)
{
    uint8_t *raw = malloc(in.len / 4 * 3 + 2);
    size_t len = 0, again_len = 0;
    if (err_is_ok(base64_decode(in, raw, &len))) {
        char *text = malloc(base64_size(len) + 1);
        uint8_t *again = malloc(len + 5);
        base64_encode(bytes_of(raw, len), text);
        check(err_is_ok(base64_decode(bytes_of(text, base64_size(len)), again, &again_len)));
        check(bytes_equal(bytes_of(raw, len), bytes_of(again, again_len)));
        free(text);
        free(again);
    }
    free(raw);
}

static void fuzz_timeout(struct bytes in)
{
    char text[TIMEOUT_TEXT_BYTES];
    uint64_t us, again;
    if (!err_is_ok(timeout_parse(in, &us)))
        return;
    size_t len = timeout_format(us, text);
    check(err_is_ok(timeout_parse(bytes_of(text, len), &again)));
    check(us == 0 ? again <= 1 : again <= us && us - again <= us / 10000);
}

static void fuzz_message(struct bytes in)
{
    char *text = malloc(in.len + 1);
    struct buf out = BUF_INIT;
    memcpy(text, in.data, in.len);
    size_t len = status_message_decode(text, in.len);
    check(len <= in.len);
    text[len] = 0;
    len = strlen(text);
    status_message_encode(&out, text);
    check(status_message_decode((char *)out.data, out.len) == len);
    check(len == 0 || memcmp(out.data, text, len) == 0);
    buf_clear(&out);
    free(text);
}

static void fuzz_metadata(struct bytes in)
{
    struct arena arena;
    struct metadata m = {0};
    size_t name_len = in.len > 0 ? in.data[0] % 16 : 0;
    if (in.len < name_len + 1)
        return;
    struct bytes name = bytes_of(in.data + 1, name_len);
    struct bytes value = bytes_of(in.data + 1 + name_len, in.len - 1 - name_len);
    arena_init(&arena, 1 << 16);
    struct err ignored = metadata_add_wire(&m, &arena, name, value);
    ignored = metadata_add_wire(&m, &arena, bytes_str("x-bin"), value);
    size_t count = m.count;
    ignored = metadata_add(&m, &arena, name, value);
    if (err_is_ok(ignored)) {
        struct bytes wire = metadata_wire_value(m.last, &arena);
        struct bytes kept = m.last->value;
        if (wire.data != NULL && err_is_ok(metadata_add_wire(&m, &arena, name, wire)))
            check(bytes_equal(m.last->value, kept) || m.count != count + 2);
    }
    arena_clear(&arena);
}

/* Whole or in pieces, the same messages and the same error come out. */
static size_t read_frames(struct bytes in, size_t piece, uint64_t *ret_hash)
{
    struct frame_reader f = {0};
    size_t messages = 0, off = 0;
    uint64_t hash = 1;
    bool complete = false;
    frame_reader_init(&f, 3000);
    while (off < in.len) {
        size_t used = 0, n = in.len - off < piece ? in.len - off : piece;
        if (!err_is_ok(frame_reader_feed(&f, in.data + off, n, &used, &complete))) {
            hash ^= 0x5555;
            break;
        }
        check(used <= n && (used > 0 || complete));
        off += used;
        if (!complete)
            continue;
        struct bytes m = frame_reader_message(&f);
        check(m.len <= 3000);
        for (size_t i = 0; i < m.len; i++)
            hash = (hash ^ m.data[i]) * 0x100000001b3u;
        frame_reader_next(&f);
        messages++;
    }
    frame_reader_clear(&f);
    *ret_hash = hash;
    return messages;
}

static void fuzz_frames(struct bytes in)
{
    uint64_t whole, one, seven;
    size_t count = read_frames(in, SIZE_MAX, &whole);
    check(read_frames(in, 1, &one) == count && read_frames(in, 7, &seven) == count);
    check(whole == one && whole == seven);
}

static void fuzz_gzip(struct bytes in)
{
    struct buf out = {.limit = 5000}, packed = BUF_INIT, again = BUF_INIT;
    struct err err = gzip_inflate(in, &out);
    check(out.len <= 5000);
    if (err_is_ok(err)) {
        check(err_is_ok(gzip_deflate(buf_view(&out), &packed)));
        check(err_is_ok(gzip_inflate(buf_view(&packed), &again)));
        check(bytes_equal(buf_view(&again), buf_view(&out)));
    }
    buf_clear(&out);
    buf_clear(&packed);
    buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const all[])(struct bytes) = {fuzz_base64,   fuzz_timeout, fuzz_message,
                                                fuzz_metadata, fuzz_frames,  fuzz_gzip};
    if (len == 0)
        return 0;
    all[data[0] % 6](bytes_of(data + 1, len - 1));
    return 0;
}
