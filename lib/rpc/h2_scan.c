#include "rpc/h2_scan.h"

#include "rpc/h2_glitch.h"

enum {
    FRAME_HEAD_BYTES = 9,
    /* What may be under way when we reset streams is a connection window of DATA, in frames that
     * may be small; header blocks are dear, since they are decoded even when nobody wants them. */
    LATE_BURST = 1024 * 1024,
    LATE_PER_S = 256 * 1024,
    DATA_FRAME_COST = 16,
    HEADERS_FRAME_COST = 512,
    HEADERS_BYTE_COST = 8,
};

static int64_t late_cost(uint8_t type, size_t length)
{
    if (type == NGHTTP2_DATA)
        return (int64_t)length + DATA_FRAME_COST;
    if (type == NGHTTP2_HEADERS)
        return (int64_t)length * HEADERS_BYTE_COST + HEADERS_FRAME_COST;
    return 0;
}

static void frame_begins(struct h2 *h)
{
    struct h2_scan *s = &h->scan;
    s->have = 0;
    s->length = (uint32_t)s->head[0] << 16 | (uint32_t)s->head[1] << 8 | s->head[2];
    s->left = s->length;
    s->type = s->head[3];
    if (s->type == NGHTTP2_HEADERS && h->headers_us == 0)
        h->headers_us = h->now_us;
    if (s->type > NGHTTP2_CONTINUATION)
        h2_glitch(h, 1);
    else if (s->type == NGHTTP2_WINDOW_UPDATE)
        h2_glitch_window_update(h);
}

static void frame_ends(struct h2 *h)
{
    struct h2_scan *s = &h->scan;
    bool block = s->type == NGHTTP2_HEADERS || s->type == NGHTTP2_CONTINUATION;
    if (block && (s->head[4] & NGHTTP2_FLAG_END_HEADERS) != 0)
        h->headers_us = 0;
    s->late_cost += late_cost(s->type, s->length);
}

void h2_scan(struct h2 *h, const uint8_t *data, size_t len)
{
    struct h2_scan *s = &h->scan;
    for (size_t at = 0; at < len;) {
        if (s->left == 0) {
            size_t n = sizeof s->head - s->have;
            n = n < len - at ? n : len - at;
            memcpy(s->head + s->have, data + at, n);
            s->have += (uint8_t)n;
            at += n;
            if (s->have < FRAME_HEAD_BYTES)
                return;
            frame_begins(h);
        } else {
            size_t n = s->left < len - at ? s->left : len - at;
            s->left -= (uint32_t)n;
            at += n;
        }
        if (s->left == 0)
            frame_ends(h);
    }
}

void h2_scan_taken(struct h2 *h, const nghttp2_frame *frame)
{
    if (h->server)
        h->scan.late_cost -= late_cost(frame->hd.type, frame->hd.length);
}

void h2_scan_settle(struct h2 *h)
{
    /* below 0 while a HEADERS frame that was begun is not all there */
    if (h->scan.late_cost <= 0 || h->limits->off || h->dead)
        return;
    uint32_t cost = h->scan.late_cost < LATE_BURST ? (uint32_t)h->scan.late_cost : LATE_BURST;
    h->scan.late_cost = 0;
    if (!bucket_take(&h->scan.late, h->now_us, LATE_BURST, LATE_PER_S, cost))
        h2_glitch(h, h->limits->glitch_burst + 1);
}
