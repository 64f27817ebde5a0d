/* What the files of server/federation share.
 *
 * struct peer is in two halves: what any thread may read or write under the lock, and what belongs
 * to the loop. Peers are never freed while something holds them (peer_get/peer_put); those that
 * nobody holds go when there are too many: mere names first, then the longest unused.
 */
#ifndef SERVER_FEDERATION_INSIDE_H
#define SERVER_FEDERATION_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "crypto/blind_rsa.h"
#include "hearth/v1/federation_rpc.h"
#include "hearth/v1/info_rpc.h"
#include "hearth/v1/transparency_rpc.h"
#include "net/resolve.h"
#include "seal/credential_chain.h"
#include "seal/names.h"
#include "server/federation/federation.h"
#include "tlog/verify.h"
#include "tlog/witness.h"

enum {
    PEERS_MOST = 4096,
    PEER_SLOTS = 1024,
    PEER_WHY_BYTES = 200,
    KEYS_AGAIN_S = 60, /* between two fetches of one peer's keys that succeed */
    KEYS_RETRY_S = 2,  /* after the first that failed, doubled with each more ... */
    KEYS_RETRY_MOST_S = 600,
    CALL_MS = 30000, /* deadline of a batch */
    KEYS_MS = 10000,
};

/* Who signs, and for whom; borrowed. */
struct signing {
    const struct front_env *env;
    const char *audience; /* a domain */
};
struct hearth_signer signer_of(struct signing *signing); /* sign.c; lives as long as the calls */

/* A peer's keys for vouchers. */
enum { VOUCHER_KEYS_MOST = 15 };
struct voucher_keys {
    size_t count;
    bool refused; /* it showed others, which its log does not have or had too late */
    struct {
        uint8_t class;
        bool pending; /* its log was not yet seen to have had it in time: not used */
        uint32_t week;
        uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
    } keys[VOUCHER_KEYS_MOST];
};

/* vouchers.c: the keys of a peer that has a log, held to that (pass/key_rules.h). What was asked of
 * its past, in unix seconds. */
struct voucher_past {
    uint64_t window_s, first_s; /* of the log; its first entry is known once one was asked for */
    unsigned step;
};

/* What an answer to GetKeys says, once it is verified. */
struct told_keys {
    uint8_t root[CREDENTIAL_FINGERPRINT_BYTES];
    struct public_key key;
    uint64_t from_s, until_s;
    struct voucher_keys vouchers;
};

/* What we have verified of a peer's log (logs.c). Changed on the loop, under the lock. */
struct peer_log {
    bool has_view;
    unsigned forgotten; /* how often: what was under way then is of the log before */
    struct kt_view view;
    struct buf evidence; /* it has forked; empty: it has not, as far as we know */
    uint64_t due_us;     /* the next look */
    bool looking;
    unsigned failures;        /* of looks, in a row */
    char why[PEER_WHY_BYTES]; /* the last look failed; "": it did not */
    /* witness.c */
    bool cosigning;
    struct witness_state witnessed; /* as far as we remember: the store knows */
    uint64_t cosigned;              /* this size, and the peer has it; 0: none */
    uint64_t cosign_again_us;       /* it has not named us: not before */
    struct buf published;           /* what we cosigned last, with our line; empty: not yet */
    uint64_t published_size;
};

struct peer {
    struct peer *next; /* in its slot */
    struct federation *federation;
    char domain[DOMAIN_MAX_BYTES + 1];
    struct signing signing;
    /* under the lock */
    unsigned refs;
    uint64_t used_us;
    bool known;            /* has proved who it is, or our outbox has something for it */
    struct public_key key; /* len 0: none */
    uint64_t key_from_s, key_until_s;
    uint8_t pin[CREDENTIAL_FINGERPRINT_BYTES]; /* of its root */
    bool pinned;
    struct told_keys *offered; /* owned; the last keys it showed are under another root; or NULL */
    struct voucher_keys *vouchers; /* owned; NULL: it has none */
    bool fetching;                 /* posted to the loop, or under way there */
    uint32_t fetch_failures, fetches;
    uint64_t fetch_again_us;        /* not before */
    bool looked_again;              /* for the operator who gave a root that it does not show */
    bool greet;                     /* known from before this start (hello.c) */
    bool receiving;                 /* a batch of its is being taken */
    char why[PEER_WHY_BYTES];       /* the last batch to it failed; "": it did not */
    char fetch_why[PEER_WHY_BYTES]; /* so did the last fetch of its keys */
    uint64_t since_s;               /* its keys were seen first; 0: never yet */
    uint64_t banned_until_us, put_off_us; /* batches wait until then */
    uint32_t bans;
    uint64_t reached_us, heard_us; /* answered us; proved itself to us. 0: never */
    struct peer_log *log;          /* owned; NULL: never looked at */
    /* on the loop */
    struct hearth_channel *channel;
    struct resolve *resolve;
    unsigned tries;        /* which of several targets */
    struct reach *waiting; /* for the channel */
    char target[POLICY_TARGET_MAX_BYTES];
    bool away;        /* the last batch did not get there */
    bool found;       /* the target was looked up: the setting names none */
    bool public_only; /* the channel was made so */
};

/* Wants a channel; embedded in who waits. ready is called once on the loop, inside peer_reach() or
 * later. */
struct reach {
    struct reach *next;
    void (*ready)(struct reach *reach, struct peer *peer, struct err result);
};

struct federation {
    struct front_env *env;
    struct federation_options options;
    char *ca_file, *dns_servers;
    pthread_mutex_t lock;
    struct policy *policy; /* under the lock */
    struct store *store;   /* NULL once stopped */
    uint8_t rows_key[KEEPER_KEY_BYTES], ids_key[KEEPER_KEY_BYTES];
    unsigned log_statements; /* kept_logs.c */
    unsigned witness_statements;
    struct cosigning *stored; /* under the lock; witness.c */
    struct peer *slots[PEER_SLOTS];
    size_t peer_count;
    bool greeting;                /* inside hello.c; of the loop */
    unsigned hellos;              /* under way */
    struct hello *hellos_waiting; /* of the loop */
    size_t greet_slot;            /* where the search for the next is */
    unsigned looks;               /* at logs, under way; of the loop */
    size_t look_slot, gossip_slot;
    bool stopped; /* of the loop */
};

static inline uint64_t federation_now_us(const struct federation *f)
{
    return clock_monotonic_us(f->env->clock);
}
void federation_lock(struct federation *f);
void federation_unlock(struct federation *f);

/* hello.c. No more of them; on the loop. */
void hello_stop(struct federation *f);

/* peers.c. All under the lock. NULL: there is none (find), or no room or memory (get). get holds
 * the peer; only for domains that the policy admits. */
struct peer *peer_find(struct federation *f, struct bytes domain);
struct peer *peer_get(struct federation *f, struct bytes domain);
void peer_put(struct peer *peer);
void peers_clear(struct federation *f);
/* A text for people: printable, cut. */
void peer_say(char why[PEER_WHY_BYTES], const char *what, const char *text);

/* kept.c: what outlives the process. save: under the lock; it is tried, and no more. */
CHECKED struct err kept_open(struct federation *f, const struct store_options *options);
void kept_save(const struct peer *peer);
/* Not under the lock, peer held: these keys under this root are its own, once that is durable. */
CHECKED struct err kept_accept(struct peer *peer, const struct told_keys *told);
void kept_close(struct federation *f);

/* kept_logs.c: the same of their logs. */
/* Statements begin at `first` in the table of kept.c. */
enum { KEPT_LOG_ALL, KEPT_LOG_PUT, KEPT_LOG_OLD, KEPT_LOG_STATEMENTS };
CHECKED struct err kept_logs_load(struct federation *f, struct store_txn *txn, unsigned first);
void kept_log_save(const struct peer *peer);
void kept_log_free(struct peer_log *log); /* NULL is fine */

/* logs.c. The configuration in the answer that has entry 0 of the peer's log, which must be of its
 * domain. ERR_TLOG_CONFIG, wire errors, those of kt_view_init. */
CHECKED struct err peer_log_config(const struct peer *peer, struct bytes tile,
                                   struct kt_view *ret_view);
/* Under the lock: how often its log was forgotten. Who begins to look at it remembers that. */
unsigned peer_log_forgotten(const struct peer *peer);
/* Under the lock: what was verified of its log, where it is newer than what is kept and nothing was
 * forgotten since. Without memory it is looked at as if for the first time, next time. */
void peer_log_keep(struct peer *peer, const struct kt_view *view, unsigned forgotten);
/* Under the lock: it may begin another one, also after a restart of ours. What convicts it stays.
 */
void peer_log_forget(struct peer *peer);

/* logs.c. The hashes of an answer, in room. WIRE_LIMIT, WIRE_VALUE. */
CHECKED struct err peer_log_proof(const Hearth__V1__GetConsistencyResponse *in,
                                  uint8_t room[LOG_PATH_MAX * HASH_VALUE_BYTES],
                                  struct hash_run *ret_run);

/* witnessed.c. Statements begin at f->witness_statements in the table of kept.c. */
enum { WITNESSED_GET, WITNESSED_PUT, WITNESSED_COUNT, WITNESSED_STATEMENTS };
enum { WITNESSED_SEALED_BYTES = 1 + 8 + 32 + 40 };
struct witnessing {
    struct witness_state old, next; /* the caller has verified that next grew out of old */
    /* after done, when the store was read: what was cosigned last before this; size 0: nothing */
    struct witness_state found;
    struct federation *federation;
    uint8_t id[16];
    uint8_t sealed[WITNESSED_SEALED_BYTES];
};
/* Of the log `origin` next is what was cosigned last, if old was so until now. Calls done once with
 * w on a thread of the store, unless this fails; what done hears without error is durable.
 * ERR_TLOG_CONSISTENCY: it was `found`; ERR_TLOG_FORK: next is smaller, or of the same size with
 * another root; ERR_TOO_LARGE: of too many logs; errors of the store. Not under the lock. */
CHECKED struct err witnessed_submit(struct federation *f, struct bytes origin,
                                    void (*done)(void *witnessing, struct err result),
                                    struct witnessing *w);

/* The same, waiting: not on the loop. */
CHECKED struct err witnessed_call(struct federation *f, struct bytes origin, struct witnessing *w);
/* What was cosigned last; size 0: nothing. Waits. */
CHECKED struct err witnessed_read(struct federation *f, struct bytes origin,
                                  struct witness_state *ret_state);

/* witness_sign.c. The line of our cosignature of a checkpoint's text, appended: only of what
 * witnessed_submit or _call has stored. Any thread. */
CHECKED struct err witness_line(const struct front_env *env, struct bytes text, struct buf *line);
/* Under the lock: what we cosigned of its log last, for witness_http.c to hand out. note: with the
 * log's own signature alone. Without memory there is none until the next. */
void witness_publish(struct peer_log *log, struct bytes note, struct bytes line);

/* witness.c, on the loop, not under the lock, peer held: the checkpoint of its log's newest window,
 * below this view, which a look has just verified, is cosigned and brought there, if need be. */
void witness_begin(struct peer *peer, const struct kt_view *view);
void witness_turn(struct federation *f); /* what is stored by now */
void witness_clear(struct federation *f);

/* find.c, on the loop. */
void peer_reach(struct peer *peer, struct reach *reach);
/* The channel did not work: the next attempt looks the domain up again. One that is not the peer's
 * any more, or NULL, is fine. */
void peer_unreach(struct peer *peer, struct hearth_channel *channel);
/* The policy is another one: channels that it does not want are closed, what is under way there
 * ends. Has the shape of what is posted to a loop. */
void peers_obey(void *federation);
/* What is waiting is told ERR_CANCELLED. */
void peer_end(struct peer *peer);

/* Nobody was there, rather than somebody who said no. */
static inline bool is_unreached(enum hearth_code code)
{
    return code == HEARTH_UNAVAILABLE || code == HEARTH_DEADLINE_EXCEEDED ||
           code == HEARTH_CANCELLED;
}
/* keys.c. ERR_CREDENTIAL and the like: it is not signed by the domain's own root. */
CHECKED struct err keys_verify(const Hearth__V1__GetKeysResponse *in, struct bytes domain,
                               uint64_t now_s, struct told_keys *ret_told);
/* keys.c. Under the lock: these are the peer's. */
void keys_set(struct peer *peer, const struct told_keys *told);
/* keys.c. Under the lock, any thread: fetches the peer's keys soon, unless that was done or tried
 * too lately. */
void peer_want_keys(struct peer *peer);
/* Under the lock: a key that is good now. */
bool peer_has_key(const struct peer *peer);

/* logged.c, on the loop. Is the federation key in the peer's log, if it has one? And which keys of
 * vouchers: told->vouchers keeps those, and says whether there were others; the rest does not fail
 * for them. done comes once, inside the call or later, on the loop; text says more of the error, or
 * is NULL. told is borrowed until then, and the peer held. ERR_NOT_FOUND: it is not; TLOG_*: the
 * log does not hold. */
void logged_check(struct peer *peer, struct hearth_channel *channel, struct told_keys *told,
                  void (*done)(void *arg, struct err err, const char *text), void *arg);

/* vouchers.c. All are pending but what `before` (NULL: nothing) had proved. */
void vouchers_begin(struct voucher_keys *keys, const struct voucher_keys *before);
/* value: of the newest version of "token-keys", empty where there is none. Leaves those of its
 * keys, and none of weeks that are over or later than the next. */
void vouchers_in_newest(struct voucher_keys *keys, struct bytes value, uint64_t now_s);
/* The moment whose sight (tlog/sight.h) may prove what is pending. False: there is none; what could
 * have been proved by now, and was not, is refused. A past begins with its window, and zeros. */
bool vouchers_ask(struct voucher_keys *keys, struct voucher_past *past, uint64_t now_s,
                  uint64_t *ret_at_s);
/* That sight. newest_s: the time of the newest entry, which has all of keys, too. */
void vouchers_seen(struct voucher_keys *keys, struct voucher_past *past,
                   const struct kt_sight *sight, uint64_t newest_s);

/* send.c */
struct err send_batch(void *federation, struct bytes domain, const struct courier_batch_row *rows,
                      size_t count, struct inbox *inbox,
                      void (*done)(void *arg, struct err result,
                                   const enum queue_outcome *outcomes),
                      void *arg);

/* bans.c: DoS16. Under the lock: until when it is banned, in seconds from now; 0: it is not. */
uint32_t peer_banned_s(const struct peer *peer);
/* Not under the lock. So many of a batch's rows were refused: it may be put off for that. */
void peer_refused(struct peer *peer, size_t rows);
/* Not under the lock. A batch of its was none, which its users can't cause: it may be banned. */
void peer_malformed(struct peer *peer);
/* Charges a call for what it brought and for what is to be stored. HEARTH_OK, or the call has ended
 * with that. */
enum hearth_code peer_charge(struct peer *peer, struct hearth_call *call,
                             const Hearth__V1__DeliverRequest *in);

/* stranger.c. Fetches the keys of a domain that we may not know: ERR_FEDERATION_KEYS, and come
 * again. why: what LIMIT_STRANGERS is taken for, each apart. */
CHECKED struct err federation_introduce(struct federation *f, struct bytes domain,
                                        struct bytes why);
/* stranger.c: a call of who is not known. Returns what the handler returns. */
enum hearth_code stranger_deliver(struct federation *f, struct hearth_call *call,
                                  const Hearth__V1__DeliverRequest *in);

/* receive.c */
enum hearth_code receive_deliver(struct hearth_call *call, const Hearth__V1__DeliverRequest *in,
                                 Hearth__V1__DeliverResponse *out, void *federation);
enum hearth_code receive_probe(struct hearth_call *call, const Hearth__V1__ProbeRequest *in,
                               Hearth__V1__ProbeResponse *out, void *federation);
/* logs.c */
enum hearth_code logs_get_witnessed(struct hearth_call *call,
                                    const Hearth__V1__GetWitnessedRequest *in,
                                    Hearth__V1__GetWitnessedResponse *out, void *federation);
/* known.c: the front's key source. */
struct front_key_source known_source(struct federation *f);

#endif
