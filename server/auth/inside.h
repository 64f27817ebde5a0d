/* The authentication service from the inside. */
#ifndef SERVER_AUTH_INSIDE_H
#define SERVER_AUTH_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "crypto/sig.h"
#include "hearth/v1/auth_rpc.h"
#include "pass/key_schedule.h"
#include "pass/voucher.h"
#include "seal/at_rest.h"
#include "seal/credential_chain.h"
#include "seal/key_set.h"
#include "seal/names.h"
#include "server/auth/auth.h"
#include "server/auth/schema.h"
#include "server/front/charge.h"
#include "server/front/once.h"

enum {
    AUTH_ID_BYTES = 16, /* of every id at rest */
    VOUCHER_KEYS = 3 * (PASS_CLASS_END - 1),
};

struct auth_listeners;

/* Lives as long as jobs and listeners do, which may be longer than the service. */
struct auth {
    atomic_uint refs;
    struct front_env *env;
    struct auth_options options;
    atomic_int mode; /* enum auth_mode */
    struct bytes domain;
    struct store *store; /* NULL once it is closed */
    uint8_t ids_key[KEEPER_KEY_BYTES];
    uint8_t rows_key[KEEPER_KEY_BYTES];
    uint8_t challenge_key[KEEPER_KEY_BYTES];
    uint8_t once_key[KEEPER_KEY_BYTES];
    uint8_t tokens_key[KEEPER_KEY_BYTES];
    pthread_mutex_t lock; /* guards what follows */
    struct puzzle_load {
        uint64_t minute; /* of `now` */
        uint32_t now, before;
    } load;
    struct revocation_cache {
        struct buf list;
        uint64_t number;
    } revoked;
    struct auth_listeners *listeners;
    struct voucher_key {
        uint8_t class; /* 0: none */
        uint32_t week;
        uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
        struct buf wrapped;       /* by the keeper */
    } voucher_keys[VOUCHER_KEYS]; /* by class and week mod 3 */
    bool vouchers_changed;        /* since auth_vouchers_changed() was asked */
};

static inline enum auth_mode auth_mode(const struct auth *auth)
{
    return (enum auth_mode)atomic_load(&auth->mode);
}
void auth_ref(struct auth *auth);
void auth_unref(struct auth *auth);
/* STORE_STOPPED once the service is closed. */
CHECKED struct err auth_write(struct auth *auth, struct inbox *inbox,
                              const struct store_work *work);
CHECKED struct err auth_read(struct auth *auth, struct inbox *inbox, const struct store_work *work);

/* ---- time, as coarse as it is kept */

uint64_t auth_now_s(const struct auth *auth);
static inline uint64_t auth_hour(uint64_t unix_s)
{
    return unix_s / 3600;
}
static inline uint64_t auth_day(uint64_t unix_s)
{
    return unix_s / 86400;
}
uint32_t auth_month(uint64_t unix_s); /* since January 1970 */
uint64_t auth_limit(const struct auth *auth, enum limit limit);

/* ---- rows.c: ids and contents at rest */

void auth_id(const struct auth *auth, const char *what, struct bytes id,
             uint8_t ret_id[AUTH_ID_BYTES]);
/* The associated data is the table and the row's key. Appends. */
CHECKED struct err auth_seal(const struct auth *auth, const char *table, struct bytes row,
                             struct bytes plain, struct buf *b);
CHECKED struct err auth_unseal(const struct auth *auth, const char *table, struct bytes row,
                               struct bytes sealed, struct buf *b);
/* For stmt_first: appends column 0 to a struct buf. */
struct err auth_map_blob(struct stmt *row, void *arg);
/* For stmt_first: column 0 to a uint64_t. */
struct err auth_map_u64(struct stmt *row, void *arg);

/* Runs a statement whose one parameter is an id. */
CHECKED struct err auth_run_by_id(struct store_txn *txn, enum auth_statement statement,
                                  const uint8_t id[AUTH_ID_BYTES]);

/* ---- log.c: labels and the log */

/* Last version of a label, which outlives user and handle as it does in the log. NOT_FOUND. */
CHECKED struct err label_version(struct store_txn *txn, const struct auth *auth, struct bytes label,
                                 uint64_t *ret_version);
/* The set, as it came in key_set, is its label's last version, and waits for the log. */
CHECKED struct err label_advance(struct store_txn *txn, const struct auth *auth,
                                 const struct key_set *set, struct bytes key_set);

/* Waits for the log. */
CHECKED struct err label_wait(struct store_txn *txn, const struct auth *auth,
                              const struct key_set *set, struct bytes key_set);
/* enter_log.c: what is older than the log waits for it. Waits. */
CHECKED struct err auth_enter_log(struct auth *auth);

/* ---- keys.c: the keys that callers sign with */

struct caller_key {
    const struct auth *auth;
    bool handle;   /* or a client */
    bool renewing; /* an ended credential will do */
    bool leaving;  /* a suspended user may go */
    uint64_t now_s;
    uint8_t id[AUTH_ID_BYTES];
    uint8_t key[CREDENTIAL_KEY_BYTES]; /* of what was found */
    bool found;
};
CHECKED struct err caller_key_find(struct store_txn *txn, struct caller_key *key);

/* ---- job.c: one call and its transaction */

/* It holds all it needs: its call may end at any time (client gone, server ending), and the job
 * goes on without. */
struct auth_job {
    size_t size;
    struct auth *auth;        /* a reference */
    struct hearth_call *call; /* NULL: nobody waits any more */
    struct hearth_loop *loop;
    const ProtobufCMessage *in; /* a copy of the request */
    struct arena arena;
    uint64_t principal;
    struct err (*effect)(struct store_txn *txn, struct auth_job *job);
    /* On the loop, after the commit. then (or NULL): what else is to be done, call or none; it goes
     * on with auth_job_reply(), auth_log_then_reply() or another transaction. reply: answers the
     * call, which is there, from `answer` where the request may be a repeated one. */
    void (*then)(struct auth_job *job);
    void (*reply)(struct auth_job *job);
    void (*clear)(struct auth_job *job); /* whatever came of it; or NULL */
    uint64_t now_s;
    bool keeps; /* the answer is kept under once_id */
    uint8_t once_id[ONCE_ID_BYTES];
    uint8_t body_hash[REQUEST_BODY_HASH_BYTES];
    struct charge charge; /* paid in the transaction of the effect, also of one that reads */
    bool charged;         /* looked at */
    uint32_t cost;
    struct buf scope;
    struct buf answer;
    struct bytes logs; /* the key set that the log is asked to take */
    bool logs_commit;
    struct bytes chains; /* the key set that must name the commitment to the one before; or empty */
    enum hearth_code (*checked)(struct auth_job *job); /* what comes after that was asked */
    const struct auth_receipt *receipt;                /* in reply after auth_log_then_reply() */
    bool frees;
    bool repeated;
    bool unverified; /* leave.c: the caller is looked up, and not verified yet */
    struct auth_leave {
        struct caller_key caller;
        enum limit limit;
        uint32_t cost;
        struct err kept; /* what looking for a kept answer came to */
        struct err (*effect)(struct store_txn *txn, struct auth_job *job);
        void (*then)(struct auth_job *job);
    } leave;
};

/* Begins a job of size bytes, the first member of which is the job, zeroed but for that; NULL: no
 * memory. in and idempotency may be NULL. Handlers go on with the copy: in = job->in. */
void *auth_job_new(struct auth *auth, struct hearth_call *call, size_t size,
                   const ProtobufCMessage *in, const Hearth__V1__Idempotency *idempotency);
/* Submits; HEARTH_LATER or what front_fail() says, and then the job is gone. */
enum hearth_code auth_job_write(struct auth_job *job, uint32_t cost);
enum hearth_code auth_job_read(struct auth_job *job);
/* The same for calls after which their caller may be gone, which nobody has verified yet (leave.c):
 * caller is its id at rest, limit the bucket it pays from (LIMITS: none). */
enum hearth_code auth_job_leave(struct auth_job *job, const uint8_t caller[AUTH_ID_BYTES],
                                enum limit limit, uint32_t cost);
/* For leave.c: is there a kept answer (into job->answer); and whose end the job hears of from now
 * on, NULL: nobody's. */
CHECKED struct err auth_job_find_kept(struct store_txn *txn, struct auth_job *job, bool *ret_found);
void auth_job_attach(struct auth_job *job, struct hearth_call *call);
/* Ends the call with err, and the job. */
enum hearth_code auth_job_fail(struct auth_job *job, struct err err);
/* Answers where somebody waits, and ends the job. */
void auth_job_reply(struct auth_job *job, void (*reply)(struct auth_job *job));
/* The same when the log has the key set, which lives as long as the job; also when nobody waits for
 * the answer any more. commit: it was label_advance()d by this job. */
void auth_log_then_reply(struct auth_job *job, struct bytes key_set, bool commit);
/* The call has been answered, or is answered by the handler's return. */
void auth_job_end(struct auth_job *job);
/* Takes one of the caller's bucket, or ends the call and says how. */
enum hearth_code auth_take_principal(struct hearth_call *call, enum limit limit);
/* The row's price, paid by who is known as `id` of a sort (what): with credits or, whole, with
 * tokens; before the job is submitted. */
void auth_charge(struct auth_job *job, struct hearth_call *call, const char *what, struct bytes id,
                 bool whole);
/* Does job->chains name what the log commits to for the version before? Else the job fails. go:
 * what comes then. */
enum hearth_code auth_log_check(struct auth_job *job, enum hearth_code (*go)(struct auth_job *job));
void auth_receipt_out(const struct auth_receipt *receipt, Hearth__V1__LogReceipt *ret_receipt);

static inline ProtobufCBinaryData auth_out(struct bytes view)
{
    return (ProtobufCBinaryData){view.len, (uint8_t *)(uintptr_t)view.data};
}
static inline struct bytes auth_in(ProtobufCBinaryData data)
{
    return bytes_of(data.data, data.len);
}

/* ---- users.c, clients.c */

struct user {
    uint8_t id[AUTH_ID_BYTES];
    struct buf name;    /* UserId */
    struct buf key_set; /* current */
    uint8_t profile[AUTH_ID_BYTES], staged[AUTH_ID_BYTES];
    bool has_profile, has_staged;
};
void user_clear(struct user *user);
void user_id(const struct auth *auth, struct bytes name, uint8_t ret_id[AUTH_ID_BYTES]);
CHECKED struct err user_load(struct store_txn *txn, const struct auth *auth,
                             const uint8_t id[AUTH_ID_BYTES], struct user *ret_user);
CHECKED struct err user_insert(struct store_txn *txn, const struct auth *auth,
                               const struct user *user, uint64_t unused_hour);
CHECKED struct err user_update(struct store_txn *txn, const struct auth *auth,
                               const struct user *user);
/* The user with clients, profiles and credentials, which are revoked; the label stays. */
CHECKED struct err user_delete(struct store_txn *txn, const struct auth *auth,
                               const struct user *user, uint64_t now_s);

enum { CLIENT_CREDENTIALS_MOST = 16 };
struct client {
    uint8_t id[AUTH_ID_BYTES];   /* at rest */
    uint8_t user[AUTH_ID_BYTES]; /* at rest */
    uint8_t uuid[UUID_BYTES];
    uint8_t key[CREDENTIAL_KEY_BYTES];
    uint64_t seen_month;
    bool suspended; /* its user is; by client_load() alone */
    struct buf credential;
    /* All that have not ended, the current one among them. */
    struct client_credential {
        uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
        uint64_t not_after;
    } credentials[CLIENT_CREDENTIALS_MOST];
    size_t credential_count;
};
void client_clear(struct client *client);
CHECKED struct err client_load(struct store_txn *txn, const struct auth *auth,
                               const uint8_t id[AUTH_ID_BYTES], struct client *ret_client);
/* Of the user, in the order of their ids at rest; each is cleared after the call. */
CHECKED struct err client_each(struct store_txn *txn, const struct auth *auth,
                               const uint8_t user[AUTH_ID_BYTES],
                               struct err (*each)(const struct client *client, void *arg),
                               void *arg);
/* The credential becomes the current one. ERR_QUOTA: too many that have not ended. */
CHECKED struct err client_add_credential(struct client *client, struct bytes credential,
                                         uint64_t now_s);
/* ret_fresh false: there is one with this id. */
CHECKED struct err client_insert(struct store_txn *txn, const struct auth *auth,
                                 const struct client *client, bool *ret_fresh);
CHECKED struct err client_update(struct store_txn *txn, const struct auth *auth,
                                 const struct client *client);
CHECKED struct err client_delete(struct store_txn *txn, const struct auth *auth,
                                 const struct client *client, uint64_t now_s);
/* It has called in this month; its user is in use. */
CHECKED struct err client_seen(struct store_txn *txn, const uint8_t id[AUTH_ID_BYTES],
                               const uint8_t user[AUTH_ID_BYTES], uint64_t now_s);

/* The caller of a client's call. */
struct client_caller {
    struct client_id name; /* views into the caller's id */
    struct bytes user;     /* UserId, view */
    uint8_t id[AUTH_ID_BYTES], user_id[AUTH_ID_BYTES];
};
CHECKED struct err client_caller(const struct auth *auth, struct hearth_call *call,
                                 struct client_caller *ret_caller);

/* ---- credential.c */

/* A ClientCredential for the request, and the signing credential: struct { opaque credential<V>;
 * opaque signing<V>; } appended to b. */
CHECKED struct err auth_issue(struct auth *auth, const struct credential_request *request,
                              struct buf *b);
/* request of a client of our domain, verified. ret_id: views into its client_id. */
CHECKED struct err auth_request_read(const struct auth *auth, struct bytes in,
                                     struct credential_request *ret_request,
                                     struct client_id *ret_id);

/* ---- client_set.c: KeySets of users */

/* 0x01 || UserId */
void user_label(struct bytes user, struct buf *ret_label);
struct set_change {
    struct bytes added, added_key; /* the one client that comes, or empty */
    struct bytes removed;          /* the one that goes, or empty */
    bool all;                      /* all go */
};
/* `next` follows the current set and changes exactly that; no resets. */
CHECKED struct err client_set_next(struct bytes current, struct bytes next,
                                   const struct set_change *change);
/* The current set becomes next in user and label. */
CHECKED struct err client_set_store(struct store_txn *txn, const struct auth *auth,
                                    struct user *user, struct bytes next);

/* ---- handle_row.c */

struct handle {
    uint8_t id[AUTH_ID_BYTES];
    uint8_t key[CREDENTIAL_KEY_BYTES];
    struct buf key_set;
    uint64_t next_offer, expires_day;
};
void handle_clear(struct handle *handle);
void handle_id(const struct auth *auth, struct bytes hash, uint8_t ret_id[AUTH_ID_BYTES]);
/* NOT_FOUND also when it has expired. */
CHECKED struct err handle_load(struct store_txn *txn, const struct auth *auth,
                               const uint8_t id[AUTH_ID_BYTES], uint64_t now_s,
                               struct handle *ret_handle);
CHECKED struct err handle_insert(struct store_txn *txn, const struct auth *auth,
                                 const struct handle *handle);
/* Key and key set alone. */
CHECKED struct err handle_update(struct store_txn *txn, const struct auth *auth,
                                 const struct handle *handle);
/* Does a key set name exactly one key, which may authorise and is of the form of handles' keys, for
 * the label of this handle? */
bool handle_set_is(const struct key_set *set, struct bytes hash);
/* The call is signed as this handle. */
CHECKED struct err handle_caller(const struct auth *auth, struct hearth_call *call,
                                 struct bytes hash, uint8_t ret_id[AUTH_ID_BYTES]);
/* With packages and offers; the label stays. */
CHECKED struct err handle_delete(struct store_txn *txn, const uint8_t id[AUTH_ID_BYTES]);

/* The row of an offer or a package as associated data. */
enum { HANDLE_PLACE_BYTES = AUTH_ID_BYTES + 8 };
void handle_place(const uint8_t handle[AUTH_ID_BYTES], uint64_t number,
                  uint8_t ret_place[HANDLE_PLACE_BYTES]);

/* ---- packages.c */

enum { HANDLE_PACKAGES_MOST = 101 };
/* Packages of one handle as they came in a request. */
struct package_list {
    const ProtobufCBinaryData *items; /* borrowed */
    size_t count;                     /* at most HANDLE_PACKAGES_MOST */
    struct {
        uint64_t expires_hour;
        bool last_resort;
    } facts[HANDLE_PACKAGES_MOST]; /* by packages_verify() */
};
/* All are the handle's, signed by this key, not over, and one is of last resort. Takes tens of
 * microseconds for each: for readers. ERR_ARGUMENT, ERR_CREDENTIAL_TIME, as
 * connection_package_read(). */
CHECKED struct err packages_verify(struct package_list *list, struct bytes hash, struct bytes key,
                                   uint64_t now_s);
/* In place of those that are there. */
CHECKED struct err packages_put(struct store_txn *txn, const struct auth *auth,
                                const uint8_t handle[AUTH_ID_BYTES],
                                const struct package_list *list);

/* ---- listeners.c: who listens to which handle */

struct listener;
CHECKED struct err listeners_new(struct auth_listeners **ret_listeners);
void listeners_free(struct auth_listeners *listeners);
/* Wakes the listener of a handle, whichever loop it is on. */
void listeners_wake(struct auth_listeners *listeners, const uint8_t handle[AUTH_ID_BYTES]);

/* ---- signing.c */

/* The current signing credential is a row from now on; where it is one already nothing is written.
 */
CHECKED struct err signing_put_down(struct auth *auth);
/* auth_rotate() without its bound, for what must not wait. */
CHECKED struct err signing_rotate(struct auth *auth);

/* ---- revocations.c, challenge.c, keys.c */

CHECKED struct err revoke(struct store_txn *txn,
                          const uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES],
                          uint64_t not_after);
/* The list has changed, and is signed anew: soon, or now (waits). */
void revocations_changed(struct auth *auth);
CHECKED struct err revocations_refresh(struct auth *auth);

/* A solution was accepted: the next puzzles are harder for a while. */
void puzzle_count(struct auth *auth);
uint32_t puzzle_bits(struct auth *auth);
/* Was the puzzle given out by us, for this key, not too long ago, and is it solved? ret_id is its
 * id at rest, good once. */
CHECKED struct err puzzle_check(struct auth *auth, struct bytes challenge, struct bytes key,
                                struct bytes solution, uint8_t ret_id[AUTH_ID_BYTES]);

CHECKED struct err auth_add_keys(struct auth *auth);

/* Draws invitations into a transaction; codes: count times AUTH_INVITATION_BYTES. */
CHECKED struct err invitation_store(struct store_txn *txn, const struct auth *auth,
                                    const uint8_t *codes, uint32_t count, uint64_t expires_hour);

static inline struct purse auth_purse(const struct auth *auth)
{
    return purse_at(AUTH_SPENT, auth->tokens_key);
}

/* ---- token_grant.c: tokens */

struct token_order {
    uint8_t class;
    uint32_t period, count;
    uint8_t user[AUTH_ID_BYTES];
    uint8_t request[AUTH_ID_BYTES]; /* its hash at rest: charged once */
};
void token_request_id(const struct auth *auth, const uint8_t user[AUTH_ID_BYTES],
                      const uint8_t body_hash[REQUEST_BODY_HASH_BYTES],
                      uint8_t ret_id[AUTH_ID_BYTES]);
/* Charges the user's allowance, unless this very request was charged before. ERR_QUOTA when so many
 * are not left. *ret_left: what is left then. */
CHECKED struct err token_grant_take(struct store_txn *txn, const struct auth *auth,
                                    const struct token_order *order, uint64_t now_s,
                                    uint32_t *ret_left);

/* token_grant_take() for vouchers: count is charged to an allowance of its own. */
enum { TOKEN_ORDER_VOUCHERS = 0x10 }; /* added to the class */

/* ---- grant_job.c: a call that gives something of an allowance
 *
 * Charged in a transaction, then made on a reader's thread, since that takes up to 20 ms. Between
 * the two a crash leaves a charge without an answer; the same request again is answered without a
 * second one, and nothing of an answer is kept for that. */

struct grant_job {
    struct auth_job job;
    struct client_caller caller;
    struct token_order order;
    struct err (*make)(struct store_txn *txn, struct auth_job *job);
    uint32_t left; /* of the allowance, when charged */
};
/* A job of size bytes, the first member of which is the grant_job, with what the kind of call does;
 * NULL: who calls is nobody's client or asks too often, and *ret_code is the answer. */
struct grant_kind {
    struct err (*make)(struct store_txn *txn, struct auth_job *job);
    void (*reply)(struct auth_job *job);
    void (*clear)(struct auth_job *job);
};
void *grant_job_new(struct auth *auth, struct hearth_call *call, size_t size,
                    const ProtobufCMessage *in, const struct grant_kind *kind,
                    enum hearth_code *ret_code);
/* What is asked for: before grant_job_run(). */
void grant_job_order(struct grant_job *g, uint8_t class, uint32_t period, size_t count);
/* err: what preparing it came to. As auth_job_write(). */
enum hearth_code grant_job_run(struct grant_job *g, struct err err);

/* ---- voucher_keys.c: what our users' vouchers are signed with */

CHECKED struct err voucher_keys_load(struct auth *auth);
void voucher_keys_clear(struct auth *auth);
/* One that is missing, this week's or the next's, is made: tenths of a second. true: there was one
 * to make. */
bool voucher_keys_make(struct auth *auth);
/* A key to sign with. Clear it; the zero state is fine. */
struct voucher_signer {
    uint8_t class;
    uint32_t week;
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
    struct buf wrapped;
};
void voucher_signer_clear(struct voucher_signer *signer);
/* The key of a class whose id ends in this byte, of this week or the next. ERR_PASS_KEY. */
CHECKED struct err voucher_signer_find(struct auth *auth, uint8_t class, uint8_t tag,
                                       uint64_t now_s, struct voucher_signer *ret_signer);
/* Asks the keeper: not on a loop. Errors of pass_voucher_request_parse, keeper_voucher_sign. */
CHECKED struct err voucher_signer_sign(struct auth *auth, const struct voucher_signer *signer,
                                       struct bytes request,
                                       uint8_t ret_response[PASS_VOUCHER_RESPONSE_BYTES]);

/* ---- handlers, one file each */

#define AUTH_HANDLER(name, Type)                                                                  \
    enum hearth_code auth_##name(struct hearth_call *call, const Hearth__V1__##Type##Request *in, \
                                 Hearth__V1__##Type##Response *out, void *self)
AUTH_HANDLER(get_registration_challenge, GetRegistrationChallenge);
AUTH_HANDLER(register_user, RegisterUser);
AUTH_HANDLER(add_client, AddClient);
AUTH_HANDLER(remove_client, RemoveClient);
AUTH_HANDLER(list_clients, ListClients);
AUTH_HANDLER(renew_client, RenewClient);
AUTH_HANDLER(delete_user, DeleteUser);
AUTH_HANDLER(stage_profile, StageProfile);
AUTH_HANDLER(commit_profile, CommitProfile);
AUTH_HANDLER(get_profile, GetProfile);
AUTH_HANDLER(issue_tokens, IssueTokens);
AUTH_HANDLER(issue_vouchers, IssueVouchers);
AUTH_HANDLER(exchange_voucher, ExchangeVoucher);
AUTH_HANDLER(create_invitations, CreateInvitations);
AUTH_HANDLER(check_invitation, CheckInvitation);
AUTH_HANDLER(create_handle, CreateHandle);
AUTH_HANDLER(refresh_handle, RefreshHandle);
AUTH_HANDLER(rotate_handle, RotateHandle);
AUTH_HANDLER(delete_handle, DeleteHandle);
AUTH_HANDLER(check_handle, CheckHandle);
AUTH_HANDLER(publish_connection_packages, PublishConnectionPackages);
AUTH_HANDLER(report_abuse, ReportAbuse);
enum hearth_code auth_connect(struct hearth_call *call, const Hearth__V1__ConnectRequest *in,
                              void *self);
enum hearth_code auth_listen_handle(struct hearth_call *call,
                                    const Hearth__V1__ListenHandleRequest *in, void *self);

#endif
