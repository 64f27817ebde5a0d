#include "rpc/client_conn.h"

#include "rpc/client_call.h"

static struct client_conn *conn_of(struct h2 *h)
{
    return (struct client_conn *)(void *)h; /* its first member */
}

static void on_header(struct h2 *h, void *stream, struct bytes name, struct bytes value)
{
    (void)h;
    client_call_on_header(stream, name, value);
}

static void on_headers(struct h2 *h, void *stream, bool trailers, bool over, bool end_stream)
{
    conn_of(h)->useful = true;
    client_call_on_headers(stream, trailers, over, end_stream);
}

static void on_data(struct h2 *h, void *stream, const uint8_t *data, size_t len)
{
    (void)h;
    client_call_on_data(stream, data, len);
}

static void on_end(struct h2 *h, void *stream)
{
    struct hearth_client_call *call = stream;
    call->stream_ended = true;
    /* the stream closes by itself, or because our half, which nobody reads any more, is cut:
     * on_close tells */
    if (!call->half_closed || outbox_waiting(&call->out) > 0)
        h2_reset(h, call->id, H2_NO_ERROR);
}

static void unlink_call(struct client_conn *conn, struct hearth_client_call *call)
{
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        conn->calls = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    call->next = call->prev = NULL;
    call->conn = NULL;
}

static void leave(struct client_conn *conn, struct hearth_client_call *call)
{
    unlink_call(conn, call);
    if (conn->calls != NULL)
        return;
    /* nobody may be there to hear the answer: silence says nothing until the next call */
    timers_disarm(&conn->h2.env->timers, &conn->timer);
    conn->ping_us = 0;
}

static void on_close(struct h2 *h, void *stream, uint32_t error_code)
{
    struct client_conn *conn = conn_of(h);
    leave(conn, stream);
    client_call_on_close(stream, error_code);
    if (conn->on_room != NULL)
        conn->on_room(conn);
}

void client_conn_abandon(struct client_conn *conn, struct hearth_client_call *call)
{
    h2_abandon(&conn->h2, call->id, H2_CANCEL);
    leave(conn, call);
    if (conn->on_room != NULL)
        conn->on_room(conn);
}

static size_t read_body(struct h2 *h, void *stream, uint8_t *buf, size_t len,
                        enum h2_body_end *ret_end)
{
    struct hearth_client_call *call = stream;
    size_t n = outbox_take(&call->out, buf, len);
    if (call->half_closed && outbox_waiting(&call->out) == 0)
        *ret_end = H2_BODY_OVER;
    if (call->write_blocked && outbox_waiting(&call->out) <= CLIENT_SEND_BUFFER_BYTES / 2)
        call->tell_writable = conn_of(h)->some_writable = true;
    return n;
}

static void after_produce(struct h2 *h)
{
    struct client_conn *conn = conn_of(h);
    if (!conn->some_writable)
        return;
    conn->some_writable = false;
    struct hearth_client_call *call = conn->calls;
    while (call != NULL) {
        if (!call->tell_writable) {
            call = call->next;
            continue;
        }
        call->tell_writable = call->write_blocked = false;
        if (call->events.on_writable != NULL)
            call->events.on_writable(call, call->arg);
        call = conn->calls; /* any of them may have been ended in between */
    }
}

static void on_goaway(struct h2 *h, int32_t last_id, uint32_t error_code)
{
    struct client_conn *conn = conn_of(h);
    (void)last_id;
    (void)error_code;
    if (conn->leaving)
        return;
    conn->leaving = true;
    conn->on_leaving(conn);
}

static void on_settings(struct h2 *h)
{
    struct client_conn *conn = conn_of(h);
    conn->greeted = true;
    if (conn->on_room != NULL)
        conn->on_room(conn);
}

static void on_pong(struct h2 *h)
{
    conn_of(h)->ping_us = 0;
}

static const struct h2_role role = {
    .on_header = on_header,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
    .read_body = read_body,
    .after_produce = after_produce,
    .on_goaway = on_goaway,
    .on_settings = on_settings,
    .on_pong = on_pong,
};

/* ---- keepalive ---- */

static void arm(struct client_conn *conn, uint64_t due_us)
{
    /* without memory for the timer there is no keepalive this time; the next call tries again */
    struct err ignored = timers_arm(&conn->h2.env->timers, &conn->timer, due_us);
    (void)ignored;
}

void client_conn_call_started(struct client_conn *conn)
{
    if (conn->keepalive_ms != 0 && !timer_armed(&conn->timer))
        arm(conn, rpc_env_now_us(conn->h2.env) + (uint64_t)conn->keepalive_ms * 1000);
}

static void on_keepalive(struct timer *timer)
{
    struct client_conn *conn =
        (struct client_conn *)(void *)((char *)timer - offsetof(struct client_conn, timer));
    uint64_t now_us = rpc_env_now_us(conn->h2.env);
    if (conn->ping_us != 0 &&
        now_us - conn->ping_us >= (uint64_t)conn->keepalive_timeout_ms * 1000) {
        conn->on_dead(conn);
        return;
    }
    if (conn->calls == NULL)
        return;
    uint64_t quiet_due_us = conn->h2.heard_us + (uint64_t)conn->keepalive_ms * 1000;
    if (conn->ping_us == 0 && now_us >= quiet_due_us) {
        conn->ping_us = now_us;
        h2_ping(&conn->h2);
    }
    arm(conn, conn->ping_us != 0 ? conn->ping_us + (uint64_t)conn->keepalive_timeout_ms * 1000
                                 : quiet_due_us);
}

/* ---- life ---- */

struct err client_conn_init(struct client_conn *conn, const struct h2_limits *limits,
                            struct rpc_env *env)
{
    *conn = (struct client_conn){.timer.fire = on_keepalive};
    return h2_init(&conn->h2, false, &role, limits, env);
}

void client_conn_clear(struct client_conn *conn, const char *why)
{
    if (conn->h2.session == NULL)
        return;
    timers_disarm(&conn->h2.env->timers, &conn->timer);
    conn->leaving = true;
    conn->h2.on_wake = NULL;
    while (conn->calls != NULL) {
        struct hearth_client_call *call = conn->calls;
        unlink_call(conn, call);
        if (!call->over)
            client_call_set_status(call, HEARTH_UNAVAILABLE, why);
        call->over = call->closed = call->finished = true;
        call->owner->on_over(call);
    }
    h2_clear(&conn->h2);
}
