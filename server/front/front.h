/* The front: what every call passes before its service sees it, and what every service is given.
 *
 *     headers        -> limits of the source and of the endpoint's row -> overload ladder
 *     first message  -> SHA-256 of its bytes -> hearth-auth-bin parsed, audience, time window ->
 * the caller's key looked up (store read) -> signature, nonce -> limits of the principal -> the
 * handler may see it
 *
 * One interceptor (front_interceptor) does all of that before decoding. Unknown callers and wrong
 * signatures answer alike, at like cost (a dummy verification). Kinds `member` and `joiner` are
 * verified by the delivery service, whose state has the key: front_verify(). Unsigned kinds pass
 * with the caller's kind alone.
 *
 * Threads: handlers run on the call's loop; a front is shared by all loops of a server.
 */
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

#include "base/clock.h"
#include "hearth/rpc.h"
#include "seal/request_auth.h"
#include "server/front/limit.h"
#include "server/keeper/keeper.h"
#include "store/store.h"

struct front;

/* What every service is given; borrowed, outlives all. */
struct front_env {
    const char *domain; /* ours */
    bool development;
    const struct clock *clock;
    const struct rng *rng; /* thread-safe where the server has several loops */
    struct keeper *keeper;
    struct front *front;
};

struct front_options {
    bool control; /* tests: every limit and check of admission off, for control runs */
    uint32_t prefix_bits_v4, prefix_bits_v6;   /* [32], [64] */
    void (*log)(void *self, const char *line); /* logfmt, never an id, name or address */
    void *log_self;
};

/* env: filled but for env->front, which is set. */
CHECKED struct err front_new(struct front_env *env, const struct front_options *options,
                             struct front **ret_front);
void front_free(struct front *front); /* after the server and the stores */
/* For hearth_server_options.interceptors. */
struct hearth_interceptor front_interceptor(struct front *front);

/* ---- who is calling */

/* Lives in the call's arena. */
struct front_caller {
    enum request_caller kind; /* 0: unsigned */
    struct bytes id;
    uint8_t
        body_hash[REQUEST_BODY_HASH_BYTES]; /* of the first message, also where it is unsigned */
    bool verified;      /* the signature holds; for members, joiners and those left to the handler
                           by front_key_later() only after front_verify */
    uint64_t principal; /* for store_work.principal: PRF of kind and id, or of the source prefix */
};
/* In a handler. Never NULL there. */
const struct front_caller *front_caller(struct hearth_call *call);

/* Verifies a member's or joiner's request under a key from the opened state, or one that its key
 * source left to the handler (front_key_later); remembers the nonce. Everything that goes wrong is
 * ERR_FRONT_UNAUTHENTICATED. */
CHECKED struct err front_verify(struct hearth_call *call, const struct sig_alg *alg,
                                struct bytes public_key);
/* Burns the time of a verification where there is no key to verify with. */
void front_verify_dummy(void);

/* A service registers how keys of its caller kinds are found. find runs on the call's loop and must
 * call front_key() once, there, soon; public_key empty: unknown. id lives until then. */
struct front_pending;
struct front_key_source {
    void (*find)(void *self, struct front_pending *pending, enum request_caller kind,
                 struct bytes id);
    void *self;
};
CHECKED struct err front_add_keys(struct front *front, enum request_caller kind,
                                  struct front_key_source source);
void front_key(struct front_pending *pending, const struct sig_alg *alg, struct bytes public_key);
/* Instead of front_key(): the handler verifies, by front_verify(), under a key that is not known
 * before the body is decoded (CreateHandle brings it along). */
void front_key_later(struct front_pending *pending);
struct hearth_loop *front_pending_loop(const struct front_pending *pending);
/* The row that is called: a source may answer by it. */
const struct hearth_endpoint *front_pending_endpoint(const struct front_pending *pending);

/* ---- limits of the services */

/* For limit_take() and limit_value() in handlers; lives as long as the front. */
struct limits *front_limits(struct front *front);

/* ---- loops and stores */

/* The inbox that brings completions of any store to this loop; made at the first call, freed by
 * front_free. */
CHECKED struct err front_inbox(struct front *front, struct hearth_loop *loop,
                               struct inbox **ret_inbox);

/* ---- answers */

/* Ends the call with what err says: gRPC status of err.def, its text, RetryAfter where it may be
 * retried, and logs by class. Returns what the handler returns. */
enum hearth_code front_fail(struct hearth_call *call, struct err err);
/* With a typed detail (common.proto). */
enum hearth_code front_fail_detail(struct hearth_call *call, struct err err,
                                   const ProtobufCMessage *detail);

#endif
