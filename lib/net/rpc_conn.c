#include "net/conn_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Bounds on what one connection may do in one turn of the loop, so that the others get theirs. */
enum { READS_PER_TURN = 4, FLUSHES_PER_TURN = 8 };

static void flush(struct rpc_conn *conn);

/* ---- writing ---- */

static void stop_reading(struct rpc_conn *conn)
{
    /* Two peers that both stop reading could wait for each other for ever; so only servers do. */
    if (conn->read_stopped || !conn->h2->server)
        return;
    conn->read_stopped = true;
    (void)conn_watch_read(conn, false);
}

static void start_reading(struct rpc_conn *conn)
{
    if (!conn->read_stopped)
        return;
    conn->read_stopped = false;
    /* it was watched before, so libevent has the memory for it */
    (void)conn_watch_read(conn, true);
    /* TLS may hold decrypted bytes that the socket will not announce */
    if (conn->tls != NULL)
        conn_read_again(conn);
}

static void wait_for_room(struct rpc_conn *conn)
{
    if (conn->h2->blocked_us == 0)
        conn->h2->blocked_us = rpc_env_now_us(&conn->loop->env);
    (void)conn_watch_write(conn, true);
    stop_reading(conn);
}

/* IO_OK: all of it went. IO_WAIT: the rest lies in unsent. */
static enum io send_all(struct rpc_conn *conn, const uint8_t *data, size_t len)
{
    size_t off = 0;
    while (off < len) {
        size_t n = 0;
        enum io result = conn_write(conn, data + off, len - off, &n);
        off += n;
        if (result == IO_OVER)
            return IO_OVER;
        if (result == IO_WAIT)
            break;
    }
    if (off == len)
        return IO_OK;
    conn->unsent = malloc(len - off);
    if (conn->unsent == NULL)
        return IO_OVER;
    memcpy(conn->unsent, data + off, len - off);
    conn->unsent_len = len - off;
    conn->unsent_off = 0;
    return IO_WAIT;
}

static void drop_unsent(struct rpc_conn *conn)
{
    bytes_wipe(conn->unsent, conn->unsent_len);
    free(conn->unsent);
    conn->unsent = NULL;
    conn->unsent_len = conn->unsent_off = 0;
}

static enum io send_unsent(struct rpc_conn *conn)
{
    while (conn->unsent_off < conn->unsent_len) {
        size_t n = 0;
        enum io result = conn_write(conn, conn->unsent + conn->unsent_off,
                                    conn->unsent_len - conn->unsent_off, &n);
        conn->unsent_off += n;
        if (n > 0)
            conn->h2->blocked_us = 0; /* never drops: a socket is writable when a third is free */
        if (result != IO_OK)
            return result;
    }
    drop_unsent(conn);
    return IO_OK;
}

/* Produces and sends until there is nothing more, the socket is full, or it was enough for one
 * turn. */
static enum io push(struct rpc_conn *conn, struct err *ret_err)
{
    if (conn->unsent != NULL) {
        enum io result = send_unsent(conn);
        if (result != IO_OK)
            return result;
    }
    for (int round = 0; round < FLUSHES_PER_TURN; round++) {
        size_t len = 0;
        *ret_err = h2_produce(conn->h2, conn->loop->out, LOOP_BUFFER_BYTES, &len);
        if (!err_is_ok(*ret_err))
            return IO_OVER;
        if (len == 0)
            return IO_OK;
        enum io result = send_all(conn, conn->loop->out, len);
        bytes_wipe(conn->loop->out, len);
        if (result != IO_OK)
            return result;
    }
    loop_at_turn_end(conn->loop, &conn->flush_task);
    return IO_OK;
}

static void flush(struct rpc_conn *conn)
{
    struct err err = ERR_OK;
    if (conn->connecting || conn->handshaking || conn->closed)
        return;
    enum io result = push(conn, &err);
    if (result == IO_OVER) {
        rpc_conn_close(conn, err_is_ok(err) ? ERR(RPC_CLOSED) : err,
                       "the connection broke while writing");
    } else if (result == IO_WAIT) {
        wait_for_room(conn);
    } else {
        conn->h2->blocked_us = 0;
        start_reading(conn);
        if (h2_finished(conn->h2))
            rpc_conn_close(conn, ERR(RPC_CLOSED), "finished");
    }
}

static void on_flush_task(struct loop_task *task)
{
    flush((struct rpc_conn *)(void *)((char *)task - offsetof(struct rpc_conn, flush_task)));
}

static void on_wake(void *transport)
{
    struct rpc_conn *conn = transport;
    if (!conn->reading && !conn->closed && !conn->connecting && !conn->handshaking)
        loop_at_turn_end(conn->loop, &conn->flush_task);
}

/* ---- reading ---- */

static void receive(struct rpc_conn *conn)
{
    for (int round = 0; round < READS_PER_TURN; round++) {
        size_t len = 0;
        const char *why = NULL;
        enum io result = conn_read(conn, &len, &why);
        if (result == IO_WAIT)
            break;
        if (result == IO_OVER) {
            rpc_conn_close(conn, ERR(RPC_CLOSED), why);
            return;
        }
        conn->reading = true;
        struct err err = h2_receive(conn->h2, conn->loop->in, len);
        conn->reading = false;
        bytes_wipe(conn->loop->in, len);
        if (!err_is_ok(err)) {
            rpc_conn_close(conn, err, err_text(err));
            return;
        }
        if (conn->tls == NULL && len < LOOP_BUFFER_BYTES)
            break;
        if (round == READS_PER_TURN - 1)
            conn_read_again(conn);
    }
    conn->h2->woken = false;
    flush(conn);
}

static void ready(struct rpc_conn *conn)
{
    conn->handshaking = false;
    (void)conn_watch_write(conn, false);
    conn->on_ready(conn);
}

static void handshake(struct rpc_conn *conn)
{
    uint64_t before_us = rpc_env_now_us(&conn->loop->env);
    enum tls_result result = tls_handshake(conn->tls);
    conn->handshake_us += rpc_env_now_us(&conn->loop->env) - before_us;
    switch (result) {
    case TLS_OK:
        ready(conn);
        if (!conn->closed)
            receive(conn); /* what came with the last flight */
        break;
    case TLS_WANT_READ:
        (void)conn_watch_write(conn, false);
        break;
    case TLS_WANT_WRITE:
        (void)conn_watch_write(conn, true);
        break;
    default:
        rpc_conn_close(conn, ERR(TLS_FAILED),
                       result == TLS_CLOSED ? "closed in the TLS handshake" : tls_error(conn->tls));
        break;
    }
}

static void begin(struct rpc_conn *conn)
{
    conn->connecting = false;
    if (!conn_watch_read(conn, true)) {
        rpc_conn_close(conn, ERR(NO_MEMORY), "out of memory");
    } else if (conn->tls != NULL) {
        conn->handshaking = true;
        handshake(conn);
    } else {
        ready(conn);
        flush(conn);
    }
}

static void readable(struct rpc_conn *conn)
{
    if (conn->closed)
        return; /* it goes at the end of this turn */
    if (conn->handshaking)
        handshake(conn);
    else
        receive(conn);
}

static void writable(struct rpc_conn *conn)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (conn->closed)
        return;
    if (conn->connecting && conn->pipe == NULL &&
        getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0)
        rpc_conn_close(conn, ERR(RPC_CLOSED), strerror(error));
    else if (conn->connecting)
        begin(conn);
    else if (conn->handshaking)
        handshake(conn);
    else
        flush(conn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct rpc_conn *conn = arg;
    struct hearth_loop *loop = conn->loop;
    (void)fd;
    (void)what;
    loop_enter(loop);
    readable(conn);
    loop_leave(loop);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct rpc_conn *conn = arg;
    struct hearth_loop *loop = conn->loop;
    (void)fd;
    (void)what;
    loop_enter(loop);
    writable(conn);
    loop_leave(loop);
}

/* Owners free a connection at the end of a turn, after this. */
static void on_pipe_event(struct pipe_end *end, bool can_read, bool can_write)
{
    struct rpc_conn *conn = end->owner;
    if (can_write) {
        (void)conn_watch_write(conn, false); /* told once, as events are */
        writable(conn);
    }
    if (can_read && !conn->closed)
        readable(conn);
}

/* ---- life ---- */

struct err rpc_conn_init(struct rpc_conn *conn, struct hearth_loop *loop, struct h2 *h2, int fd,
                         struct tls_session *tls, bool connecting)
{
    conn->loop = loop;
    conn->h2 = h2;
    conn->fd = fd;
    conn->tls = tls;
    conn->connecting = connecting;
    conn->flush_task.run = on_flush_task;
    event_assign(&conn->read_event, loop->base, fd, EV_READ | EV_PERSIST, on_readable, conn);
    event_assign(&conn->write_event, loop->base, fd, EV_WRITE, on_writable, conn);
    h2->on_wake = on_wake;
    h2->transport = conn;
    if (connecting && event_add(&conn->write_event, NULL) != 0)
        return ERR(NO_MEMORY);
    return ERR_OK;
}

void rpc_conn_init_pipe(struct rpc_conn *conn, struct hearth_loop *loop, struct h2 *h2,
                        struct pipe_end *end, bool connecting)
{
    conn->loop = loop;
    conn->h2 = h2;
    conn->fd = -1;
    conn->pipe = end;
    conn->connecting = connecting;
    conn->flush_task.run = on_flush_task;
    end->owner = conn;
    end->on_event = on_pipe_event;
    h2->on_wake = on_wake;
    h2->transport = conn;
    if (connecting)
        (void)conn_watch_write(conn, true);
}

void rpc_conn_start(struct rpc_conn *conn)
{
    if (!conn->connecting)
        begin(conn);
}

void rpc_conn_close(struct rpc_conn *conn, struct err err, const char *why)
{
    if (conn->closed)
        return;
    conn->closed = true;
    /* the reason, when there is one to tell and the socket takes it */
    if (!conn->connecting && !conn->handshaking && conn->unsent == NULL &&
        h2_has_output(conn->h2)) {
        size_t len = 0;
        if (err_is_ok(h2_produce(conn->h2, conn->loop->out, LOOP_BUFFER_BYTES, &len)) && len > 0)
            (void)send_all(conn, conn->loop->out, len);
    }
    conn->on_closed(conn, err, why);
}

void rpc_conn_clear(struct rpc_conn *conn)
{
    conn->closed = true;
    if (conn->loop == NULL)
        return;
    loop_task_cancel(conn->loop, &conn->flush_task);
    conn_io_close(conn);
    drop_unsent(conn);
}
