#include "rpc/h2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "base/wiping.h"
#include "rpc/h2_glitch.h"
#include "rpc/h2_scan.h"

enum {
    HEADERS_MOST = 64,       /* of one block we send */
    HEADER_OVER_FACTOR = 8,  /* a block so many times over the limit ends the connection */
    OUTBOUND_ACKS_MOST = 64, /* queued PING and SETTINGS answers */
    HPACK_TABLE_BYTES = 4096,
};

static void *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

void h2_wake(struct h2 *h)
{
    if (h->woken || h->on_wake == NULL)
        return;
    h->woken = true;
    h->on_wake(h->transport);
}

/* ---- receiving ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    h2_scan_taken(h, frame);
    h->header_bytes = 0;
    h->header_over = false;
    if (!h->server || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    void *stream = h->dead ? NULL : h->role->on_begin(h, frame->hd.stream_id);
    if (stream == NULL) {
        h2_reset(h, frame->hd.stream_id, H2_REFUSED_STREAM);
        return 0;
    }
    h->streams_open++;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    (void)flags;
    struct h2 *h = user;
    void *stream = stream_of(session, frame->hd.stream_id);
    /* nghttp2 does not enforce SETTINGS_MAX_HEADER_LIST_SIZE on what it receives */
    h->header_bytes += (uint32_t)(name_len + value_len + 32);
    if (h->header_bytes > h->limits->header_bytes && !h->limits->off) {
        if (!h->header_over)
            h2_glitch(h, 1); /* the limit was announced, and decoding it cost us */
        h->header_over = true;
        if (h->header_bytes / HEADER_OVER_FACTOR > h->limits->header_bytes) {
            h2_glitch(h, h->limits->glitch_burst + 1);
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        return 0;
    }
    if (stream != NULL)
        h->role->on_header(h, stream, bytes_of(name, name_len), bytes_of(value, value_len));
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user)
{
    (void)flags;
    struct h2 *h = user;
    void *stream = stream_of(session, id);
    /* The connection window goes back at once: what a slow reader may hold up is its own stream
     * only. */
    nghttp2_session_consume_connection(session, len);
    if (stream != NULL)
        h->role->on_data(h, stream, data, len);
    else
        nghttp2_session_consume_stream(session, id, len);
    return 0;
}

static void frame_with_end(struct h2 *h, const nghttp2_frame *frame)
{
    void *stream = stream_of(h->session, frame->hd.stream_id);
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS && stream != NULL) {
        bool trailers = h->server ? frame->headers.cat != NGHTTP2_HCAT_REQUEST
                                  : frame->headers.cat == NGHTTP2_HCAT_HEADERS;
        h->role->on_headers(h, stream, trailers, h->header_over, end);
        stream = stream_of(h->session, frame->hd.stream_id);
    }
    if (end && stream != NULL)
        h->role->on_end(h, stream);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct h2 *h = user;
    h2_glitch_received(h, frame);
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        h2_scan_taken(h, frame);
        frame_with_end(h, frame);
        break;
    case NGHTTP2_HEADERS:
        frame_with_end(h, frame);
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK) && h->role->on_settings != NULL)
            h->role->on_settings(h);
        break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && h->role->on_pong != NULL)
            h->role->on_pong(h);
        break;
    case NGHTTP2_GOAWAY:
        if (h->role->on_goaway != NULL)
            h->role->on_goaway(h, frame->goaway.last_stream_id, frame->goaway.error_code);
        break;
    default:
        break;
    }
    return 0;
}

static int on_invalid_frame_recv(nghttp2_session *session, const nghttp2_frame *frame,
                                 int lib_error, void *user)
{
    (void)session;
    (void)frame;
    (void)lib_error;
    h2_glitch(user, 1);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *user)
{
    struct h2 *h = user;
    void *stream = stream_of(session, id);
    h->closed[h->closed_at++ % H2_CLOSED_RING] = id;
    if (stream == NULL)
        return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    h->streams_open--;
    h->role->on_close(h, stream, error_code);
    return 0; /* anything else would be fatal to the session */
}

static bool was_closed_lately(const struct h2 *h, int32_t id)
{
    for (size_t i = 0; i < H2_CLOSED_RING; i++) {
        if (h->closed[i] == id)
            return true;
    }
    return false;
}

/* RFC 9113 5.1.1: a HEADERS with a lower id than one seen before, on a stream that never was, is a
 * connection error; nghttp2 takes it for a closed stream and ignores it. One that we closed may
 * have its trailers under way; one that the peer ended is found by h2_scan.c. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct h2 *h = user;
    bool unknown = h->server && hd->type == NGHTTP2_HEADERS && (hd->stream_id & 1) != 0 &&
                   hd->stream_id < nghttp2_session_get_last_proc_stream_id(session) &&
                   nghttp2_session_find_stream(session, hd->stream_id) == NULL;
    if (unknown && !was_closed_lately(h, hd->stream_id)) {
        h->dead = true;
        return nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
    }
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    h2_glitch_sent(h, frame);
    if (h->server && frame->hd.type == NGHTTP2_HEADERS &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        void *stream = stream_of(session, frame->hd.stream_id);
        if (stream != NULL)
            h->role->on_answered(h, stream);
    }
    return 0;
}

struct err h2_receive(struct h2 *h, const uint8_t *data, size_t len)
{
    h->now_us = rpc_env_now_us(h->env);
    h->heard_us = h->now_us;
    if (h->dead && h->abuse)
        return ERR(RPC_ABUSE);
    if (h->server)
        h2_scan(h, data, len);
    ssize_t used = nghttp2_session_mem_recv(h->session, data, len);
    if (h->server)
        h2_scan_settle(h);
    if (used < 0) {
        h->dead = true;
        if (used == NGHTTP2_ERR_NOMEM)
            return ERR(NO_MEMORY);
        return used == NGHTTP2_ERR_FLOODED ? ERR(RPC_ABUSE) : ERR(RPC_PROTOCOL);
    }
    return h->abuse ? ERR(RPC_ABUSE) : ERR_OK;
}

/* ---- sending ---- */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct h2 *h = user;
    enum h2_body_end end = H2_BODY_MORE;
    if (!h->server && stream_of(session, id) == NULL)
        return NGHTTP2_ERR_DEFERRED; /* abandoned, its reset is queued */
    size_t n = h->role->read_body(h, source->ptr, buf, len, &end);
    if (end == H2_BODY_MORE && n == 0)
        return NGHTTP2_ERR_DEFERRED;
    if (end != H2_BODY_MORE)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (end == H2_BODY_TRAILERS)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return (ssize_t)n;
}

struct err h2_produce(struct h2 *h, uint8_t *room, size_t cap, size_t *ret_len)
{
    /* Frames are at most 16 KiB and a head; a further one is asked for only if it is sure to fit,
     * and none while 64 KiB wait, or nghttp2 could not see that its own output floods. */
    enum { FRAME_MOST = 16384 + 9 + 1 };
    size_t len = 0;
    h->woken = false;
    h->now_us = rpc_env_now_us(h->env);
    while (cap - len >= FRAME_MOST) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(h->session, &data);
        if (n < 0)
            return n == NGHTTP2_ERR_NOMEM ? ERR(NO_MEMORY) : ERR(RPC_PROTOCOL);
        if (n == 0)
            break;
        if ((size_t)n > cap - len)
            return ERR(INTERNAL);
        memcpy(room + len, data, (size_t)n);
        len += (size_t)n;
    }
    *ret_len = len;
    if (h->role->after_produce != NULL)
        h->role->after_produce(h);
    return ERR_OK;
}

bool h2_has_output(const struct h2 *h)
{
    return nghttp2_session_want_write(h->session) != 0;
}

bool h2_finished(const struct h2 *h)
{
    return !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session);
}

static size_t to_nv(nghttp2_nv *nv, const struct h2_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t keep = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
        nv[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)headers[i].name.data,
                             (uint8_t *)(uintptr_t)headers[i].value.data, headers[i].name.len,
                             headers[i].value.len,
                             headers[i].borrowed ? keep : (uint8_t)NGHTTP2_NV_FLAG_NONE};
    }
    return count;
}

static struct err result_of(int rv)
{
    if (rv >= 0)
        return ERR_OK;
    return rv == NGHTTP2_ERR_NOMEM ? ERR(NO_MEMORY) : ERR(RPC_CLOSED);
}

struct err h2_respond(struct h2 *h, int32_t id, const struct h2_header *headers, size_t count,
                      bool end, void *stream)
{
    nghttp2_nv nv[HEADERS_MOST] FILLED_LATER;
    if (count > HEADERS_MOST)
        return ERR(TOO_LARGE);
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
    return result_of(
        nghttp2_submit_response(h->session, id, nv, to_nv(nv, headers, count), end ? NULL : &body));
}

struct err h2_trailers(struct h2 *h, int32_t id, const struct h2_header *headers, size_t count)
{
    nghttp2_nv nv[HEADERS_MOST] FILLED_LATER;
    if (count > HEADERS_MOST)
        return ERR(TOO_LARGE);
    return result_of(nghttp2_submit_trailer(h->session, id, nv, to_nv(nv, headers, count)));
}

struct err h2_request(struct h2 *h, const struct h2_header *headers, size_t count, void *stream,
                      int32_t *ret_id)
{
    nghttp2_nv nv[HEADERS_MOST] FILLED_LATER;
    if (count > HEADERS_MOST)
        return ERR(TOO_LARGE);
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
    int32_t id =
        nghttp2_submit_request(h->session, NULL, nv, to_nv(nv, headers, count), &body, stream);
    if (id < 0)
        return result_of(id);
    h->streams_open++;
    *ret_id = id;
    h2_wake(h);
    return ERR_OK;
}

/* The calls below can only fail for want of memory or because the stream is gone already; in the
 * first case the next allocation inside the session fails it as a whole, in the second there is
 * nothing to do. */

void h2_resume(struct h2 *h, int32_t id)
{
    nghttp2_session_resume_data(h->session, id);
    h2_wake(h);
}

void h2_consume(struct h2 *h, int32_t id, size_t len)
{
    nghttp2_session_consume_stream(h->session, id, len);
    h2_wake(h);
}

void h2_reset(struct h2 *h, int32_t id, enum h2_error error)
{
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, error);
    h2_wake(h);
}

void h2_abandon(struct h2 *h, int32_t id, enum h2_error error)
{
    nghttp2_session_set_stream_user_data(h->session, id, NULL);
    h->streams_open--;
    h2_reset(h, id, error);
}

void h2_ping(struct h2 *h)
{
    h->pings_out++;
    nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
    h2_wake(h);
}

bool h2_can_request(const struct h2 *h)
{
    return !h->dead && nghttp2_session_check_request_allowed(h->session) &&
           h->streams_open < nghttp2_session_get_remote_settings(
                                 h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

void h2_goaway_notice(struct h2 *h)
{
    nghttp2_submit_shutdown_notice(h->session);
    h2_wake(h);
}

void h2_goaway(struct h2 *h, enum h2_error error)
{
    h->goaway_sent = true;
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(h->session), error, NULL, 0);
    h2_wake(h);
}

void h2_terminate(struct h2 *h, enum h2_error error)
{
    h->dead = true;
    nghttp2_session_terminate_session(h->session, error);
    h2_wake(h);
}

/* ---- life ---- */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame_recv);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
}

static nghttp2_option *make_option(bool server)
{
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_outbound_ack(option, OUTBOUND_ACKS_MOST);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, HPACK_TABLE_BYTES);
    if (!server)
        nghttp2_option_set_peer_max_concurrent_streams(option, 100);
    return option;
}

static int submit_settings(struct h2 *h)
{
    const struct h2_limits *l = h->limits;
    nghttp2_settings_entry entries[5];
    size_t n = 0;
    entries[n++] =
        (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, l->stream_window_bytes};
    entries[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, l->header_bytes};
    if (h->server) {
        entries[n++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, l->streams};
        /* RFC 9218: nothing is kept for the priority tree of RFC 7540. nghttp2 is blind to
         * malformed PRIORITY frames then, and forgets closed streams; h2_scan.c looks after both.
         */
        entries[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1};
    } else {
        entries[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    }
    int rv = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, entries, n);
    if (rv == 0)
        rv = nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                   (int32_t)l->connection_window_bytes);
    return rv;
}

/* ME4: headers say who calls. */
static void *h2_malloc(size_t len, void *user)
{
    (void)user;
    return malloc(len);
}

static void h2_free(void *data, void *user)
{
    (void)user;
    wiping_free(data);
}

static void *h2_calloc(size_t count, size_t len, void *user)
{
    (void)user;
    return calloc(count, len);
}

static void *h2_realloc(void *old, size_t len, void *user)
{
    (void)user;
    return wiping_realloc(old, len);
}

static nghttp2_mem wiping = {NULL, h2_malloc, h2_free, h2_calloc, h2_realloc};
static bool wipes;

void h2_wipe_freed(void)
{
    wipes = true;
}

struct err h2_init(struct h2 *h, bool server, const struct h2_role *role,
                   const struct h2_limits *limits, struct rpc_env *env)
{
    uint64_t now_us = rpc_env_now_us(env);
    *h = (struct h2){.role = role,
                     .limits = limits,
                     .env = env,
                     .server = server,
                     .now_us = now_us,
                     .heard_us = now_us,
                     .ping_credit = H2_PING_CREDIT_FIRST,
                     .window_credit = H2_WINDOW_CREDIT_FIRST,
                     .short_credit = H2_SHORT_CREDIT_FIRST,
                     .scan = {.left = H2_SCAN_PREFACE_BYTES, .type = H2_SCAN_NO_TYPE}};
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *option = make_option(server);
    int rv = NGHTTP2_ERR_NOMEM;
    if (callbacks != NULL && option != NULL)
        rv = server ? nghttp2_session_server_new3(&h->session, callbacks, h, option,
                                                  wipes ? &wiping : NULL)
                    : nghttp2_session_client_new2(&h->session, callbacks, h, option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    if (rv == 0)
        rv = submit_settings(h);
    if (rv != 0) {
        nghttp2_session_del(h->session);
        h->session = NULL;
        return ERR(NO_MEMORY);
    }
    return ERR_OK;
}

void h2_clear(struct h2 *h)
{
    h->on_wake = NULL;
    nghttp2_session_del(h->session);
    h->session = NULL;
}
