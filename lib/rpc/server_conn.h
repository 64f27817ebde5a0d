/* One connection of a server, above HTTP/2: its calls and its clock. No I/O.
 *
 * The transport embeds or owns it, drives conn.h2 (rpc/h2.h), and closes when on_expired asks for
 * it. One thread.
 */
#ifndef RPC_SERVER_CONN_H
#define RPC_SERVER_CONN_H

#include "rpc/server_core.h"

struct server_conn {
    struct h2 h2;
    struct server_core *core;
    struct hearth_call *calls;    /* with an open stream */
    struct hearth_call *ghosts;   /* whose stream is gone, but whose handler still works */
    struct hearth_call *writable; /* to be told after the current h2_produce() */
    uint32_t alive; /* calls not yet freed, streams gone or not: what max streams is held against */
    struct timer timer; /* idle, first request, keepalive, age, slow bodies, unread output */
    uint64_t opened_us;
    uint64_t idle_us; /* since when without a call; 0 while one is open */
    uint64_t ping_us; /* keepalive PING sent and not answered; 0: none */
    bool had_request;
    bool draining;
    uint64_t drain_us; /* since when: the last id accepted is told after a round trip or a second */
    const char *peer;  /* borrowed from the transport */
    const char *peer_name; /* borrowed from the transport, or NULL */
    int64_t peer_uid;      /* of a Unix socket; -1: another kind of connection */
    void (*on_expired)(
        void *transport); /* close now; called from a timer, never from h2_receive or h2_produce */
};

/* core, env, peer are borrowed. The transport sets h2.on_wake and h2.transport afterwards. */
CHECKED struct err server_conn_init(struct server_conn *conn, struct server_core *core,
                                    struct rpc_env *env);
/* Ends all calls (cancelled) and frees the session. */
void server_conn_clear(struct server_conn *conn);
/* Graceful: GOAWAY now; the connection is finished (h2_finished) when its calls are. */
void server_conn_drain(struct server_conn *conn);

#endif
