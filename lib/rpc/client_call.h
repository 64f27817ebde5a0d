/* struct hearth_client_call from the inside. No I/O: the channel (lib/net/channel) decides when and
 * on which connection an attempt starts, and hears how it ended.
 *
 * Life: made by the channel, waits, has at most one attempt (a stream) at a time, ends once;
 * on_over hands it back to the channel, which either tries again (client_call_may_retry) or tells
 * the caller and frees it.
 */
#ifndef RPC_CLIENT_CALL_H
#define RPC_CLIENT_CALL_H

#include "base/arena.h"
#include "rpc/call.h"
#include "rpc/client_conn.h"
#include "rpc/frame.h"
#include "rpc/metadata.h"
#include "rpc/outbox.h"

enum { CLIENT_SEND_BUFFER_BYTES = 64 * 1024 };

struct client_call_owner {
    /* The attempt, or the call before it had one, is over; status is set. Called at most once per
     * attempt. */
    void (*on_over)(struct hearth_client_call *call);
    struct rpc_env *env;
    const struct hearth_signer *interceptors;
    size_t interceptor_count;
    const char *scheme, *authority, *user_agent;
};

struct hearth_metadata_list {
    struct arena arena;
    struct metadata entries;
    size_t headers; /* the first so many came as headers, the rest as trailers */
};

struct hearth_client_call {
    struct hearth_client_call *next, *prev; /* in conn->calls or the channel's waiting list */
    const struct client_call_owner *owner;
    const struct hearth_endpoint *row;
    struct client_conn *conn; /* of the attempt under way */
    int32_t id;
    struct arena arena; /* what lives as long as the call */
    struct arena attempt_arena;

    /* options */
    struct metadata headers;
    struct hearth_signer signer;
    struct call_child child;
    uint32_t max_recv_bytes;
    uint64_t deadline_us; /* 0: none */
    struct timer deadline;
    bool wait_for_ready, no_retry;
    bool compress; /* grpc-encoding is gzip */
    bool plain;    /* the next messages are not compressed all the same */

    /* request */
    struct outbox out;
    struct bytes first_message;     /* what signers see; kept while there may be another attempt */
    struct metadata signed_headers; /* of this attempt */
    bool half_closed;
    bool write_blocked, tell_writable;

    /* response */
    struct frame_reader reader;
    struct buf held;
    struct hearth_metadata_list *metadata;
    unsigned http_status;
    bool got_headers, got_status, got_type;
    bool stream_ended; /* END_STREAM came */
    bool gzip;
    bool paused, handling;
    bool got_message;          /* the caller has seen a response message */
    bool cancelled;            /* by the caller */
    ProtobufCMessage *message; /* unary: the one response */
    struct hearth_status status;
    uint32_t pushback_ms;  /* grpc-retry-pushback-ms; UINT32_MAX: none */
    bool never_processed;  /* the server says it has not looked at it */
    bool closed, finished; /* the peer's side is done with the stream; on_over was called for it */
    uint32_t close_code;   /* RST_STREAM's */
    bool over;             /* status is final for this attempt */

    /* the caller's */
    hearth_done_fn *on_done;
    struct hearth_stream_events events;
    void *arg;
    bool streaming; /* made by open rather than start */

    /* the channel's */
    struct hearth_channel *channel;
    struct hearth_client_call *all_next, *all_prev;
    bool waiting;      /* in the channel's waiting list, by next and prev */
    bool keep_item;    /* set inside on_message: the item is not freed, its taker frees it */
    bool orphan;       /* its parent was cancelled before it began */
    bool unfit;        /* metadata was given that can't be sent */
    uint32_t attempts; /* streams begun */
    uint32_t retries;  /* times it was queued again, whether or not a stream began */
    struct timer retry;
};

/* options may be NULL. NULL when out of memory or the options are bad. Packs nothing yet. */
struct hearth_client_call *client_call_new(const struct client_call_owner *owner,
                                           const struct hearth_endpoint *row,
                                           const struct hearth_call_options *options);
/* Frees it and what it holds. It must not have a stream. */
void client_call_free(struct hearth_client_call *call);
/* Adds a request message. 1, 0 or below 0, as hearth_client_call_write. */
int client_call_write(struct hearth_client_call *call, const ProtobufCMessage *item);
/* Starts an attempt on a connection with room. On failure the call is over (on_over has run). */
void client_call_attempt(struct hearth_client_call *call, struct client_conn *conn);
/* Signers see the first message, so a request stream with signers waits for it. */
bool client_call_can_attempt(const struct hearth_client_call *call);
/* Ends it from our side: resets the stream if there is one. */
void client_call_end(struct hearth_client_call *call, enum hearth_code code, const char *message);
/* After on_over: may the same call be tried again, as far as it and its endpoint are concerned? */
bool client_call_may_retry(const struct hearth_client_call *call);
/* Forgets the attempt that failed. */
void client_call_rewind(struct hearth_client_call *call);

/* client_response.c: for client_conn.c */
void client_call_on_header(struct hearth_client_call *call, struct bytes name, struct bytes value);
void client_call_on_headers(struct hearth_client_call *call, bool trailers, bool over,
                            bool end_stream);
void client_call_on_data(struct hearth_client_call *call, const uint8_t *data, size_t len);
void client_call_on_close(struct hearth_client_call *call, uint32_t error_code);
/* Delivers what was held back while paused. */
void client_call_pump(struct hearth_client_call *call);
/* Sets the status once; code OK may still become an error by it. */
void client_call_set_status(struct hearth_client_call *call, enum hearth_code code,
                            const char *message);

#endif
