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
    struct buf signings; /* AsSigningCredentials, each opaque<V>: current and previous ones */
    struct buf revocations;
    struct public_key queue_key;  /* seals queue references */
    struct public_key sender_key; /* MLS external sender, Ed25519 */
    uint64_t fetched_ms;
};
void homeserver_clear(struct homeserver *h);
/* ERR_NOT_FOUND: not fetched yet; homeserver_want then. */
CHECKED struct err homeserver_get(struct core *c, struct db_txn *t, const char *domain,
                                  struct homeserver *ret);
/* Leaves a task that fetches and verifies, unless there is one; older than a day is fetched anew.
 * Afterwards every chat's roster is tried again and all waiting tasks are woken. */
CHECKED struct err homeserver_want(struct core *c, struct db_txn *t, const char *domain);
/* Sets the pin from an invitation, before the first contact. ERR_CREDENTIAL when another is known.
 */
CHECKED struct err homeserver_pin(struct core *c, struct db_txn *t, const char *domain,
                                  struct bytes pin);
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
