/* Federation's door (protocol.md 8): other homeservers found, known, called and answered. Serves
 * hearth.v1.Federation; is the courier's way to peers. Opens no connection that the policy does not
 * admit, none into our own network because the DNS says so, and none because a stranger asks for
 * it: a homeserver that we do not know yet is looked up only when its batch has a reference that
 * one of our queues made, or when our own outbox has something for it. Relays nothing: what it
 * takes goes into our own queues.
 *
 * A peer's key: fetched by GetKeys over TLS with the name of its domain checked, verified by its
 * credentials, whose root is pinned at first sight, and looked up in the peer's log; kept until the
 * statement ends; fetched anew when a signature fails, KEYS_AGAIN_S apart.
 *
 * Owns federation.db: pins and keys of peers (kept.c).
 *
 * Threads: connections live on the loop that is given; calls come on any. One lock.
 */
#ifndef SERVER_FEDERATION_H
#define SERVER_FEDERATION_H

#include "crypto/blind_rsa.h"
#include "seal/credential_chain.h"
#include "server/courier/courier.h"
#include "server/federation/policy.h"
#include "server/front/front.h"

struct federation;

struct federation_options {
    struct store_options store; /* path, mode, files; schema is set here */
    struct hearth_loop *loop;   /* the courier's */
    struct queue *queue;
    struct federation_settings settings; /* read before federation_open returns */
    const char *ca_file;                 /* roots for certificates of peers; NULL: the system's */
    const char *dns_servers;             /* tests; NULL: the host's */
    /* federation_check: the root that the running homeserver knows of that domain; empty: none */
    struct bytes known_root;
    /* tests: where a domain is that is not configured, instead of the DNS; NULL: nowhere */
    const char *(*locate)(void *self, const char *domain);
    void *locate_self;
    /* A peer has proved to be there, by a signed call or keys that came from there: from any
     * thread. */
    void (*contact)(void *self, struct bytes domain);
    void *contact_self;
};

enum { FEDERATION_WHY_BYTES = 160 };

/* Borrows env; texts are copied. ERR_ARGUMENT: settings that can't be read, with why. */
CHECKED struct err federation_open(struct front_env *env, const struct federation_options *options,
                                   char ret_why[FEDERATION_WHY_BYTES],
                                   struct federation **ret_federation);
/* Adds hearth.v1.Federation to the server and its key source to the front. */
CHECKED struct err federation_add(struct federation *f, struct hearth_server *server);
/* Once the server serves: peers that we knew before this start are called, so that they hear of it:
 * what waits for us there is due then. */
void federation_hello(struct federation *f);
/* For delivery_options.admits: does the policy let us speak with that domain? From any thread. */
bool federation_admits(struct federation *f, struct bytes domain);
/* For courier_options.peers. */
struct courier_route federation_route(struct federation *f);
/* New settings, from any thread; on failure the old ones stay. Connections to domains that are not
 * admitted any more, or are elsewhere now, are closed by the loop; a batch that is under way there
 * fails, and is judged anew. */
CHECKED struct err federation_set(struct federation *f, const struct federation_settings *settings,
                                  char ret_why[FEDERATION_WHY_BYTES]);
/* For the operator, from any thread. say is called under the lock: it asks nothing of federation.
 */
struct federation_peer {
    struct bytes domain;
    int rule; /* 0: none, 1: named by a setting, 2: blocked */
    bool admitted;
    bool reached, heard; /* since the start */
    uint32_t reached_h;  /* hours since, where it was */
    uint32_t key_days;   /* 0: no key */
    uint32_t banned_s;
    const char *why, *key_why; /* the last batch, the last fetch of keys failed; "": it did not */
    struct bytes root;         /* fingerprint of the one that is known; empty: none is */
    struct bytes other_root;   /* of the one that it shows instead; empty: it does not */
    uint64_t log_size;         /* of its log we have verified; 0: nothing */
    const char *log_why;       /* the last look at its log failed, or the keys of its vouchers are
                                  not in it as they must be; "": neither */
    struct bytes log_evidence; /* it signed two logs: a file for whoever doubts it; or empty */
};
/* Every domain that a setting names or that was spoken with. */
void federation_each(struct federation *f, void (*say)(void *to, const struct federation_peer *p),
                     void *to);
enum federation_mode federation_mode(struct federation *f);
/* Ends what is waited for with that peer here: its ban, and the time between fetches of its keys
 * and between looks at its log.
 * ERR_NOT_FOUND: no setting names it, and it was never spoken with. */
CHECKED struct err federation_retry(struct federation *f, struct bytes domain);
/* The operator says that the peer with this name has new keys, under the root that it shows and he
 * has compared: they are its own from now on, durably, and its ban ends. Where
 * that root is known already, what was seen of its log is forgotten: it has begun another one.
 * Either way evidence against its log is set aside, which is logged. From any thread but the
 * loop's; waits for the disk. ERR_NOT_FOUND: nobody is known under that name; ERR_FEDERATION_KEYS:
 * its keys are fetched once more, come again; ERR_FEDERATION_ROOT_OTHER: it shows another one;
 * ERR_FEDERATION_NO_KEYS: it shows none. */
CHECKED struct err federation_accept_root(struct federation *f, struct bytes domain,
                                          const uint8_t root[CREDENTIAL_FINGERPRINT_BYTES]);

/* Walks the way to a domain step by step, as deliveries would go, and asks it to come back; for a
 * person (`hearthd check DOMAIN`). Needs no running federation: options.loop, queue and contact are
 * not used. Blocks, 40 s at most. say is called for each step; step: "policy", "found", ... */
enum federation_finding { FEDERATION_GOOD, FEDERATION_DOUBT, FEDERATION_FAULT };
void federation_check(struct front_env *env, const struct federation_options *options,
                      const char *domain,
                      void (*say)(void *to, enum federation_finding finding, const char *step,
                                  const char *text),
                      void *to);
/* For auth_options.voucher_key, self is the federation: the key of a domain's vouchers, out of its
 * directory of token keys. Does not wait: ERR_FEDERATION_KEYS while the keys are or will be
 * fetched, also of who was not known (LIMIT_STRANGERS), and until the domain's log, if it has one,
 * was seen to have had the key in time (pass/key_rules.h); ERR_FEDERATION_REFUSED by the policy;
 * ERR_PASS_KEY: it has none such; ERR_PASS_KEY_UNKNOWN: none such, but shows keys that its log does
 * not have or had too late. From any thread. */
CHECKED struct err federation_voucher_key(void *federation, struct bytes domain, uint8_t class,
                                          uint32_t week, uint8_t ret_spki[BLIND_RSA_PUBLIC_BYTES]);
/* Now and then: looks at the logs of peers that are due (logs.c), a few at a time, and cosigns what
 * is well (witness.c). From any thread; does not wait. */
void federation_watch_logs(struct federation *f);
/* The verifier key under which we cosign the logs of peers: DOMAIN/witness+ID+KEY. Appends.
 * ERR_DOMAIN: too long for a name; errors of the keeper. */
CHECKED struct err federation_witness_key(const struct front_env *env, struct buf *b);
/* C2SP tlog-witness add-checkpoint: a peer's log, or whoever stands for it, asks us to cosign (from
 * any thread but the loop; waits). The answer is appended, its HTTP status returned:
 *   200  the line of our cosignature
 *   409  old is not what we cosigned last; the answer is our size in decimal (text/x.tlog.size)
 *   404  no log of a peer's that we have looked at, or one that forked
 *   400, 403, 422, 500 as of witness_judge; 400 also what is no such request */
int federation_witness_add(struct federation *f, struct bytes request, struct buf *answer);
/* The checkpoint that we cosigned last of the log whose origin has this SHA-256, in lowercase hex,
 * with our line; appended. ERR_NOT_FOUND: none in this life. */
CHECKED struct err federation_witness_note(struct federation *f, struct bytes hex,
                                           struct buf *note);
/* After the courier's end, on its loop: ends all that is under way; done of each batch comes before
 * the loop has run what is posted now. Nothing is begun any more. */
void federation_stop(struct federation *f);
/* One run of the expiries, as other services have it; and for backup and stats. */
bool federation_expire(struct federation *f);
struct store *federation_store(struct federation *f);
/* When the queue's store and the front are gone, and the loop has run what was posted to it. NULL
 * is fine. */
void federation_close(struct federation *f);

#endif
