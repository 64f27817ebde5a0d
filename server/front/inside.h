/* The front from the inside: shared by the files of this folder only. */
#ifndef FRONT_INSIDE_H
#define FRONT_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "hearth/options.pb-c.h"
#include "server/front/front.h"
#include "server/front/nonce_table.h"
#include "server/front/price.h"
#include "server/front/token_keys.h"

enum {
    FRONT_LOOPS = 256,
    FRONT_KINDS = 10,               /* values of enum request_caller are below */
    FRONT_KNOWN = 1 << 16,          /* callers remembered as verified */
    FRONT_LARGE_BYTES = 256 * 1024, /* request_bytes of rows whose calls are counted */
    FRONT_LARGE_SLOTS = 4096,
    FRONT_SOURCE_BYTES = 64, /* address family and prefix, or the text of another sort of address */
    LOAD_SAMPLE_MS = 100,
    LOAD_FRESH_US = 3000000, /* so long a sample says something */
};

enum {
    /* kinds of enum request_caller that sign */
    SIGNED_KINDS = 0x3fc,
    UNVERIFIED_KINDS = 1 << REQUEST_MEMBER | 1 << REQUEST_JOINER,
    OPERATOR = 1 << HEARTH__CALLER__CALLER_OPERATOR,
};

/* Does a row want a signature? */
static inline bool admission_signs(uint32_t callers)
{
    return (callers & SIGNED_KINDS) != 0;
}

/* What is kept for each loop that calls come from. Made at its first call, freed by front_free().
 */
struct front_loop {
    struct front *front;
    _Atomic(struct hearth_loop *) loop; /* NULL once it is gone */
    struct inbox *inbox;                /* made when asked for */
    struct hearth_loop_watch *watch;
    pthread_mutex_t post_lock; /* held to post and to let go: stores outlive a server's loops */
    /* the loop's thread only */
    struct hearth_timer *timer; /* exists only while calls are open: it must not outlive the loop */
    uint64_t due_us;            /* when the timer should fire; 0: not set */
    unsigned open_calls, new_calls;
    struct admission *silent, *silent_last; /* streams without a message yet, oldest first */
    struct ladder ladder;
    /* any thread */
    _Atomic unsigned rung;
    _Atomic uint64_t sampled_us;
};

struct front {
    const struct front_env *env;
    struct front_options options;
    struct limits *limits;
    struct metrics *metrics;
    struct nonce_table nonces;
    struct hmac prf; /* prepared: principals */
    uint64_t began_ms;
    struct front_key_source sources[FRONT_KINDS];
    _Atomic uint64_t known[FRONT_KNOWN]; /* principals; lossy, a newer one replaces an older */
    /* large calls at once, by principal of the source; sources that share a slot share its room */
    _Atomic uint32_t large[FRONT_LARGE_SLOTS];
    pthread_mutex_t lock; /* guards the making of loops, and the logs */
    _Atomic(struct front_loop *) loops[FRONT_LOOPS];
    uint64_t log_second;
    unsigned log_lines;
    _Atomic uint64_t memory_bytes, memory_us; /* of the last look */
    struct token_keys token_keys;
    _Atomic bool tokens;
    _Atomic uint64_t price;               /* price_now.c */
    _Atomic uint64_t call_us, call_at_us; /* what small calls take; when the last one ended */
};

/* A look-up under way. It outlives its call: the service that looks up always answers. */
struct front_pending {
    struct admission *admission; /* NULL: the call has ended */
    struct hearth_loop *loop;
    const struct hearth_endpoint *endpoint;
};

/* A call between its headers and its end; in its arena. */
struct admission {
    struct front_caller caller;    /* first: what front_caller() gives */
    struct hearth_call *call;      /* on its loop only */
    struct front_pending *pending; /* its key is being looked up; owned by who does */
    struct admission *next, *prev; /* in at->silent */
    bool silent;
    _Atomic uint32_t *large; /* its slot of front->large, or NULL */
    struct front *front;
    struct front_loop *at;
    struct call_metrics *metrics;
    const char *path;
    uint64_t begun_us;
    uint64_t heard_us;        /* first message; 0: none yet */
    struct request_auth auth; /* views of the headers */
    uint64_t claimed;         /* principal of the caller it claims to be */
    bool has_auth, auth_ok;   /* present; parsed */
    bool wrong;               /* it will be refused once a verification is done */
    bool admitted;
    bool nonce_kept;
    uint8_t source[FRONT_SOURCE_BYTES];
};

/* front.c. NULL: out of memory or too many loops. */
struct front_loop *front_loop_of(struct front *front, struct hearth_loop *loop);
uint64_t front_principal(const struct front *front, uint8_t kind, struct bytes id);
bool front_is_known(const struct front *front, uint64_t principal);
void front_set_known(struct front *front, uint64_t principal);

/* source.c: the prefix of an address as bytes, at most FRONT_SOURCE_BYTES; returns how many. */
size_t source_of(const char *peer, uint32_t bits_v4, uint32_t bits_v6,
                 uint8_t ret_source[FRONT_SOURCE_BYTES]);

/* price_now.c: a call has ended that took so long since its message came. */
void price_note_call(struct front *front, const struct hearth_endpoint *endpoint, uint64_t took_us,
                     uint64_t now_us);

/* receipt_answer.c */
void receipt_on_answer(struct hearth_call *call, enum hearth_code code, void *self);

/* load.c: samples the loop while it has calls. */
void load_call_begun(struct front_loop *at);
void load_call_ended(struct front_loop *at);
/* A request stream has said nothing yet, and now it has; leaving twice is fine. */
void load_silent(struct admission *p);
void load_heard(struct admission *p);
/* The rung now. Without calls nothing is sampled, and what was is soon no longer so. */
enum front_rung load_rung(const struct front_loop *at);
uint64_t load_memory_bytes(struct front *front, uint64_t now_us);

/* admit_headers.c */
enum hearth_code admission_on_headers(struct hearth_call *call, void *self);
/* limit_take(), but that a table without room fails closed only for what does not free resources.
 */
CHECKED struct err admission_take(struct admission *p, enum limit limit, struct bytes principal,
                                  uint32_t cost, uint32_t *ret_seconds);
enum hearth_code admission_refuse_limit(struct admission *p, struct err err, uint32_t seconds);
/* Who it claims to be, as a limit's principal. */
struct bytes admission_claimed(const struct admission *p);

/* verify.c */
/* Is it whom it says, under this key? Remembers the nonce when it is. */
CHECKED struct err pending_verify(struct admission *p, const struct sig_alg *alg,
                                  struct bytes public_key);
/* Costs what pending_verify() costs. */
void pending_verify_dummy(struct admission *p);

#endif
