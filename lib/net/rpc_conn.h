/* The transport of one HTTP/2 connection: a socket, TLS or not, or a pipe, that drives a struct h2
 * on a loop.
 *
 * Reads into and writes from buffers of the loop, so that an idle connection has none of its own.
 * Output is produced only when the socket takes it: what a slow peer leaves unsent is at most one
 * buffer, and while it waits a server reads nothing more from that peer. Embedded in its owner,
 * which frees it after on_closed. One thread: the loop's.
 */
#ifndef NET_RPC_CONN_H
#define NET_RPC_CONN_H

#include "net/loop.h"
#include "net/pipe.h"
#include "net/tls.h"
#include "rpc/h2.h"

struct rpc_conn {
    struct hearth_loop *loop;
    struct h2 *h2;
    struct tls_session *tls; /* NULL: plaintext */
    struct pipe_end *pipe;   /* owned; NULL: a socket */
    int fd;
    bool handshaking;
    bool connecting; /* client: the TCP connection is not there yet */
    bool reading;    /* inside h2_receive: flush follows by itself */
    bool closed;
    bool read_stopped;
    struct event read_event, write_event;
    struct loop_task flush_task;
    uint8_t *unsent;
    size_t unsent_len, unsent_off;
    uint64_t handshake_us; /* CPU of the handshake so far */
    void (*on_ready)(struct rpc_conn *conn);
    /* Once. why is for people and lives until the return. The owner calls rpc_conn_clear(). */
    void (*on_closed)(struct rpc_conn *conn, struct err err, const char *why);
};

/* Takes fd (non-blocking). tls may be NULL. connecting: wait for the connection first. h2's wake
 * hook is set. */
CHECKED struct err rpc_conn_init(struct rpc_conn *conn, struct hearth_loop *loop, struct h2 *h2,
                                 int fd, struct tls_session *tls, bool connecting);
/* The same over a pipe, whose end is taken. */
void rpc_conn_init_pipe(struct rpc_conn *conn, struct hearth_loop *loop, struct h2 *h2,
                        struct pipe_end *end, bool connecting);
/* Starts; on_ready comes at once for plaintext that is connected. */
void rpc_conn_start(struct rpc_conn *conn);
/* Flushes what the socket takes without waiting, then on_closed. */
void rpc_conn_close(struct rpc_conn *conn, struct err err, const char *why);
/* Closes the socket and frees. No callbacks. */
void rpc_conn_clear(struct rpc_conn *conn);

#endif
