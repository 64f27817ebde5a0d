/* The front: what every call passes before its service sees it, and what every service is given.
 *
 *     headers        -> client version -> overload ladder -> limits of the source
 *     first message  -> SHA-256 of its bytes -> hearth-auth-bin parsed, kind, audience, time window
 *                    -> the caller's key looked up (store read) -> signature -> nonce -> limits of
 *                    the principal -> the handler may see it
 *
 * One interceptor (front_interceptor) does all of that before decoding. Everything wrong with who
 * is calling is answered alike, ERR_FRONT_UNAUTHENTICATED, and at like cost: whatever is wrong is
 * only remembered until a verification has been done, with a key of ours where there is no other.
 * Kinds `member` and `joiner` are verified by the delivery service, whose state has the key:
 * front_verify(). Unsigned kinds pass with the caller's kind alone; hearth-auth-bin where no kind
 * of the row signs is refused, too, for it would tie a name to what should have none.
 *
 * Of streams the first message is admitted and later ones pass. A stream's `open` runs before that:
 * its handler learns nothing of the caller there. A stream that ends without a message is refused
 * where the row wants a signature.
 *
 * Replays: a nonce is remembered for twice the window on the monotonic clock, after the signature
 * held. What was signed before this process began is refused, as its nonces are not known. (When
 * the wall clock is set back by more than the window, requests of that time could be replayed once;
 * changing requests are safe by their idempotency id.)
 *
 * Threads: handlers run on the call's loop; a front is shared by all loops of a server.
 */
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

#include "base/clock.h"
#include "hearth/rpc.h"
#include "seal/request_auth.h"
#include "server/front/ladder.h"
#include "server/front/limit.h"
#include "server/front/metrics.h"
#include "server/keeper/keeper.h"
#include "store/store.h"

struct front;
struct pass_issuer_key;

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
    /* tests: every limit and check of admission off, for control runs: who says to be somebody is.
     */
    bool control;
    uint32_t prefix_bits_v4, prefix_bits_v6; /* [32], [64] */
    /* logfmt without time and newline, never an id, name or address; from any thread, at most
     * FRONT_LOGS_PER_S. NULL: silent. */
    void (*log)(void *self, const char *line);
    void *log_self;
    uint64_t (*memory_bytes)(void *self); /* tests: what the ladder sees [resident memory] */
    void *memory_self;
};
enum { FRONT_LOGS_PER_S = 20 };

/* env: filled but for env->front, which is set. */
CHECKED struct err front_new(struct front_env *env, const struct front_options *options,
                             struct front **ret_front);
/* After the server and the stores, when the loops have run what was posted to them, or are gone.
 * What stores finished for loops that went before (a server's own) is told here: what jobs point to
 * lives until then. */
void front_free(struct front *front);
/* For hearth_server_options.interceptors. */
struct hearth_interceptor front_interceptor(struct front *front);

/* ---- who is calling */

/* Lives in the call's arena. */
struct front_caller {
    enum request_caller kind; /* 0: unsigned */
    struct bytes id;
    uint8_t
        body_hash[REQUEST_BODY_HASH_BYTES]; /* of the first message, also where it is unsigned */
    bool verified;       /* the signature holds; for members, joiners and those left to the handler
                            by front_key_later() only after front_verify */
    uint64_t principal;  /* for store_work.principal: PRF of kind and id where it is verified, else
                            of the source prefix */
    struct bytes source; /* the prefix the call comes from: for limits of rows named _PREFIX */
};
/* In a handler. Never NULL there; of a server without a front: nobody, unsigned. */
const struct front_caller *front_caller(struct hearth_call *call);

/* Verifies a member's or joiner's request under a key from the opened state, or one that its key
 * source left to the handler (front_key_later); remembers the nonce, and sets verified. May be
 * asked again with another key, of a state that was read anew. From any thread, the store's too,
 * while the handler owes the answer, one at a time. Everything that goes wrong is
 * ERR_FRONT_UNAUTHENTICATED, but ERR_FRONT_OVERLOAD when no more nonces can be remembered, and
 * ERR_NO_MEMORY. */
CHECKED struct err front_verify(struct hearth_call *call, const struct sig_alg *alg,
                                struct bytes public_key);
/* Burns the time of a verification where there is no key to verify with. */
void front_verify_dummy(void);

/* A service registers how keys of its caller kinds are found. find runs on the call's loop and must
 * call front_key() once (or one of the two below it), there, soon; public_key empty: unknown. id
 * lives until then. */
struct front_pending;
struct front_key_source {
    void (*find)(void *self, struct front_pending *pending, enum request_caller kind,
                 struct bytes id);
    /* or NULL: a signature did not hold under the key that find gave. On the call's loop. */
    void (*failed)(void *self, enum request_caller kind, struct bytes id);
    void *self;
};
CHECKED struct err front_add_keys(struct front *front, enum request_caller kind,
                                  struct front_key_source source);
/* On the call's loop; when the call has ended meanwhile (which nobody tells) from any thread, as
 * long as it comes. pending is gone afterwards; alg and public_key are read before it returns. */
void front_key(struct front_pending *pending, const struct sig_alg *alg, struct bytes public_key);
/* Instead of front_key(): the handler verifies, by front_verify(), under a key that is not known
 * before the body is decoded (CreateHandle brings it along). */
void front_key_later(struct front_pending *pending);
/* Instead of front_key(): it could not be looked up (no memory, the store is full or has stopped).
 * The call is answered by that row: nobody is told to be unknown who is not. A call that is wrong
 * whatever the key is answers as ever. */
void front_key_failed(struct front_pending *pending, struct err err);
/* In a handler that front_key_later() left a call to, on the call's loop, once front_verify() held:
 * the caller is one like those the front verifies, with their principal and limits. HEARTH_OK, or
 * the call has ended with that. */
enum hearth_code front_admit_verified(struct hearth_call *call);
struct hearth_loop *front_pending_loop(const struct front_pending *pending);
/* The row that is called: a source may answer by it. */
const struct hearth_endpoint *front_pending_endpoint(const struct front_pending *pending);

/* ---- limits of the services */

/* For limit_take() and limit_value() in handlers; lives as long as the front. */
struct limits *front_limits(struct front *front);
/* limit_take(), and where there is nothing left ends the call with RetryAfter, or QuotaExceeded
 * where there will never be so much: enum hearth_code code = front_limit(call, LIMIT_X, principal,
 * 1); if (code != HEARTH_OK) return code; On the call's loop. */
enum hearth_code front_limit(struct hearth_call *call, enum limit limit, struct bytes principal,
                             uint32_t cost);

/* ---- tokens (charge.h) */

/* The operator's switch: do calls cost tokens? From any thread. */
void front_set_tokens(struct front *front, bool on);
bool front_tokens(const struct front *front);
/* By how much prices have risen, for everybody: 1 to PRICE_FACTOR. */
uint32_t front_price_factor(struct front *front);
/* The price of a cost class (hearth.Cost) now. */
uint32_t front_price(struct front *front, uint8_t cost);
/* A private token key of three days; ERR_PASS_KEY and the keeper's. Wipe the copy. */
CHECKED struct err front_token_key(struct front *front, uint8_t class, uint32_t period,
                                   struct pass_issuer_key *ret_key);

/* ---- loops and stores */

/* The inbox that brings completions of any store to this loop; made at the first call, freed by
 * front_free. */
CHECKED struct err front_inbox(struct front *front, struct hearth_loop *loop,
                               struct inbox **ret_inbox);

/* ---- answers */

/* Ends the call with what err says: gRPC status of err.def, its text (of our own faults only that
 * there was one), RetryAfter of a second where it may be retried, and logs by class. Returns what
 * the handler returns, never HEARTH_OK. */
enum hearth_code front_fail(struct hearth_call *call, struct err err);
/* With a typed detail (common.proto). */
enum hearth_code front_fail_detail(struct hearth_call *call, struct err err,
                                   const ProtobufCMessage *detail);
/* With RetryAfter: for ERR_LIMIT from limit_take() inside a transaction. */
enum hearth_code front_fail_later(struct hearth_call *call, struct err err, uint32_t seconds);

/* ---- for main */

/* Limits with long windows outlive the process (limit.h): what to write into a file of main's now
 * and then and at the end, sealed under the keeper's KEEPER_LIMITS; and to read at the start,
 * before the server serves. Need env->keeper. Load: ERR_CRYPTO_TAG or wire errors, and the limits
 * begin anew. */
CHECKED struct err front_save(struct front *front, struct buf *out);
CHECKED struct err front_load(struct front *front, struct bytes in);
/* Numbers of services go here, too (metrics.h). */
struct metrics *front_metrics(struct front *front);
/* Every number but histograms and those of calls, as it is now, for the operator's status. */
void front_each(struct front *front, void (*say)(void *to, const char *name, uint64_t value),
                void *to);
/* Appends the metrics page. */
void front_page(struct front *front, struct buf *page);
/* The highest rung of the overload ladder over all loops (ladder.h). */
enum front_rung front_rung(const struct front *front);
/* For hearth_server_options.pressure, with the front as pressure_self: what the ladder wants of
 * connections. */
enum hearth_pressure front_pressure(void *front);
/* A line for the log, in logfmt: "level=info event=started". */
void front_log(struct front *front, const char *line);

#endif
