/* gRPC for C: servers, channels, calls. What the generated stubs stand on.
 *
 * Generated code (protoc-gen-hearth) gives each service a vtable for the server and typed functions
 * for the client; this header is what they share. Wire-compatible with every gRPC implementation.
 *
 * Threads. A loop (struct hearth_loop) belongs to one thread at a time. A server runs one loop per
 * thread; the handlers of a call run on the loop that owns its connection, and everything said
 * about that call must be said there; hearth_loop_post() brings work there from elsewhere. Blocking
 * client calls may come from any thread, except from the thread that is running the channel's own
 * loop. There is no hidden global state and no hidden thread: a channel made without a loop is
 * driven by whoever blocks on it.
 *
 * Memory. A call owns an arena. What a handler puts into a reply lives there (hearth_call_alloc) or
 * must live until the handler's return; nobody frees. Sizes are bytes, times are milliseconds
 * unless the name says so.
 */
#ifndef HEARTH_RPC_H
#define HEARTH_RPC_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct event_base;         /* libevent */
struct hearth_loop;        /* an event loop and what waits on it */
struct hearth_server;      /* services, listeners, threads */
struct hearth_call;        /* server side: one call being answered */
struct hearth_channel;     /* client side: a connection to one target, re-made when it breaks */
struct hearth_client_call; /* client side: one call under way */
struct hearth_stream;      /* client side: a blocking view of a streaming call */

/* ---- status
 * ------------------------------------------------------------------------------------------- */

/* https://grpc.io/docs/guides/status-codes/ ; LATER never goes over the wire. */
enum hearth_code {
    HEARTH_LATER = -1, /* a handler will answer (or goes on listening) after it returned */
    HEARTH_OK = 0,
    HEARTH_CANCELLED = 1,
    HEARTH_UNKNOWN = 2,
    HEARTH_INVALID_ARGUMENT = 3,
    HEARTH_DEADLINE_EXCEEDED = 4,
    HEARTH_NOT_FOUND = 5,
    HEARTH_ALREADY_EXISTS = 6,
    HEARTH_PERMISSION_DENIED = 7,
    HEARTH_RESOURCE_EXHAUSTED = 8,
    HEARTH_FAILED_PRECONDITION = 9,
    HEARTH_ABORTED = 10,
    HEARTH_OUT_OF_RANGE = 11,
    HEARTH_UNIMPLEMENTED = 12,
    HEARTH_INTERNAL = 13,
    HEARTH_UNAVAILABLE = 14,
    HEARTH_DATA_LOSS = 15,
    HEARTH_UNAUTHENTICATED = 16
};

/* "NOT_FOUND"; "UNKNOWN" for numbers outside the list. */
const char *hearth_code_name(enum hearth_code code);

/* How a call ended. The zero state is OK. Owned by whoever declared it; hearth_status_clear() when
 * done. */
struct hearth_status {
    enum hearth_code code;
    char *message;    /* UTF-8 text for a person, or NULL */
    uint8_t *details; /* serialised google.rpc.Status (grpc-status-details-bin), or NULL */
    size_t details_len;
    struct hearth_metadata_list *metadata; /* response headers and trailers, or NULL */
    bool compressed;                       /* the last response message came compressed */
};

void hearth_status_clear(struct hearth_status *status);

/* The detail of the given type, unpacked; NULL if there is none. Free with
 * protobuf_c_message_free_unpacked. */
ProtobufCMessage *hearth_status_find(const struct hearth_status *status,
                                     const ProtobufCMessageDescriptor *type);
/* The n-th value of a response header or trailer; false if there are not so many. `-bin` values
 * come decoded. The view lives as long as the status. */
bool hearth_status_metadata(const struct hearth_status *status, const char *name, size_t n,
                            const uint8_t **ret_value, size_t *ret_len);
/* The same, of one kind only: what came before the messages, and what came with the status. A
 * response without messages may have trailers alone. */
bool hearth_status_header(const struct hearth_status *status, const char *name, size_t n,
                          const uint8_t **ret_value, size_t *ret_len);
bool hearth_status_trailer(const struct hearth_status *status, const char *name, size_t n,
                           const uint8_t **ret_value, size_t *ret_len);

/* ---- endpoints: written by the generator
 * ---------------------------------------------------------------- */

enum hearth_shape {
    HEARTH_UNARY = 0,
    HEARTH_CLIENT_STREAM = 1, /* requests stream */
    HEARTH_SERVER_STREAM = 2, /* responses stream */
    HEARTH_BIDI = 3           /* both */
};

/* Bits of hearth_endpoint.callers, by hearth.Caller. */
#define HEARTH_CALLER_BIT(caller) (UINT32_C(1) << (caller))

/* The first rule of a message that doesn't hold; a row of google.rpc.BadRequest. */
struct hearth_broken_rule {
    char path[128];   /* the field: "members[3].group_id"; the front is dropped ("...") where it is
                         longer */
    const char *text; /* static: "must be 16 bytes" */
};

/* Looks for the first broken rule in a decoded message. true when all hold; false, and *ret_broken
 * written, when one doesn't. */
typedef bool hearth_validate_fn(const ProtobufCMessage *message,
                                struct hearth_broken_rule *ret_broken);

/* Behind the generated validators. break says which field of the innermost message; in and at go
 * outwards from there and put a field, or an element of a repeated field, before the path. All
 * return false. */
bool hearth_rule_break(struct hearth_broken_rule *broken, const char *field, const char *text);
bool hearth_rule_in(struct hearth_broken_rule *broken, const char *field);
bool hearth_rule_at(struct hearth_broken_rule *broken, const char *field, size_t index);

/* Calls the typed handler of a vtable. in is NULL at half-close of a request stream; out is NULL
 * for response streams. Returns HEARTH_UNIMPLEMENTED for a NULL member. */
typedef enum hearth_code hearth_invoke_fn(struct hearth_call *call, const ProtobufCMessage *in,
                                          ProtobufCMessage *out, const void *service, void *self);
/* Request streams only: the start, before the first message. HEARTH_LATER where the vtable has no
 * opinion. */
typedef enum hearth_code hearth_open_fn(struct hearth_call *call, const void *service, void *self);

/* One row per rpc: its policy and its types. Constant; lives as long as the program. */
struct hearth_endpoint {
    const char *path; /* "/package.Service/Method" */
    enum hearth_shape shape;
    uint32_t callers; /* HEARTH_CALLER_BIT set; 0 where the .proto has no policy */
    uint8_t cost;     /* hearth.Cost */
    bool idempotent;
    bool federated;
    bool compression;
    uint32_t request_bytes;  /* largest request message */
    uint32_t response_bytes; /* largest response message */
    uint32_t deadline_ms;    /* 0: default */
    uint32_t memory_bytes;   /* cap of the call's arena; 0: from request_bytes */
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
    /* Messages of the type can lie within each other without end, so their depth has to be
     * bounded before they are decoded (pb/shape.h): protobuf-c unpacks by recursion. */
    bool request_recursive;
    bool response_recursive;
    hearth_validate_fn *validate_request; /* or NULL */
    hearth_invoke_fn *invoke;
    hearth_open_fn *open; /* or NULL */
};

/* One per service. */
struct hearth_service {
    const char *name; /* "package.Service" */
    const struct hearth_endpoint *endpoints;
    size_t endpoint_count;
    const uint8_t *
        file_descriptors; /* serialised FileDescriptorSet of its file and imports, for reflection */
    size_t file_descriptors_len;
};

/* ---- loops
 * ------------------------------------------------------------------------------------------------
 */

/* On the caller's event_base, or on one of its own when base is NULL. NULL when out of memory or
 * descriptors. */
struct hearth_loop *hearth_loop_new(struct event_base *base);
/* Everything on the loop must be gone. Does not free a borrowed base. */
void hearth_loop_free(struct hearth_loop *loop);
/* Runs fn on the loop's thread, soon. From any thread. Returns false when out of memory. */
bool hearth_loop_post(struct hearth_loop *loop, void (*fn)(void *arg), void *arg);
/* Runs until hearth_loop_stop() (from any thread). */
void hearth_loop_run(struct hearth_loop *loop);
void hearth_loop_stop(struct hearth_loop *loop);
struct event_base *hearth_loop_base(struct hearth_loop *loop);
/* For who posts to a loop from elsewhere and does not own it: fn runs once, on the thread that
 * frees the loop (a server frees its own), before anything of it goes; when it has returned nothing
 * may be posted any more. NULL when out of memory. Freed by who made it, afterwards or while the
 * loop is there, but not at the same time as the loop. */
struct hearth_loop_watch;
struct hearth_loop_watch *hearth_loop_watch_new(struct hearth_loop *loop, void (*fn)(void *arg),
                                                void *arg);
void hearth_loop_watch_free(struct hearth_loop_watch *watch); /* NULL is fine */

/* A timer of a loop: on the loop's thread only, all four. */
struct hearth_timer;
/* Not set yet. NULL when out of memory. */
struct hearth_timer *hearth_timer_new(struct hearth_loop *loop, void (*fn)(void *arg), void *arg);
/* fn runs once, after so long; what was set before is forgotten. A timer that is set, or that is
 * set anew first thing in its own fn, can't fail. false: out of memory, and nothing changed. */
bool hearth_timer_set(struct hearth_timer *timer, uint32_t ms);
void hearth_timer_stop(struct hearth_timer *timer);
void hearth_timer_free(struct hearth_timer *timer); /* before its loop; NULL is fine */

/* ---- server
 * ------------------------------------------------------------------------------------------------
 */

/* TLS 1.3 only, ALPN h2. Paths of PEM files. */
struct hearth_tls_options {
    const char *certificate_file; /* chain, leaf first */
    const char *key_file;
    const char *ca_file;             /* roots for the other side; client: NULL means the system's */
    bool require_client_certificate; /* server */
    const char *server_name; /* client: name to check and to send as SNI; NULL: the target's host */
    uint32_t record_bytes;   /* records that we send are padded to a multiple of so many; 0: not */
};

/* What runs before a handler, in the order given. Any member may be NULL. Runs on the call's loop.
 */
struct hearth_interceptor {
    /* Headers are here, no body byte is. HEARTH_OK lets the call on; any other code ends it. */
    enum hearth_code (*on_headers)(struct hearth_call *call, void *self);
    /* The bytes of a request message as sent (after decompression), before decoding; number counts
     * from 0. HEARTH_LATER stops here until hearth_call_continue(). The bytes live until then. */
    enum hearth_code (*on_message)(struct hearth_call *call, const uint8_t *bytes, size_t len,
                                   size_t number, void *self);
    /* The call is over, whichever way; its arena is still there. */
    void (*on_end)(struct hearth_call *call, enum hearth_code code, void *self);
    /* Request streams: the client has said its last after so many messages (0: none went through
     * on_message, and still the handler is about to run). HEARTH_OK lets the call on. */
    enum hearth_code (*on_half_close)(struct hearth_call *call, size_t messages, void *self);
    /* The call ends before it was answered: cancelled, deadline passed, connection lost. Who said
     * LATER to its message says hearth_call_continue() here at the latest. */
    void (*on_cancel)(struct hearth_call *call, void *self);
    /* The call is about to be answered with this code: trailers can still be added. Not where it
     * ends without an answer. */
    void (*on_answer)(struct hearth_call *call, enum hearth_code code, void *self);
    void *self;
};

/* Limits of connections and calls; zero members take the default in brackets (docs/limits.md says
 * why). */
struct hearth_server_limits {
    uint32_t connections;            /* in all [8000]; at most 45 % of RLIMIT_NOFILE */
    uint32_t connections_per_prefix; /* per IPv4 address or IPv6 /64 [64] */
    uint32_t prefix_bits_v4;         /* [32] */
    uint32_t prefix_bits_v6;         /* [64] */
    uint32_t accepts_per_s;          /* per prefix [10], burst accepts_burst [30] */
    uint32_t accepts_burst;
    uint32_t handshakes;              /* TLS handshakes under way at once [256] */
    uint32_t handshake_ms;            /* [5000] */
    uint32_t first_request_ms;        /* [10000] */
    uint32_t idle_ms;                 /* without a call [300000] */
    uint32_t keepalive_ms;            /* PING after so much silence while calls are open [60000] */
    uint32_t keepalive_timeout_ms;    /* [20000] */
    uint32_t age_ms;                  /* of a connection, then GOAWAY; 0: none */
    uint32_t streams;                 /* at once per connection [32] */
    uint32_t stream_window_bytes;     /* [65536] */
    uint32_t connection_window_bytes; /* [262144] */
    uint32_t header_bytes;            /* decoded list, name + value + 32 each [8192] */
    uint32_t glitch_burst;            /* misbehaviour credit [100] */
    uint32_t glitches_per_s;          /* [3] */
    uint32_t reset_burst;             /* RST_STREAM received [100] */
    uint32_t resets_per_s;            /* [10] */
    uint32_t slow_body_ms; /* grace before the minimum rate of a request body holds [5000] */
    uint32_t slow_body_bytes_per_s; /* [1024] */
    uint32_t send_buffer_bytes;     /* unsent output of one stream before write says wait [65536] */
    uint32_t unread_ms;             /* a peer that reads nothing while output waits [30000] */
    bool no_limits; /* switch everything off: control runs of the attack tests only */
};

/* How hard pressed a server is. */
enum hearth_pressure {
    HEARTH_PRESSURE_NONE = 0,
    HEARTH_PRESSURE_HIGH = 1, /* connections without a call go after a tenth of idle_ms */
    HEARTH_PRESSURE_FULL = 2  /* and no new ones are accepted */
};

struct hearth_server_options {
    unsigned threads; /* loops [1] */
    struct hearth_server_limits limits;
    const struct hearth_interceptor *interceptors; /* copied */
    size_t interceptor_count;
    bool reflection; /* offer grpc.reflection.v1 and v1alpha */
    /* One plain HTTP page, for whatever probes a server without gRPC; any method, 200 text/plain.
     * Borrowed. */
    const char *page_path; /* "/alive"; NULL: none */
    const void *page;
    size_t page_len;
    bool no_health; /* don't offer grpc.health.v1 */
    void (*log)(void *self,
                const char *line); /* logfmt, no addresses or names of users; NULL: silent */
    void *log_self;
    /* Asked often, on any of the loops; NULL: never pressed. */
    enum hearth_pressure (*pressure)(void *self);
    void *pressure_self;
};

/* options may be NULL. NULL when out of memory. */
struct hearth_server *hearth_server_new(const struct hearth_server_options *options);
/* Before start. false: out of memory or the name is taken. service, impl and self are borrowed. */
bool hearth_server_add(struct hearth_server *server, const struct hearth_service *service,
                       const void *impl, void *self);
/* "127.0.0.1:7443", "[::1]:0", "unix:/path". tls NULL is plaintext with prior knowledge. false: see
 * hearth_server_error(). May be called several times before start. */
bool hearth_server_listen(struct hearth_server *server, const char *address,
                          const struct hearth_tls_options *tls);
/* The port of the n-th listener (for port 0). */
uint16_t hearth_server_port(const struct hearth_server *server, size_t listener);
/* Starts the threads and returns. */
bool hearth_server_start(struct hearth_server *server);
/* Runs on the calling thread's loop instead of own threads; the loop is borrowed and must be run by
 * the caller. */
bool hearth_server_start_on(struct hearth_server *server, struct hearth_loop *loop);
/* Reads certificate and key files again; connections that exist keep theirs. false: the old ones
 * stay. */
bool hearth_server_reload_tls(struct hearth_server *server);
/* Health NOT_SERVING, GOAWAY, stop accepting, let calls finish for up to grace_ms, then close.
 * Returns when all is closed. From any thread but the server's own. */
void hearth_server_drain(struct hearth_server *server, uint32_t grace_ms);
/* Health of one service, or of the whole server with "". */
void hearth_server_set_serving(struct hearth_server *server, const char *service, bool serving);
/* Drains with no grace, joins, frees. Unary calls that said LATER hear on_cancel; they must have
 * been answered, and references to calls given back, before this is called or inside on_cancel. */
void hearth_server_free(struct hearth_server *server);
const char *hearth_server_error(const struct hearth_server *server);

/* ---- a call being answered
 * ----------------------------------------------------------------------------------- */

const struct hearth_endpoint *hearth_call_endpoint(const struct hearth_call *call);
/* Zeroed memory that lives until the call ends; NULL when over the call's cap (the call then fails
 * by itself). */
void *hearth_call_alloc(struct hearth_call *call, size_t len);
char *hearth_call_printf(struct hearth_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Milliseconds until the deadline, 0 when passed, -1 when there is none. */
int64_t hearth_call_deadline_left_ms(const struct hearth_call *call);
/* The n-th value of a request header; `-bin` values come decoded. false if there are not so many.
 */
bool hearth_call_metadata(struct hearth_call *call, const char *name, size_t n,
                          const uint8_t **ret_value, size_t *ret_len);
/* Response headers (before the first message goes out, else false) and trailers. `-bin` values are
 * encoded for you. Copied. */
bool hearth_call_add_header(struct hearth_call *call, const char *name, const void *value,
                            size_t len);
bool hearth_call_add_trailer(struct hearth_call *call, const char *name, const void *value,
                             size_t len);
/* Sends the headers now rather than with the first message. */
void hearth_call_send_headers(struct hearth_call *call);
/* Replies of this call may be compressed (where the endpoint allows it and the client accepts it).
 */
void hearth_call_compress(struct hearth_call *call, bool on);
/* Text of the other side's address without port: "192.0.2.1", "2001:db8::1", "unix"; on pipes what
 * the target says behind '@', or "". Not to be logged. */
const char *hearth_call_peer(const struct hearth_call *call);
/* The verified client certificate's subject common name, or NULL. Lives as long as the connection.
 */
const char *hearth_call_peer_name(const struct hearth_call *call);
/* User id of the process at the other end of a Unix socket, as the kernel knows it; -1 on any other
 * connection. */
int64_t hearth_call_peer_uid(const struct hearth_call *call);
struct hearth_loop *hearth_call_loop(const struct hearth_call *call);
/* Once, when the call ends before the handler answered: cancelled, deadline passed, connection
 * lost. */
void hearth_call_on_cancel(struct hearth_call *call,
                           void (*fn)(struct hearth_call *call, void *arg), void *arg);
bool hearth_call_is_cancelled(const struct hearth_call *call);
/* One pointer of the handler's; release (or NULL) runs when the call ends, whichever way. */
void hearth_call_set_state(struct hearth_call *call, void *state, void (*release)(void *state));
void *hearth_call_state(const struct hearth_call *call);
/* One pointer of the interceptors', for handlers to ask who is calling; into memory that lives as
 * long as the call, such as its arena. NULL until set. */
void hearth_call_set_caller(struct hearth_call *call, const void *caller);
const void *hearth_call_caller(const struct hearth_call *call);

/* How long a call lives: a handler that returned LATER for a unary call
 * owns it until it replies or fails, even when the call was cancelled meanwhile. Any other call is
 * gone after on_cancel and release have run; who wants to speak about it later holds a reference
 * (saying something about an ended call is harmless). On the call's loop only. */
void hearth_call_ref(struct hearth_call *call);
void hearth_call_unref(struct hearth_call *call);
/* The message being handled came compressed. */
bool hearth_call_message_compressed(const struct hearth_call *call);

/* Ends the call with a code and a text for a person. Works in a handler (return what it returns)
 * and later. */
enum hearth_code hearth_call_fail(struct hearth_call *call, enum hearth_code code,
                                  const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with one typed detail in google.rpc.Status. */
enum hearth_code hearth_call_fail_detail(struct hearth_call *call, enum hearth_code code,
                                         const char *text, const ProtobufCMessage *detail);
/* Ends a stream after LATER. */
void hearth_call_finish(struct hearth_call *call, enum hearth_code code);
/* Lets a call on that an interceptor stopped with LATER; a code other than OK ends it. */
void hearth_call_continue(struct hearth_call *call, enum hearth_code code);
/* Request streams: after pause, no further message is delivered and the sender is stopped by flow
 * control once the window is full; resume goes on. */
void hearth_call_pause(struct hearth_call *call);
void hearth_call_resume(struct hearth_call *call);
/* Response streams: called when a write said 0 and there is room again. */
void hearth_call_on_writable(struct hearth_call *call,
                             void (*fn)(struct hearth_call *call, void *arg), void *arg);

/* Behind the generated reply and write functions. reply answers a unary or client-streaming call
 * after LATER. write: 1 go on, 0 taken but wait for on_writable, below 0 the call is over. */
void hearth_call_reply(struct hearth_call *call, const ProtobufCMessage *out);
int hearth_call_write(struct hearth_call *call, const ProtobufCMessage *item);

/* ---- client
 * ----------------------------------------------------------------------------------------------------
 */

struct hearth_metadata {
    const char *name; /* lower case; `-bin` values are given raw */
    const void *value;
    size_t len;
};

/* Sees each attempt of a call before it is sent; may add headers. Runs on the channel's loop.
 * message is the first request message as it will be sent, before compression. HEARTH_OK goes on;
 * any other code ends the call with it. */
struct hearth_signer {
    enum hearth_code (*sign)(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self);
    void *self;
};

/* The zero value is good: no deadline, no metadata, fail fast. Copied at start. */
struct hearth_call_options {
    uint32_t deadline_ms; /* 0: none */
    const struct hearth_metadata *metadata;
    size_t metadata_count;
    struct hearth_signer signer; /* none if sign is NULL */
    struct hearth_call *parent;  /* inherit deadline and cancellation; same loop only */
    bool wait_for_ready;         /* wait for a connection rather than fail with UNAVAILABLE */
    bool no_retry;               /* not even where the endpoint is idempotent */
    bool compress;               /* gzip requests, where the endpoint allows it; single messages
                                    of a stream: hearth_client_call_compress */
    uint32_t max_recv_bytes;     /* 0: the endpoint's response_bytes */
};

struct hearth_channel_options {
    const struct hearth_tls_options *tls; /* copied; NULL is plaintext */
    struct hearth_loop *loop;             /* NULL: own loop, driven by blocking calls */
    const char *authority;                /* :authority; NULL: the target */
    const char *user_agent;               /* put before ours; NULL: none */
    const struct hearth_signer
        *interceptors; /* for every call, before the call's own signer; copied */
    size_t interceptor_count;
    const char *dns_servers;       /* "192.0.2.1:53,[2001:db8::1]:53"; copied; NULL: the host's */
    uint32_t connect_timeout_ms;   /* [20000], per address; 2000 at most while others are left */
    uint32_t backoff_min_ms;       /* [1000] */
    uint32_t backoff_max_ms;       /* [120000] */
    uint32_t keepalive_ms;         /* PING after so much silence while calls are open [0: none] */
    uint32_t keepalive_timeout_ms; /* [20000] */
    uint32_t idle_ms;  /* close the connection when no call was open for so long [1800000]; seen
                          while the loop runs, on an own loop at the next call */
    uint32_t attempts; /* of an idempotent call [4] */
    uint32_t stream_window_bytes;     /* [262144] */
    uint32_t connection_window_bytes; /* [1048576] */
    const char
        *service;     /* SRV name, "_hearth._tcp.example.org": where its records lead (RFC 2782) is
                         tried in the place of the target, unless there are none; copied; not for
                         pipes and sockets. TLS still checks the target's name or server_name */
    bool public_only; /* for targets that strangers name: only addresses that belong to the Internet
                         at large are dialed; not loopback, private, link-local, multicast or the
                         like, nor sockets and pipes. Others fail like ones where nobody answers */
};

/* target: "host:port", "127.0.0.1:50051", "[::1]:50051", "unix:/path". Connects at the first call;
 * a name is looked up then, and anew for each connection, and its addresses are tried in turn.
 * NULL: out of memory or a target that can't be read. Certificate files that can't be used make
 * calls fail with UNAVAILABLE and the reason. options may be NULL. */
struct hearth_channel *hearth_channel_new(const char *target,
                                          const struct hearth_channel_options *options);
/* Cancels what is under way: on_done comes before the return, with CANCELLED. On the loop's thread,
 * or with no loop running. Inside a callback of the loop the channel goes when the callbacks have
 * returned, and on_done comes then; it may not be used any more in between. */
void hearth_channel_free(struct hearth_channel *channel);

/* The generic forms under the generated stubs.
 * -------------------------------------------------------------- */

/* Blocks until the call has ended. *ret_out is NULL unless OK; free with
 * protobuf_c_message_free_unpacked (or the generated free_unpacked). status may be NULL. Returns
 * the code. */
enum hearth_code hearth_channel_call(struct hearth_channel *channel,
                                     const struct hearth_endpoint *endpoint,
                                     const struct hearth_call_options *options,
                                     const ProtobufCMessage *in, ProtobufCMessage **ret_out,
                                     struct hearth_status *status);

/* on_done runs exactly once unless start returned NULL (out of memory); out is NULL unless OK and
 * lives, like status, until on_done returns; the handle is dead from then on. May run before start
 * returns? No: always from the loop. */
typedef void hearth_done_fn(const struct hearth_status *status, const ProtobufCMessage *out,
                            void *arg);
struct hearth_client_call *hearth_channel_start(struct hearth_channel *channel,
                                                const struct hearth_endpoint *endpoint,
                                                const struct hearth_call_options *options,
                                                const ProtobufCMessage *in, hearth_done_fn *on_done,
                                                void *arg);

/* Streaming, event-driven. Any member but on_done may be NULL. */
struct hearth_stream_events {
    void (*on_headers)(struct hearth_client_call *call, void *arg);
    /* item lives until the return. */
    void (*on_message)(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg);
    void (*on_writable)(struct hearth_client_call *call, void *arg);
    /* Last; the handle is dead afterwards. */
    void (*on_done)(struct hearth_client_call *call, const struct hearth_status *status, void *arg);
};
struct hearth_client_call *hearth_channel_open(struct hearth_channel *channel,
                                               const struct hearth_endpoint *endpoint,
                                               const struct hearth_call_options *options,
                                               const struct hearth_stream_events *events,
                                               void *arg);
/* 1 go on, 0 taken but wait for on_writable, below 0 the call is over. */
int hearth_client_call_write(struct hearth_client_call *call, const ProtobufCMessage *item);
/* From the next message on: compressed or not. Only in calls begun with options.compress. */
void hearth_client_call_compress(struct hearth_client_call *call, bool on);
/* In on_message: it came compressed. */
bool hearth_client_call_message_compressed(const struct hearth_client_call *call);
void hearth_client_call_half_close(struct hearth_client_call *call);
/* on_done follows, with CANCELLED, from the loop. */
void hearth_client_call_cancel(struct hearth_client_call *call);
void hearth_client_call_pause(struct hearth_client_call *call);
void hearth_client_call_resume(struct hearth_client_call *call);
/* For signers: adds a header to this attempt. false: out of memory. */
bool hearth_client_call_add_header(struct hearth_client_call *call, const char *name,
                                   const void *value, size_t len);

/* Streaming, blocking; from one thread at a time per stream. */
struct hearth_stream *hearth_stream_open(struct hearth_channel *channel,
                                         const struct hearth_endpoint *endpoint,
                                         const struct hearth_call_options *options);
/* Waits while the window is full. What was written leaves as soon as there is a connection; while
 * one is being made, when the next call on the channel waits. false: the call is over, see finish.
 */
bool hearth_stream_write(struct hearth_stream *stream, const ProtobufCMessage *item);
/* As hearth_client_call_compress. */
void hearth_stream_compress(struct hearth_stream *stream, bool on);
/* The message that hearth_stream_read() gave last came compressed. */
bool hearth_stream_message_compressed(const struct hearth_stream *stream);
void hearth_stream_half_close(struct hearth_stream *stream);
/* Waits for the next message; NULL: no more will come, see finish. The caller frees it. */
ProtobufCMessage *hearth_stream_read(struct hearth_stream *stream);
void hearth_stream_cancel(struct hearth_stream *stream);
/* Half-closes, waits for the end (messages not read are dropped), frees the stream. status may be
 * NULL. */
enum hearth_code hearth_stream_finish(struct hearth_stream *stream, struct hearth_status *status);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
