/* struct hearth_call from the inside: shared by call*.c and server_conn.c only.
 *
 * Life: made when a stream begins; `conn` is nulled when the stream is gone; freed when the last
 * reference goes. The stream holds one reference while it is open, a unary handler that said LATER
 * holds one until it answers, an interceptor that said LATER until hearth_call_continue().
 * `finished` is set once, when the outcome is decided; nothing the handler says afterwards has an
 * effect.
 */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include "base/arena.h"
#include "rpc/frame.h"
#include "rpc/metadata.h"
#include "rpc/outbox.h"
#include "rpc/server_conn.h"

/* Client calls made on behalf of this one: cancelled with it. */
struct call_child {
    struct call_child *next, **at; /* at: where the pointer to this one lies; NULL: not linked */
    void (*cancel)(struct call_child *self);
};

struct hearth_call {
    struct server_conn *conn; /* NULL once the stream is gone */
    struct server_conn *home; /* as long as it counts there: until it is freed or the connection is
                                 gone; linked in home->ghosts when conn is NULL */
    struct hearth_call *next, *prev;
    struct hearth_call *next_writable;
    const struct bound_endpoint *bound; /* NULL: unknown path */
    struct rpc_env *env;
    struct server_core *core;
    int32_t id;
    uint32_t refs;

    /* request */
    struct arena arena;
    struct arena message_arena; /* of the message being handled, request streams */
    struct metadata headers;
    struct frame_reader reader;
    struct buf held; /* DATA that came while paused or while an interceptor thinks */
    size_t message_count;
    uint64_t begun_us;
    uint64_t message_begun_us; /* when the first byte of the message being read came */
    uint64_t deadline_us;      /* 0: none */
    struct timer deadline;

    /* response */
    struct metadata out_headers, out_trailers;
    ProtobufCMessage *reply; /* of a unary or client-streaming handler, in the arena */
    struct outbox out;
    uint64_t out_moved_us;    /* when a fair part of it went last */
    uint32_t out_moved_bytes; /* gone since then */
    enum hearth_code code;
    const char *message;  /* text of the status, in the arena, or NULL */
    struct bytes details; /* google.rpc.Status, in the arena */

    /* the handler's */
    struct call_child *children;
    void *state;
    void (*release)(void *state);
    const void *caller; /* the interceptors' */
    void (*on_cancel)(struct hearth_call *call, void *arg);
    void *on_cancel_arg;
    void (*on_writable)(struct hearth_call *call, void *arg);
    void *on_writable_arg;

    uint16_t http_status; /* other than 200: not gRPC, answered in plain HTTP */
    uint8_t intercepted;  /* interceptors that have seen the current message */
    uint8_t encoding;     /* of request messages: enum call_encoding */
    bool content_type_ok, method_ok;
    bool plain; /* asks for the plain page */
    bool headers_complete;
    bool bad_headers; /* malformed metadata or timeout */
    bool timeout_bad;
    bool accepts_gzip, compress;
    bool message_compressed;
    bool message_ready;          /* unary: the one message is complete in the reader */
    bool request_ended;          /* half-close seen */
    bool end_delivered;          /* request streams: the handler knows */
    bool paused;                 /* by the handler */
    bool asking;                 /* inside an interceptor's on_message */
    enum hearth_code early_code; /* what hearth_call_continue() said in there */
    bool thinking;               /* an interceptor said LATER */
    bool running;                /* inside a handler or interceptor */
    bool pumping;
    bool headers_sent;
    bool finished;
    bool cancelled;
    bool owes;          /* unary: the handler said LATER */
    bool write_blocked; /* a write said 0 */
    bool writable_queued;
};

enum call_encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_UNKNOWN };

/* call.c: life */
struct hearth_call *call_new(struct server_conn *conn, int32_t id);
void call_ref(struct hearth_call *call);
void call_unref(struct hearth_call *call);
/* The stream is gone. */
void call_detach(struct hearth_call *call);
/* A unary handler that said LATER has answered: its reference goes. */
void call_settle(struct hearth_call *call);
size_t call_memory_bytes(const struct hearth_endpoint *row);
/* The deadline passed, or the server gives up on it. */
void call_expire(struct hearth_call *call, enum hearth_code code, const char *why);

void call_add_child(struct hearth_call *call, struct call_child *child);
void call_remove_child(struct call_child *child);

/* call_request.c: what comes in */
void call_on_header(struct hearth_call *call, struct bytes name, struct bytes value);
void call_on_headers(struct hearth_call *call, bool over);
void call_on_data(struct hearth_call *call, const uint8_t *data, size_t len);
void call_on_end(struct hearth_call *call);
void call_pump(struct hearth_call *call);

/* call_response.c: what goes out */
void call_send_page(struct hearth_call *call);
void call_finish(struct hearth_call *call, enum hearth_code code);
size_t call_read_body(struct hearth_call *call, uint8_t *buf, size_t len,
                      enum h2_body_end *ret_end);

static inline bool call_streams_requests(const struct hearth_call *call)
{
    return (call->bound->row->shape & HEARTH_CLIENT_STREAM) != 0;
}

static inline bool call_streams_responses(const struct hearth_call *call)
{
    return (call->bound->row->shape & HEARTH_SERVER_STREAM) != 0;
}

#endif
