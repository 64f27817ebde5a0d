/* struct hearth_channel from the inside: one target, at most one connection that takes new calls,
 * and the calls that wait for it. All of it belongs to the loop's thread but what `lock` guards.
 *
 *   IDLE -> CONNECTING -> READY -> IDLE (idle, GOAWAY) | BACKOFF -> CONNECTING ...
 *
 * CONNECTING is: asking for the SRV records (where there is a service), for the addresses of the
 * first of them or of the target, each time anew, then trying one after the other, then those of
 * the next record. Only when none is left the attempt has failed.
 */
#ifndef NET_CHANNEL_H
#define NET_CHANNEL_H

#include "net/address.h"
#include "net/resolve.h"
#include "net/rpc_conn.h"
#include "rpc/client_call.h"

enum channel_state { CHANNEL_IDLE, CHANNEL_CONNECTING, CHANNEL_READY, CHANNEL_BACKOFF };

struct channel_link {
    struct client_conn core; /* first: h2's owner */
    struct rpc_conn io;
    struct hearth_channel *channel;
    struct channel_link *next;
    struct loop_task end_task;
    struct timer connect_timer;
    bool ready;
    char why[128];
};

struct hearth_channel {
    struct client_call_owner owner; /* env, interceptors, header texts */
    struct hearth_loop *loop;
    bool owns_loop;
    struct h2_limits limits;
    struct hearth_channel_options options; /* numbers filled in; pointers not kept */
    struct tls_context *tls;
    char *tls_error; /* why there is none although TLS is wanted: no connection is made */
    char *target, *authority, *user_agent, *server_name;
    char *host; /* to be resolved; NULL: the addresses are fixed */
    char *dns_servers;
    uint16_t port;
    char *service;                    /* SRV name to be asked first; NULL: none */
    struct resolve_service *services; /* what it led to, of this attempt */
    size_t service_count, next_service;
    struct resolve *resolving;
    struct address addresses[RESOLVE_ADDRESSES_MOST];
    size_t address_count, next_address;
    const char *pipe_name; /* in target; NULL: addresses count */

    enum channel_state state;
    struct channel_link *current; /* connecting or ready */
    struct channel_link *links;   /* all, those that are leaving too */
    struct hearth_client_call *waiting, *waiting_last;
    struct hearth_client_call *all;
    struct hearth_client_call *done, *done_last; /* to be told at the turn's end */
    struct loop_task done_task, kick_task, free_task;
    struct timer backoff, idle;
    uint64_t used_us;  /* when the last call ended; idle counts from here */
    unsigned failures; /* connection attempts in a row */
    char last_error[160];
    bool freeing;

    pthread_mutex_t
        lock; /* of what blocking callers share: led, and the done flags of what they wait for */
    pthread_cond_t moved;
    bool led;           /* a blocking caller runs the loop */
    uint64_t turned_us; /* when one last did; the leader's */
};

/* channel.c: the calls' side */
void channel_kick(struct hearth_channel *channel);
/* channel_setup.c: everything but the callbacks; what it has set when it fails is
 * hearth_channel_free()'s to release. */
CHECKED struct err channel_set_up(struct hearth_channel *channel, const char *target,
                                  const struct hearth_channel_options *options);
/* channel_link.c: the connection's side */
void channel_connect(struct hearth_channel *channel);
/* From the addresses: the next that can be dialed, or the next service, or the attempt has failed
 * for this reason. */
void channel_dial_next(struct hearth_channel *channel, const char *why);
void channel_attempt_failed(struct hearth_channel *channel, const char *why);
/* channel_resolve.c: asks for what is to be dialed; channel_dial_next follows. */
void channel_resolve(struct hearth_channel *channel);
/* The addresses of the next service; false: there is none. */
bool channel_resolve_next(struct hearth_channel *channel);
void channel_close_links(struct hearth_channel *channel);
/* A connection attempt failed or the connection was lost: what waits and will not wait for ready
 * fails. */
void channel_failed(struct hearth_channel *channel, const char *why);

#endif
