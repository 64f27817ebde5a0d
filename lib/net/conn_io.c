#include "net/conn_io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum io read_pipe(struct rpc_conn *conn, size_t *ret_len, const char **ret_why)
{
    enum pipe_result result = pipe_read(conn->pipe, conn->loop->in, LOOP_BUFFER_BYTES, ret_len);
    if (result == PIPE_OVER)
        *ret_why = "the other side closed the connection";
    return result == PIPE_OK ? IO_OK : result == PIPE_WAIT ? IO_WAIT : IO_OVER;
}

static enum io read_tls(struct rpc_conn *conn, size_t *ret_len, const char **ret_why)
{
    switch (tls_read(conn->tls, conn->loop->in, LOOP_BUFFER_BYTES, ret_len)) {
    case TLS_OK:
        return IO_OK;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        return IO_WAIT;
    case TLS_CLOSED:
        *ret_why = "the other side closed the connection";
        return IO_OVER;
    default:
        *ret_why = tls_error(conn->tls);
        return IO_OVER;
    }
}

enum io conn_read(struct rpc_conn *conn, size_t *ret_len, const char **ret_why)
{
    if (conn->pipe != NULL)
        return read_pipe(conn, ret_len, ret_why);
    if (conn->tls != NULL)
        return read_tls(conn, ret_len, ret_why);
    ssize_t n = recv(conn->fd, conn->loop->in, LOOP_BUFFER_BYTES, 0);
    if (n > 0) {
        *ret_len = (size_t)n;
        return IO_OK;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return IO_WAIT;
    *ret_why = n == 0 ? "the other side closed the connection" : strerror(errno);
    return IO_OVER;
}

enum io conn_write(struct rpc_conn *conn, const uint8_t *data, size_t len, size_t *ret_len)
{
    if (conn->pipe != NULL) {
        enum pipe_result result = pipe_write(conn->pipe, data, len, ret_len);
        return result == PIPE_OK ? IO_OK : result == PIPE_WAIT ? IO_WAIT : IO_OVER;
    }
    if (conn->tls != NULL) {
        enum tls_result result = tls_write(conn->tls, data, len, ret_len);
        return result == TLS_OK                                      ? IO_OK
               : result == TLS_WANT_READ || result == TLS_WANT_WRITE ? IO_WAIT
                                                                     : IO_OVER;
    }
    ssize_t n = send(conn->fd, data, len, MSG_NOSIGNAL);
    if (n >= 0) {
        *ret_len = (size_t)n;
        return IO_OK;
    }
    return errno == EAGAIN || errno == EINTR ? IO_WAIT : IO_OVER;
}

bool conn_watch_read(struct rpc_conn *conn, bool on)
{
    if (conn->pipe != NULL)
        pipe_watch(conn->pipe, on, conn->pipe->watch_write);
    else if (on)
        return event_add(&conn->read_event, NULL) == 0;
    else
        event_del(&conn->read_event);
    return true;
}

bool conn_watch_write(struct rpc_conn *conn, bool on)
{
    if (conn->pipe != NULL)
        pipe_watch(conn->pipe, conn->pipe->watch_read, on);
    else if (on)
        return event_add(&conn->write_event, NULL) == 0;
    else
        event_del(&conn->write_event);
    return true;
}

void conn_read_again(struct rpc_conn *conn)
{
    if (conn->pipe == NULL)
        event_active(&conn->read_event, EV_READ, 0);
}

void conn_io_close(struct rpc_conn *conn)
{
    if (conn->pipe != NULL) {
        pipe_close(conn->pipe);
        conn->pipe = NULL;
        return;
    }
    event_del(&conn->read_event);
    event_del(&conn->write_event);
    /* Cut in the middle of output that nobody took: what the kernel holds of it is of no use, and
     * would stay there for minutes. */
    if (conn->unsent != NULL && conn->fd >= 0) {
        struct linger at_once = {.l_onoff = 1};
        (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    if (conn->tls != NULL && !conn->handshaking)
        tls_close(conn->tls);
    tls_session_free(conn->tls);
    conn->tls = NULL;
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
}
