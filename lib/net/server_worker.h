/* One loop of a server: its listening sockets and its connections. From the inside of lib/net only.
 *
 * All of it is touched by the loop's thread only; other threads post. Listeners with SO_REUSEPORT
 * let the kernel spread connections over the workers.
 */
#ifndef NET_SERVER_WORKER_H
#define NET_SERVER_WORKER_H

#include "net/address.h"
#include "net/gate.h"
#include "net/rpc_conn.h"
#include "rpc/server_conn.h"

struct server_worker;

/* What is the same for one address on all workers. */
struct server_port {
    struct address address;
    char pipe_name[PIPE_NAME_BYTES]; /* "": a socket */
    bool is_tls;
    struct hearth_tls_options tls_options; /* strings owned */
    struct tls_context *tls;               /* guarded by lock: a reload replaces it */
    pthread_mutex_t lock;
};

struct server_listener {
    struct server_worker *worker;
    struct server_port *port;
    int fd; /* -1: closed, or a pipe */
    struct event event;
    struct pipe_listener pipe;
};

/* A connection: transport and core together. */
struct server_link {
    struct server_conn core; /* first: h2's owner */
    struct rpc_conn io;
    struct server_worker *worker;
    struct server_link *next, *prev;
    struct loop_task end_task;
    struct timer handshake_timer;
    bool gated; /* counted at the gate by its prefix */
    uint64_t prefix;
    bool counted_handshake;
    char peer[ADDRESS_TEXT_BYTES];
    char *peer_name;
};

struct server_worker {
    struct hearth_loop *loop;
    struct server_core *core;
    struct gate *gate;
    struct server_listener *listeners;
    size_t listener_count;
    struct server_link *links;
    struct timer resume_timer;   /* accepting goes on */
    void (*on_empty)(void *arg); /* the last connection is gone */
    void *on_empty_arg;
    pthread_t thread;
    bool has_thread;
    bool owns_loop;
    bool draining;
    bool told_empty;
};

/* Starts to accept. Listening sockets were made by server_port_listen(). */
CHECKED struct err server_worker_accept(struct server_worker *worker);
/* No new connections; GOAWAY on all. */
void server_worker_drain(struct server_worker *worker);
/* Cuts what is left. */
void server_worker_close_all(struct server_worker *worker);
void server_worker_clear(struct server_worker *worker);

/* A listening socket for the port; the address gets the real port number. first: nobody may have
 * the port yet. ERR_IO with errno. */
CHECKED struct err server_port_listen(struct server_port *port, bool first, int *ret_fd);
/* The current TLS context with a reference, or NULL for plaintext. */
struct tls_context *server_port_tls(struct server_port *port);

#endif
