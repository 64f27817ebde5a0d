/* Calls to homeservers: which connection, whose signature.
 *
 * A connection is shared by calls of one purpose only (ME5: one pseudonym or one anonymous purpose
 * per connection): the account, the queue, each chat, each handle, and anonymous calls of each
 * method have their own to a domain, closed after a minute of silence.
 *
 * A signed call without a purpose is refused: on the connection of the anonymous ones it would tell
 * who makes those.
 *
 * Everything runs on one loop; completions come from it.
 */
#ifndef CLIENT_API_API_H
#define CLIENT_API_API_H

#include "base/clock.h"
#include "base/rng.h"
#include "hearth/rpc.h"
#include "seal/request_auth.h"

struct api;

enum { API_TOKEN_BYTES = 101, API_TOKENS_MOST = 32 };

struct api_options {
    struct hearth_loop *loop;
    const struct clock *clock;
    const struct rng *rng;
    const char *ca_file;     /* NULL: the system's */
    const char *homeservers; /* "a.test=127.0.0.1:7443,b.test=pipe:b"; others by DNS; targets that
                                begin with "pipe:" go without TLS (tests) */
    const char *user_agent;
    const char *dns_servers; /* NULL: the host's */
};
/* A domain that the list does not have: where the SRV records of _hearth._tcp.DOMAIN lead, or,
 * where there are none, the domain itself at port 443; TLS checks the domain's own name in either
 * case.
 *
 * ERR_ARGUMENT for a list that can't be read. Everything is copied but loop, clock and rng. Names
 * of development (`*.test`, `localhost`) are called only where the list has them: nobody out there
 * makes us knock at our own machine. */
CHECKED struct err api_new(const struct api_options *options, struct api **ret_api);
/* Cancels what is under way: done and on_done of each come, with CANCELLED, before it returns or,
 * inside a callback of the loop, when that has returned. */
void api_free(struct api *api);

/* Tests: nothing leaves any more (ERR_RPC_CLOSED), as if the process were gone. */
void api_silence(struct api *api);

/* Since api_new. */
struct api_costs {
    uint64_t calls;               /* unary ones, and streams begun */
    uint64_t bytes_out, bytes_in; /* of messages of unary calls that ended */
};
const struct api_costs *api_costs(const struct api *api);

/* Who signs; the zero value: nobody. Borrowed until the call's end. */
struct api_caller {
    enum request_caller kind; /* 0: unsigned */
    struct bytes id;
    const struct sig_key *key;
};

/* Where to. purpose: 16 bytes that only calls of one purpose share; NULL: anonymous. */
struct api_to {
    const char *domain;
    const uint8_t *purpose;
    struct api_caller caller;
    uint32_t deadline_ms; /* 0: 20,000; of a stream: none */
    struct bytes tokens;  /* API_TOKEN_BYTES each, at most API_TOKENS_MOST: hearth-token-bin; the
                             same with each attempt. Copied */
    bool receipt;         /* a signed one is wanted if the call is refused (seal/receipt.h) */
    bool receipt_always;  /* ... and if it is accepted */
};

/* A unary call. done runs once, from the loop, unless an error is returned (ERR_DOMAIN,
 * ERR_NO_MEMORY; ERR_ARGUMENT: signed and anonymous, or too many tokens) or the call is cancelled.
 * out lives until it returns. */
typedef void api_done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg);
struct api_call; /* ends with done or api_cancel */
CHECKED struct err api_start(struct api *api, const struct api_to *to,
                             const struct hearth_endpoint *endpoint, const ProtobufCMessage *in,
                             api_done *done, void *arg, struct api_call **ret_call);
/* done is not called any more. */
void api_cancel(struct api_call *call);

/* A stream, with the events of rpc.h; the signature covers the first message written. caller's
 * contents must live until on_done, and so must events. hearth_client_call_cancel and the like work
 * as ever. */
CHECKED struct err api_open(struct api *api, const struct api_to *to,
                            const struct hearth_endpoint *endpoint,
                            const struct hearth_stream_events *events, void *arg,
                            struct hearth_client_call **ret_call);

/* "Delivery", "SendMessage"; NULL for none. Service names without package. */
const struct hearth_endpoint *api_endpoint(const char *service, const char *method);

#endif
