/* One HTTP/2 connection: bytes in, bytes out, no I/O. The only file that knows nghttp2 is its .c.
 *
 * The transport (lib/net/rpc_conn, lib/net/pipe) drives it: h2_receive() with what arrived,
 * h2_produce() for what is to be sent, h2_lost() when the other side is gone. The role above it
 * (server_conn, client_conn) gets streams, headers and data. Abuse that nghttp2 does not count is
 * counted here (docs/http2.md): every frame that costs us more than its sender takes credit from a
 * bucket, and an empty bucket ends the connection with ENHANCE_YOUR_CALM.
 *
 * Callbacks run inside h2_receive() and h2_produce(); neither may be called from them. A role that
 * has output for the peer at any other time calls h2_wake(). One thread.
 */
#ifndef RPC_H2_H
#define RPC_H2_H

#include <sys/types.h>

#include "base/bucket.h"
#include "base/bytes.h"
#include "rpc/env.h"

struct h2;
struct nghttp2_session;

/* RFC 9113 7 */
enum h2_error {
    H2_NO_ERROR = 0,
    H2_PROTOCOL_ERROR = 1,
    H2_INTERNAL_ERROR = 2,
    H2_STREAM_CLOSED = 5,
    H2_REFUSED_STREAM = 7,
    H2_CANCEL = 8,
    H2_ENHANCE_YOUR_CALM = 11,
};

struct h2_header {
    struct bytes name, value;
    bool borrowed; /* lives until the stream is closed: not copied */
};

enum h2_body_end {
    H2_BODY_MORE,
    H2_BODY_OVER,     /* END_STREAM with the last byte */
    H2_BODY_TRAILERS, /* h2_trailers() was called: they carry it */
};

struct h2_role {
    /* A stream of the peer begins; what is returned is handed to the callbacks below. NULL refuses
     * it. Servers only. */
    void *(*on_begin)(struct h2 *h, int32_t id);
    void (*on_header)(struct h2 *h, void *stream, struct bytes name, struct bytes value);
    /* A header block is complete. trailers: a second one. over: it was larger than the limit and is
     * not all there. */
    void (*on_headers)(struct h2 *h, void *stream, bool trailers, bool over, bool end_stream);
    /* Body bytes. The window of the stream is given back by h2_consume(), that of the connection at
     * once. */
    void (*on_data)(struct h2 *h, void *stream, const uint8_t *data, size_t len);
    void (*on_end)(struct h2 *h, void *stream);
    /* The stream is gone and its pointer with it. */
    void (*on_close)(struct h2 *h, void *stream, uint32_t error_code);
    /* Server: our side of the stream has ended; the peer's may still be open. */
    void (*on_answered)(struct h2 *h, void *stream);
    /* At the end of each h2_produce(): a place to make more output, outside of nghttp2's callbacks.
     */
    void (*after_produce)(struct h2 *h);
    /* Fills buf with up to len bytes of body. Returns how many; 0 with H2_BODY_MORE means wait
     * until h2_resume(). Any other end: the bytes returned are the last. */
    size_t (*read_body)(struct h2 *h, void *stream, uint8_t *buf, size_t len,
                        enum h2_body_end *ret_end);
    /* The peer sent GOAWAY: streams above last_id were not processed. */
    void (*on_goaway)(struct h2 *h, int32_t last_id, uint32_t error_code);
    void (*on_settings)(struct h2 *h);
    void (*on_pong)(struct h2 *h);
};

struct h2_limits {
    uint32_t streams;
    uint32_t stream_window_bytes;
    uint32_t connection_window_bytes;
    uint32_t header_bytes;
    uint32_t glitch_burst, glitches_per_s;
    uint32_t reset_burst, resets_per_s;
    bool off; /* count nothing: control runs */
};

/* Where the stream of bytes stands in its frames, and what the peer has ended; see h2_scan.h. */
enum { H2_ENDED_SLOTS = 64 };
struct h2_scan {
    uint8_t head[9 + 4]; /* of the frame; with PRIORITY its dependency too */
    uint8_t have;        /* bytes of it */
    uint8_t type, flags;
    int32_t id;
    uint32_t length;    /* of the frame's payload */
    uint32_t left;      /* bytes of it, or of the preface, that are still to come */
    int32_t highest_id; /* of all HEADERS */
    /* by id, the last ones: streams with END_STREAM or RST_STREAM by the peer */
    int32_t ended[H2_ENDED_SLOTS];
    int64_t late_cost; /* of frames that came, less those that nghttp2 took */
    struct bucket late;
};

enum { H2_CLOSED_RING = 64, H2_OUTPUT_BYTES = 64 * 1024 };

struct h2 {
    struct nghttp2_session *session;
    const struct h2_role *role;
    const struct h2_limits *limits;
    struct rpc_env *env;
    /* of the transport */
    void (*on_wake)(void *transport);
    void *transport;
    uint64_t blocked_us; /* since when the transport can't write; 0: it can */
    /* state */
    bool server;
    bool dead;  /* terminated: drain output, then close */
    bool abuse; /* by the glitch accounting */
    bool goaway_sent;
    bool woken;
    bool header_over;
    uint64_t now_us;       /* at the start of the current h2_receive or h2_produce */
    uint64_t heard_us;     /* last time bytes arrived */
    uint32_t header_bytes; /* of the block being received */
    uint32_t streams_open;
    struct bucket glitches, resets;
    bool settings_acked;     /* the peer knows our limits */
    uint32_t early_refusals; /* streams refused before that, free of charge */
    uint32_t ping_credit, window_credit, short_credit; /* earned by what we send */
    uint32_t short_bytes;                              /* sent towards the next short_credit */
    uint32_t pings_out;                                /* of ours, not answered yet */
    uint64_t headers_us; /* servers: since when a header block is coming; 0: none */
    struct h2_scan scan; /* servers */
    int32_t closed[H2_CLOSED_RING];
    uint32_t closed_at;
};

/* Before the first server's session: what nghttp2 frees of such is wiped from now on (ME4). */
void h2_wipe_freed(void);

/* session, callbacks and SETTINGS. role, limits, env are borrowed. ERR_NO_MEMORY. */
CHECKED struct err h2_init(struct h2 *h, bool server, const struct h2_role *role,
                           const struct h2_limits *limits, struct rpc_env *env);
/* Frees the session. Open streams get no on_close: the role ends them first. */
void h2_clear(struct h2 *h);

/* ---- for the transport ---- */

/* ERR_RPC_PROTOCOL or ERR_RPC_ABUSE: flush h2_produce() and close. */
CHECKED struct err h2_receive(struct h2 *h, const uint8_t *data, size_t len);
/* Writes output to room, as much as is there and fits; returns bytes written. Call until 0 or until
 * the peer can't take more. cap is at least H2_OUTPUT_BYTES. */
CHECKED struct err h2_produce(struct h2 *h, uint8_t *room, size_t cap, size_t *ret_len);
/* Nothing more will be read or written: close. */
bool h2_finished(const struct h2 *h);
/* There may be output. */
bool h2_has_output(const struct h2 *h);

/* ---- for the role ---- */

void h2_wake(struct h2 *h);
/* Response head; end: no body and no trailers. */
CHECKED struct err h2_respond(struct h2 *h, int32_t id, const struct h2_header *headers,
                              size_t count, bool end, void *stream);
/* Must be called from read_body when it sets *ret_end. */
CHECKED struct err h2_trailers(struct h2 *h, int32_t id, const struct h2_header *headers,
                               size_t count);
/* Client: a request with a body. */
CHECKED struct err h2_request(struct h2 *h, const struct h2_header *headers, size_t count,
                              void *stream, int32_t *ret_id);
void h2_resume(struct h2 *h, int32_t id);
void h2_consume(struct h2 *h, int32_t id, size_t len);
void h2_reset(struct h2 *h, int32_t id, enum h2_error error);
/* Client: resets a stream that its owner has no more use for. Nothing is said about it any more, no
 * on_close either, so that what belongs to it may be freed before the reset is on its way. */
void h2_abandon(struct h2 *h, int32_t id, enum h2_error error);
void h2_ping(struct h2 *h);
/* Client: may another request be sent now? */
bool h2_can_request(const struct h2 *h);
/* First step of a graceful shutdown: GOAWAY with the largest id, so that nothing under way is lost.
 */
void h2_goaway_notice(struct h2 *h);
/* Second step: GOAWAY with the last id that was accepted. */
void h2_goaway(struct h2 *h, enum h2_error error);
/* Takes misbehaviour credit; ends the connection when it is used up. */
void h2_glitch(struct h2 *h, uint32_t weight);
/* A reset or early end of a stream that costs us; a bucket of its own. */
void h2_count_reset(struct h2 *h);

#endif
