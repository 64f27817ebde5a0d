#include "rpc/h2_scan.h"

#include "rpc/h2_glitch.h"

enum {
    FRAME_HEAD_BYTES = 9,
    PRIORITY_BYTES = 5,
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

/* ---- streams that the peer has ended ---- */

/* A client's ids go up by two, so the last ones have a slot each. */
static int32_t *slot_of(struct h2_scan *s)
{
    return &s->ended[(uint32_t)s->id / 2 % H2_ENDED_SLOTS];
}

static void stream_frame_begins(struct h2 *h)
{
    struct h2_scan *s = &h->scan;
    bool data_or_headers = s->type == NGHTTP2_DATA || s->type == NGHTTP2_HEADERS;
    if (data_or_headers && s->id != 0 && *slot_of(s) == s->id) {
        h2_terminate(h, H2_STREAM_CLOSED);
        return;
    }
    if (s->type == NGHTTP2_HEADERS && s->id > s->highest_id)
        s->highest_id = s->id;
    bool ends = (data_or_headers && (s->flags & NGHTTP2_FLAG_END_STREAM) != 0) ||
                s->type == NGHTTP2_RST_STREAM;
    if (ends && s->id <= s->highest_id)
        *slot_of(s) = s->id;
}

/* ---- frames ---- */

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int32_t read_id(const uint8_t *at)
{
    return (int32_t)(read_u32(at) & INT32_MAX); /* RFC 9113 4.1: the reserved bit is ignored */
}

static void frame_begins(struct h2 *h)
{
    struct h2_scan *s = &h->scan;
    s->length = read_u32(s->head) >> 8;
    s->type = s->head[3];
    s->flags = s->head[4];
    s->id = read_id(s->head + 5);
    s->left = s->length;
    if (s->type == NGHTTP2_HEADERS && h->headers_us == 0)
        h->headers_us = h->now_us;
    if (s->type > NGHTTP2_CONTINUATION || s->type == NGHTTP2_PRIORITY)
        h2_glitch(h, 1);
    else if (s->type == NGHTTP2_WINDOW_UPDATE)
        h2_glitch_window_update(h);
    else
        stream_frame_begins(h);
}

static void frame_ends(struct h2 *h)
{
    struct h2_scan *s = &h->scan;
    bool block = s->type == NGHTTP2_HEADERS || s->type == NGHTTP2_CONTINUATION;
    if (block && (s->flags & NGHTTP2_FLAG_END_HEADERS) != 0)
        h->headers_us = 0;
    if (s->type == NGHTTP2_PRIORITY && s->length == PRIORITY_BYTES &&
        (s->id == 0 || read_id(s->head + FRAME_HEAD_BYTES) == s->id))
        h2_terminate(h, H2_PROTOCOL_ERROR);
    s->late_cost += late_cost(s->type, s->length);
    s->have = 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The next bytes of a frame's head; returns how many. */
static size_t read_head(struct h2 *h, const uint8_t *data, size_t len)
{
    struct h2_scan *s = &h->scan;
    size_t n = least((size_t)FRAME_HEAD_BYTES - s->have, len);
    memcpy(s->head + s->have, data, n);
    s->have += (uint8_t)n;
    if (s->have == FRAME_HEAD_BYTES) {
        frame_begins(h);
        if (s->left == 0)
            frame_ends(h);
    }
    return n;
}

/* The next bytes of a payload (or of the preface), of which only PRIORITY's are looked at. */
static size_t pass_payload(struct h2 *h, const uint8_t *data, size_t len)
{
    struct h2_scan *s = &h->scan;
    size_t n = least(s->left, len);
    if (s->type == NGHTTP2_PRIORITY) {
        size_t kept = least(sizeof s->head - s->have, n);
        memcpy(s->head + s->have, data, kept);
        s->have += (uint8_t)kept;
    }
    s->left -= (uint32_t)n;
    if (s->left == 0)
        frame_ends(h);
    return n;
}

void h2_scan(struct h2 *h, const uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len && !h->dead;) {
        if (h->scan.left == 0)
            at += read_head(h, data + at, len - at);
        else
            at += pass_payload(h, data + at, len - at);
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
