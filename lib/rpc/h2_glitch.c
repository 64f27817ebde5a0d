#include "rpc/h2_glitch.h"

/* What an honest peer may do per frame of ours: gRPC stacks answer DATA with WINDOW_UPDATE, and
 * probe the bandwidth with PING while data flows. A frame of DATA can hold many messages, and gRPC
 * C++ gives the window back as it reads them one by one. */
enum {
    PINGS_PER_FRAME = 1,
    WINDOWS_PER_FRAME = 2,
    DATA_BYTES_PER_WINDOW = 256,
    PING_CREDIT_MOST = 64,
    WINDOW_CREDIT_MOST = 1024,
    /* A window that runs out in the middle makes one short frame; windows of a few bytes make
     * nothing else (CVE-2019-9511). Sixteen short frames are due in 64 KiB. */
    SHORT_FRAME_BYTES = 1024,
    BYTES_PER_SHORT_FRAME = 4096,
    SHORT_CREDIT_MOST = 256,
    /* streams refused before the peer has seen our SETTINGS */
    EARLY_REFUSALS_MOST = 1000,
};

void h2_glitch(struct h2 *h, uint32_t weight)
{
    if (h->limits->off || h->dead)
        return;
    if (bucket_take(&h->glitches, h->now_us, h->limits->glitch_burst, h->limits->glitches_per_s,
                    weight))
        return;
    h->abuse = true;
    h2_terminate(h, H2_ENHANCE_YOUR_CALM);
}

void h2_count_reset(struct h2 *h)
{
    if (h->limits->off || h->dead)
        return;
    if (bucket_take(&h->resets, h->now_us, h->limits->reset_burst, h->limits->resets_per_s, 1))
        return;
    h->abuse = true;
    h2_terminate(h, H2_ENHANCE_YOUR_CALM);
}

static void spend_credit(struct h2 *h, uint32_t *credit)
{
    if (*credit > 0)
        (*credit)--;
    else
        h2_glitch(h, 1);
}

void h2_glitch_received(struct h2 *h, const nghttp2_frame *frame)
{
    uint8_t flags = frame->hd.flags;
    if (!h->server)
        return; /* a client chose its server, and has its own limits of memory and time */
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        if (frame->hd.length - frame->data.padlen == 0 && !(flags & NGHTTP2_FLAG_END_STREAM))
            h2_glitch(h, 1);
        break;
    case NGHTTP2_PING:
        if (!(flags & NGHTTP2_FLAG_ACK))
            spend_credit(h, &h->ping_credit);
        else
            spend_credit(h, &h->pings_out); /* one that nobody asked for is a glitch */
        break;
    case NGHTTP2_SETTINGS:
        if (flags & NGHTTP2_FLAG_ACK)
            h->settings_acked = true;
        else
            h2_glitch(h, 1);
        break;
    case NGHTTP2_GOAWAY:
        h2_glitch(h, 1);
        break;
    case NGHTTP2_RST_STREAM:
        h2_count_reset(h);
        break;
    default:
        break;
    }
}

void h2_glitch_window_update(struct h2 *h)
{
    spend_credit(h, &h->window_credit);
}

static void earn(uint32_t *credit, uint32_t more, uint32_t most)
{
    *credit = *credit + more > most ? most : *credit + more;
}

static void data_sent(struct h2 *h, const nghttp2_frame *frame)
{
    size_t len = frame->hd.length;
    h->short_bytes += (uint32_t)len;
    earn(&h->short_credit, h->short_bytes / BYTES_PER_SHORT_FRAME, SHORT_CREDIT_MOST);
    h->short_bytes %= BYTES_PER_SHORT_FRAME;
    if (len < SHORT_FRAME_BYTES &&
        (nghttp2_session_get_stream_remote_window_size(h->session, frame->hd.stream_id) == 0 ||
         nghttp2_session_get_remote_window_size(h->session) == 0))
        spend_credit(h, &h->short_credit);
}

void h2_glitch_sent(struct h2 *h, const nghttp2_frame *frame)
{
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        if (h->server)
            data_sent(h, frame);
        earn(&h->window_credit, (uint32_t)frame->hd.length / DATA_BYTES_PER_WINDOW,
             WINDOW_CREDIT_MOST);
        earn(&h->ping_credit, PINGS_PER_FRAME, PING_CREDIT_MOST);
        earn(&h->window_credit, WINDOWS_PER_FRAME, WINDOW_CREDIT_MOST);
        break;
    case NGHTTP2_HEADERS:
        earn(&h->ping_credit, PINGS_PER_FRAME, PING_CREDIT_MOST);
        earn(&h->window_credit, WINDOWS_PER_FRAME, WINDOW_CREDIT_MOST);
        break;
    case NGHTTP2_RST_STREAM:
        /* The other side made us do it (MadeYouReset); NO_ERROR ends a call that was answered
         * early. */
        if (frame->rst_stream.error_code == NGHTTP2_NO_ERROR)
            h2_count_reset(h);
        else if (frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM && !h->settings_acked &&
                 h->early_refusals < EARLY_REFUSALS_MOST)
            h->early_refusals++; /* it can't know our limit of streams yet */
        else
            h2_glitch(h, 1);
        break;
    default:
        break;
    }
}
