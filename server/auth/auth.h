/* The authentication service's door (protocol.md 3, 5): users, their clients and profiles; handles
 * and what is left for them; invitations; reports. Owns auth.db. Knows no queue and no group. One
 * file per rpc.
 *
 * Handles, invitations and reports share no key, id or order with users (P4). Ids lie there as PRF
 * values, contents sealed. What remains of a deleted user: the PRF of its label with the last
 * version (the log commits to both), the fingerprints of its credentials on the revocation list
 * until they end, and stored answers that nobody can open without the idempotency id.
 *
 * IssueTokens gives each user an allowance of blind tokens by class and day (lib/pass); how many is
 * all that is kept of it. IssueVouchers gives vouchers in the same way, under keys of each class
 * and week that are made here and kept sealed; ExchangeVoucher gives tokens for those of
 * homeservers that we know. Both where options.vouchers says so: FRONT_FORBIDDEN.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include "crypto/blind_rsa.h"
#include "server/front/front.h"

struct auth;

enum auth_mode {
    AUTH_INVITE = 0, /* an invitation is wanted */
    AUTH_OPEN = 1,   /* an invitation or a solved puzzle */
    AUTH_CLOSED = 2, /* nobody */
};
enum { AUTH_INVITATION_BYTES = 16, AUTH_INVITATIONS_MOST = 1000, AUTH_SIGNING_MOST = 32 };

/* Where key sets are logged (transparency.md). Without one, receipts are empty. */
struct auth_receipt {
    struct bytes checkpoint, proof;
};
struct auth_log {
    /* The log takes this version of the label, or finds that it has it already, and calls done once
     * on `loop`, with a receipt that lives until done returns, when an epoch holds it. Repeats are
     * harmless. label and key_set live until done. */
    void (*append)(void *self, struct bytes label, uint32_t version, struct bytes key_set,
                   struct hearth_loop *loop,
                   void (*done)(void *arg, struct err result, const struct auth_receipt *receipt),
                   void *arg);
    /* What the log commits to for a version of a label; calls done once on `loop`. ERR_NOT_FOUND:
     * no epoch has it. A KeySet that follows another must name this (transparency.md 4). NULL: it
     * is not looked at. */
    void (*commitment)(void *self, struct bytes label, uint32_t version, struct hearth_loop *loop,
                       void (*done)(void *arg, struct err result, struct bytes commitment),
                       void *arg);
    void *self;
    /* Borrowed. At the first start with a log of this name every KeySet there is goes into it, in
     * the version it has. Empty: they do not. */
    struct bytes origin;
};

struct auth_options {
    struct store_options store; /* path, mode, files; schema is set here */
    enum auth_mode mode;
    /* CreateInvitations for everybody who pays PRICE_HIGH tokens. Off: FRONT_FORBIDDEN, invitations
     * come from the operator. */
    bool user_invitations;
    /* Vouchers: NULL for none. Finds the key (an SPKI) of another homeserver's vouchers whose id is
     * key_id, or says why there is none now: ERR_FEDERATION_KEYS while it is fetched, PASS_KEY.
     * From any thread; does not wait. */
    struct err (*voucher_key)(void *self, struct bytes issuer, uint8_t class, uint32_t week,
                              uint8_t ret_spki[BLIND_RSA_PUBLIC_BYTES]);
    void *voucher_self;
    const struct auth_log *log; /* borrowed; NULL: none */
};

CHECKED struct err auth_open(struct front_env *env, const struct auth_options *options,
                             struct auth **ret_auth);
/* Adds hearth.v1.Auth to the server and the key sources of clients and handles to the front. */
CHECKED struct err auth_add(struct auth *auth, struct hearth_server *server);
void auth_close(struct auth *auth); /* after the server */
/* From now on, for calls that come; from any thread. */
void auth_set_mode(struct auth *auth, enum auth_mode mode);
struct store *auth_store(struct auth *auth);
/* With a log: offers it what it may not have got before a crash, a few at a time; after the start
 * and now and then. On the loop's thread. */
void auth_log_resume(struct auth *auth, struct hearth_loop *loop);
/* One run of the expiries (invitations 7 d, unused accounts 24 h, handles 180 d, offers 30 d,
 * packages at their end, reports 90 d, stored answers 7 d): a bounded piece of work, waited for;
 * true: there is more. Also asks for the next signing credential when the current one would end
 * before a client credential made now. Not on a thread of the store. */
bool auth_expire(struct auth *auth);

/* ---- for Info.GetKeys */

/* Appends the signed, numbered list of revoked credentials (seal/credential_chain.h), from memory:
 * it is made anew after each change, soon. */
CHECKED struct err auth_revocations(struct auth *auth, struct buf *b);
/* Appends the signing credentials before the current one that have not ended, newest first, each as
 * opaque<V>; the AUTH_SIGNING_MOST - 1 newest. Waits. */
CHECKED struct err auth_previous_signing(struct auth *auth, struct buf *b);
/* Our voucher keys, of the week before, this one and the next, for the directory: from memory. */
enum { AUTH_VOUCHER_KEYS_MOST = 15 };
struct auth_voucher_key {
    uint8_t class;
    uint32_t week;
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
};
size_t auth_voucher_keys(struct auth *auth,
                         struct auth_voucher_key ret_keys[AUTH_VOUCHER_KEYS_MOST]);
/* Has auth_expire() made new ones since this was asked? */
bool auth_vouchers_changed(struct auth *auth);
/* The next AsSigningCredential signs from now on; the old one stays valid to its end and is served
 * until then. ERR_QUOTA: AUTH_SIGNING_MOST have not ended. Waits. */
CHECKED struct err auth_rotate(struct auth *auth);

/* ---- for the operator */

/* Draws count invitations that are good for so many days [0: INVITATION_DAYS]; appends count times
 * AUTH_INVITATION_BYTES. All of them or none: ERR_ARGUMENT over AUTH_INVITATIONS_MOST, and
 * ERR_STORE_LOW_DISK, ERR_STORE_FULL (S2). Waits. */
CHECKED struct err auth_invite(struct auth *auth, uint32_t count, uint32_t days, struct buf *b);

struct auth_counts {
    uint64_t users, clients, handles, invitations, offers, reports, revoked;
};
CHECKED struct err auth_counts(struct auth *auth, struct auth_counts *ret_counts);

/* Of a user with this uuid. What is known of it beside: nothing but this. ERR_NOT_FOUND. Wait. */
struct auth_user_facts {
    uint32_t clients;
    uint32_t seen_month; /* of the last call of any client, since January 1970; 0: none */
    bool used;           /* a client of it has called since it was made */
    bool suspended;
};
CHECKED struct err auth_user_show(struct auth *auth, const uint8_t uuid[16],
                                  struct auth_user_facts *ret_facts);
/* While it is suspended its clients are unknown to this service: no new clients, credentials,
 * profiles or reports, so the credentials they have end within CREDENTIAL_DAYS. It may still delete
 * itself. Queues and groups know no users: what it does there with other keys goes on. */
CHECKED struct err auth_user_suspend(struct auth *auth, const uint8_t uuid[16], bool suspended);
/* As DeleteUser, without a last KeySet, which only a client could sign: the label keeps its
 * version, the credentials are revoked. */
CHECKED struct err auth_user_remove(struct auth *auth, const uint8_t uuid[16]);

/* Reports above `after`, oldest first: at most AUTH_REPORTS_LISTED calls of each. */
enum { AUTH_REPORTS_LISTED = 256 };
CHECKED struct err auth_report_list(struct auth *auth, uint64_t after,
                                    void (*each)(void *arg, uint64_t number, uint64_t day,
                                                 uint64_t bytes),
                                    void *arg);
/* Oldest report above `after`, opened, appended to b; ret_number is 0 when there is none. */
CHECKED struct err auth_report_read(struct auth *auth, uint64_t after, struct buf *b,
                                    uint64_t *ret_number, uint64_t *ret_day);
/* ERR_NOT_FOUND. */
CHECKED struct err auth_report_drop(struct auth *auth, uint64_t number);

#endif
