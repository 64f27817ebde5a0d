/* One connection of a client, above HTTP/2: the calls whose streams are open on it. No I/O.
 */
#ifndef RPC_CLIENT_CONN_H
#define RPC_CLIENT_CONN_H

#include "rpc/h2.h"

struct hearth_client_call;

struct client_conn {
    struct h2 h2; /* first: its owner is found by it */
    struct hearth_client_call *calls;
    struct timer timer;    /* keepalive */
    uint64_t ping_us;      /* sent and not answered; 0: none */
    uint32_t keepalive_ms; /* 0: none */
    uint32_t keepalive_timeout_ms;
    bool some_writable; /* a call has room again: told after the current h2_produce() */
    bool greeted;       /* the server's SETTINGS came: it speaks HTTP/2 */
    bool useful;        /* it answered a call */
    bool leaving;       /* GOAWAY came or was decided: no new calls */
    /* of the owner; called inside h2_receive or h2_produce */
    void (*on_room)(
        struct client_conn *conn); /* a stream ended or settings came: a waiting call may start;
                                      also when a call is ended from our side */
    void (*on_leaving)(
        struct client_conn *conn); /* no new calls; the connection ends with its last call */
    void (*on_dead)(struct client_conn *conn); /* keepalive was not answered; from a timer */
};

/* limits and env are borrowed. */
CHECKED struct err client_conn_init(struct client_conn *conn, const struct h2_limits *limits,
                                    struct rpc_env *env);
/* The connection is gone: every call on it hears of it. */
void client_conn_clear(struct client_conn *conn, const char *why);
static inline bool client_conn_has_room(const struct client_conn *conn)
{
    return !conn->leaving && h2_can_request(&conn->h2);
}
/* A call is ended from our side: resets its stream and forgets it at once. */
void client_conn_abandon(struct client_conn *conn, struct hearth_client_call *call);
/* Arms keepalive when a call starts. */
void client_conn_call_started(struct client_conn *conn);

#endif
