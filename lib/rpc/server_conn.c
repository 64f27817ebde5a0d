#include "rpc/server_conn.h"

#include "rpc/call.h"

/* PRESSED_PARTS: under pressure an idle connection has this part of its time */
enum { TICK_US = 1000000, DRAIN_NOTICE_US = 1000000, PRESSED_PARTS = 10 };

static struct server_conn *conn_of(struct h2 *h)
{
    return (struct server_conn *)(void *)h; /* its first member */
}

/* ---- what HTTP/2 says ---- */

static uint64_t ms(uint32_t value)
{
    return (uint64_t)value * 1000;
}

static void want_tick(struct server_conn *conn, uint64_t due_us)
{
    if (timer_armed(&conn->timer) && conn->timer.due_us <= due_us)
        return;
    /* without memory for it the limit holds later, when the timer that is armed fires */
    struct err ignored = timers_arm(&conn->h2.env->timers, &conn->timer, due_us);
    (void)ignored;
}

static void *on_begin(struct h2 *h, int32_t id)
{
    struct server_conn *conn = conn_of(h);
    /* the header block has so long to come */
    want_tick(conn, h->now_us + ms(conn->core->limits.first_request_ms));
    /* A stream that was reset still counts while its handler works. */
    if (conn->alive >= h->limits->streams)
        return NULL;
    struct hearth_call *call = call_new(conn, id);
    if (call == NULL)
        return NULL;
    conn->had_request = true;
    conn->idle_us = 0;
    return call;
}

static void on_header(struct h2 *h, void *stream, struct bytes name, struct bytes value)
{
    (void)h;
    struct hearth_call *call = stream;
    if (!call->headers_complete)
        call_on_header(call, name, value);
}

static void on_headers(struct h2 *h, void *stream, bool trailers, bool over, bool end_stream)
{
    struct hearth_call *call = stream;
    if (trailers)
        return;
    call->headers_complete = true;
    call_on_headers(call, over);
    if (!end_stream)
        want_tick(conn_of(h), h->now_us + (uint64_t)conn_of(h)->core->limits.slow_body_ms * 1000);
}

static void on_data(struct h2 *h, void *stream, const uint8_t *data, size_t len)
{
    (void)h;
    call_on_data(stream, data, len);
}

static void on_end(struct h2 *h, void *stream)
{
    (void)h;
    call_on_end(stream);
}

static void on_close(struct h2 *h, void *stream, uint32_t error_code)
{
    struct server_conn *conn = conn_of(h);
    (void)error_code;
    call_detach(stream);
    if (conn->calls == NULL)
        conn->idle_us = h->now_us;
}

/* Trailers went out while the request was still coming: the peer is told that the rest is not
 * wanted. RFC 9113 8.1: RST_STREAM with NO_ERROR. */
static void on_answered(struct h2 *h, void *stream)
{
    struct hearth_call *call = stream;
    if (!call->request_ended)
        h2_reset(h, call->id, H2_NO_ERROR);
}

static size_t read_body(struct h2 *h, void *stream, uint8_t *buf, size_t len,
                        enum h2_body_end *ret_end)
{
    (void)h;
    return call_read_body(stream, buf, len, ret_end);
}

static void after_produce(struct h2 *h)
{
    struct server_conn *conn = conn_of(h);
    struct hearth_call *call;
    while ((call = conn->writable) != NULL) {
        conn->writable = call->next_writable;
        call->writable_queued = false;
        call_ref(call);
        if (!call->finished && call->on_writable != NULL)
            call->on_writable(call, call->on_writable_arg);
        call_unref(call);
    }
}

/* The peer has heard the notice, or had its time to: what it sent before that has been accepted. */
static void finish_draining(struct server_conn *conn)
{
    if (conn->draining && !conn->h2.goaway_sent)
        h2_goaway(&conn->h2, H2_NO_ERROR);
}

static void on_pong(struct h2 *h)
{
    struct server_conn *conn = conn_of(h);
    conn->ping_us = 0;
    finish_draining(conn);
}

static const struct h2_role role = {
    .on_begin = on_begin,
    .on_header = on_header,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
    .on_answered = on_answered,
    .read_body = read_body,
    .after_produce = after_produce,
    .on_pong = on_pong,
};

/* ---- what time says ---- */

static bool body_is_slow(const struct hearth_call *call, uint64_t now_us,
                         const struct hearth_server_limits *l)
{
    /* a request stream may be silent by design; a single message may not dawdle */
    if (call->request_ended || call->finished || (call->bound == NULL && !call->plain) ||
        call->paused || call->thinking)
        return false;
    bool streams = call->bound != NULL && call_streams_requests(call);
    if (streams && !frame_reader_partial(&call->reader))
        return false;
    uint64_t age_us = now_us - (streams ? call->message_begun_us : call->begun_us);
    if (age_us < ms(l->slow_body_ms))
        return false;
    return call->reader.got <
               (age_us - ms(l->slow_body_ms)) / 1000000 * l->slow_body_bytes_per_s + 1 ||
           !frame_reader_partial(&call->reader);
}

static bool output_is_stuck(const struct hearth_call *call, uint64_t now_us,
                            const struct hearth_server_limits *l)
{
    return outbox_waiting(&call->out) != 0 && now_us - call->out_moved_us >= ms(l->unread_ms);
}

static bool check_calls(struct server_conn *conn, uint64_t now_us)
{
    const struct hearth_server_limits *l = &conn->core->limits;
    bool watching = false;
    struct hearth_call *next;
    for (struct hearth_call *call = conn->calls; call != NULL; call = next) {
        next = call->next;
        if (body_is_slow(call, now_us, l))
            call_expire(call, HEARTH_DEADLINE_EXCEEDED, "the request body comes too slowly");
        else if (output_is_stuck(call, now_us, l))
            h2_reset(&conn->h2, call->id, H2_CANCEL);
        else
            watching = watching || !call->request_ended || outbox_waiting(&call->out) != 0;
    }
    return watching;
}

static bool is_expired(struct server_conn *conn, uint64_t now_us)
{
    const struct hearth_server_limits *l = &conn->core->limits;
    if (!conn->had_request && now_us - conn->opened_us >= ms(l->first_request_ms))
        return true;
    if (conn->h2.headers_us != 0 && now_us - conn->h2.headers_us >= ms(l->first_request_ms))
        return true;
    if (conn->h2.blocked_us != 0 && now_us - conn->h2.blocked_us >= ms(l->unread_ms))
        return true;
    /* while our output is stuck we don't read, so that no answer can be heard */
    if (conn->h2.blocked_us != 0)
        return false;
    return conn->ping_us != 0 && now_us - conn->ping_us >= ms(l->keepalive_timeout_ms);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long a connection may be without a call. */
static uint64_t idle_us(const struct server_conn *conn)
{
    uint64_t us = ms(conn->core->limits.idle_ms);
    return server_core_pressure(conn->core) >= HEARTH_PRESSURE_HIGH ? us / PRESSED_PARTS : us;
}

static uint64_t next_tick_us(const struct server_conn *conn, uint64_t now_us, bool watching)
{
    const struct hearth_server_limits *l = &conn->core->limits;
    uint64_t due_us = now_us + ms(l->idle_ms);
    if (watching || conn->h2.blocked_us != 0)
        return now_us + TICK_US;
    if (!conn->had_request)
        due_us = sooner(due_us, conn->opened_us + ms(l->first_request_ms));
    if (conn->h2.headers_us != 0)
        due_us = sooner(due_us, conn->h2.headers_us + ms(l->first_request_ms));
    /* where pressure may shorten it, it is looked at in its parts */
    if (conn->idle_us != 0 && conn->core->pressure != NULL)
        due_us = sooner(due_us, now_us + ms(l->idle_ms) / PRESSED_PARTS);
    if (conn->idle_us != 0)
        due_us = sooner(due_us, conn->idle_us + ms(l->idle_ms));
    else
        due_us = sooner(due_us, conn->h2.heard_us + ms(l->keepalive_ms));
    if (conn->ping_us != 0)
        due_us = sooner(due_us, conn->ping_us + ms(l->keepalive_timeout_ms));
    if (conn->draining && !conn->h2.goaway_sent)
        due_us = sooner(due_us, conn->drain_us + DRAIN_NOTICE_US);
    if (l->age_ms != 0 && !conn->draining)
        due_us = sooner(due_us, conn->opened_us + ms(l->age_ms));
    /* never in the past, never a busy loop */
    return due_us <= now_us ? now_us + TICK_US : due_us;
}

static void on_tick(struct timer *timer)
{
    struct server_conn *conn =
        (struct server_conn *)(void *)((char *)timer - offsetof(struct server_conn, timer));
    const struct hearth_server_limits *l = &conn->core->limits;
    uint64_t now_us = rpc_env_now_us(conn->h2.env);
    conn->h2.now_us = now_us;
    if (conn->draining && now_us - conn->drain_us >= DRAIN_NOTICE_US)
        finish_draining(conn);
    if (!l->no_limits) {
        if (is_expired(conn, now_us)) {
            conn->on_expired(conn->h2.transport);
            return;
        }
        bool quiet = conn->idle_us != 0 && now_us - conn->idle_us >= idle_us(conn);
        bool old = l->age_ms != 0 && now_us - conn->opened_us >= ms(l->age_ms);
        if ((quiet || old) && !conn->draining)
            server_conn_drain(conn);
        if (conn->idle_us == 0 && conn->ping_us == 0 && conn->h2.blocked_us == 0 &&
            now_us - conn->h2.heard_us >= ms(l->keepalive_ms)) {
            conn->ping_us = now_us;
            h2_ping(&conn->h2);
        }
    }
    bool watching = !l->no_limits && check_calls(conn, now_us);
    want_tick(conn, next_tick_us(conn, now_us, watching));
}

/* ---- life ---- */

struct err server_conn_init(struct server_conn *conn, struct server_core *core, struct rpc_env *env)
{
    *conn = (struct server_conn){.core = core, .peer_uid = -1};
    TRY(h2_init(&conn->h2, true, &role, &core->h2_limits, env));
    conn->opened_us = conn->h2.now_us;
    conn->idle_us = conn->h2.now_us;
    conn->timer.fire = on_tick;
    struct err err =
        timers_arm(&env->timers, &conn->timer, next_tick_us(conn, conn->opened_us, false));
    if (!err_is_ok(err))
        h2_clear(&conn->h2);
    return err;
}

void server_conn_drain(struct server_conn *conn)
{
    if (conn->draining)
        return;
    conn->draining = true;
    conn->drain_us = rpc_env_now_us(conn->h2.env);
    h2_goaway_notice(&conn->h2);
    h2_ping(&conn->h2);
    want_tick(conn, conn->drain_us + DRAIN_NOTICE_US);
}

void server_conn_clear(struct server_conn *conn)
{
    timers_disarm(&conn->h2.env->timers, &conn->timer);
    /* no output is possible any more: handlers that answer from on_cancel only end their call */
    conn->h2.on_wake = NULL;
    while (conn->calls != NULL)
        call_detach(conn->calls);
    while (conn->ghosts != NULL) {
        struct hearth_call *ghost = conn->ghosts;
        conn->ghosts = ghost->next;
        ghost->home = NULL;
        ghost->next = ghost->prev = NULL;
    }
    h2_clear(&conn->h2);
}
