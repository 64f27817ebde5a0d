/* What we know of a homeserver (DB_HOMESERVER): its pinned root and its keys (Info.GetKeys). */
#ifndef CLIENT_CORE_HOMESERVER_H
#define CLIENT_CORE_HOMESERVER_H

#include "client/core/core.h"

/* Copies; clear it. */
struct homeserver {
    uint8_t pin[32]; /* of the AsCredential; the first 16 bytes from an
                                                  invitation */
    size_t pin_len;  /* 0: none yet; trust at first use */
    struct buf root;
    struct buf signings;    /* AsSigningCredentials, each opaque<V>: current and previous ones */
    struct buf revocations; /* fingerprints one after the other, sorted */
    uint64_t revocations_number;
    struct public_key queue_key;  /* seals queue references */
    struct public_key sender_key; /* MLS external sender, Ed25519 */
    uint64_t fetched_ms;          /* 0: never */
    uint64_t failed_ms;           /* what it sent last did not verify; 0: it did */
};
void homeserver_clear(struct homeserver *h);
/* ERR_NOT_FOUND: not fetched yet; homeserver_want then. ERR_CREDENTIAL: what was fetched less than
 * a minute ago did not verify, and there is nothing from before. ERR_CLIENT_LOG_LATER: its log is
 * being asked whether these are the keys that everybody gets (log.h); ERR_CLIENT_LOG: no. */
CHECKED struct err homeserver_get(struct core *c, struct db_txn *t, const char *domain,
                                  struct homeserver *ret);
/* The same before the log was asked about its keys: for our own credential, which chains to the
 * root that an invitation pinned. */
CHECKED struct err homeserver_get_unlogged(struct core *c, struct db_txn *t, const char *domain,
                                           struct homeserver *ret);
/* Leaves a task that fetches and verifies, unless there is one; older than a day is fetched anew.
 * What did not verify, or was refused, is asked for again after a minute. Afterwards, also in vain,
 * every chat's roster is tried again and all waiting tasks are woken. */
CHECKED struct err homeserver_want(struct core *c, struct db_txn *t, const char *domain);
/* Daily: wants the keys of our own domain, and of those that contacts, chats and their members are
 * of (revocations must be heard of). */
CHECKED struct err homeservers_upkeep(struct core *c, struct db_txn *t);
/* Sets the pin, or its begin of at least 16 bytes (an invitation's), before the first contact.
 * ERR_CREDENTIAL when another is known, ERR_ARGUMENT. */
CHECKED struct err homeserver_pin(struct core *c, struct db_txn *t, const char *domain,
                                  struct bytes pin);
/* Forgets a pin under which nothing was ever fetched: a wrong invitation. */
CHECKED struct err homeserver_unpin(struct db_txn *t, const char *domain);
/* Verifies what GetKeys answered and keeps it. out: a GetKeysResponse. Nothing changes on failure:
 * ERR_CREDENTIAL (another root than the pinned one, ...), ERR_CREDENTIAL_TIME, those of sig_verify.
 */
CHECKED struct err homeserver_take(struct core *c, struct db_txn *t, const char *domain,
                                   const ProtobufCMessage *out);
/* A ClientCredential (with whichever signing credential of the domain signed it) at the time now:
 * ERR_OK, ERR_NOT_FOUND (keys of the domain not fetched, or no such signing credential), errors of
 * credential_chain_verify, ERR_REVOKED. Views into the input. (struct credential of lib/seal and
 * that of lib/mls share a name: no file of the core includes both headers.) */
struct verified_client {
    struct client_id id;
    struct bytes id_bytes, public_key;
    uint64_t not_after; /* seconds since 1970 */
};
CHECKED struct err homeserver_verify_client(struct core *c, struct db_txn *t,
                                            struct bytes credential,
                                            struct verified_client *ret_client);

#endif
