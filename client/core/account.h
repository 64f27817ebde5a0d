/* Who we are: the user's and this device's keys and names, one record (DB_ACCOUNT).
 *
 * What all devices of a user share (struct user_secrets) is handed to a new one when it is linked,
 * and kept alike among them by messages in the devices' own chat (core/devices.h).
 */
#ifndef CLIENT_CORE_ACCOUNT_H
#define CLIENT_CORE_ACCOUNT_H

#include "client/db/db.h"
#include "crypto/hpke.h"
#include "crypto/sig.h"
#include "hearth/client.h"
#include "seal/friendship.h"
#include "seal/names.h"
#include "seal/queue_ratchet.h"

enum { DEVICE_NAME_MAX_BYTES = 64, DISPLAY_NAME_MAX_BYTES = 128 };

/* Shared by the devices of one user. */
struct user_secrets {
    struct sig_key queue_user_key; /* caller kind queue-user */
    uint8_t queue_user_id[UUID_BYTES];
    uint8_t contact_key[32];                       /* of contact tokens (seal/contact_token.h) */
    uint8_t friendship_key[IDENTITY_KEY_BYTES];    /* wraps identity keys beside our KeyPackages */
    uint8_t friendship_before[IDENTITY_KEY_BYTES]; /* the one before, for packages still out; zeros:
                                                      none */
    uint8_t profile_key[PROFILE_KEY_BYTES];
};

struct account {
    bool registered;
    char domain[DOMAIN_MAX_BYTES + 1];
    char device[DEVICE_NAME_MAX_BYTES + 1];
    char name[DISPLAY_NAME_MAX_BYTES + 1];
    uint8_t user_uuid[UUID_BYTES], client_uuid[UUID_BYTES];
    struct buf user_id, client_id; /* wire forms (seal/names.h) */
    struct sig_key client_key;     /* of the ClientCredential */
    struct buf credential;         /* ClientCredential */
    struct buf signing;            /* AsSigningCredential that signed it */
    struct buf key_set;            /* the newest KeySet, whole */
    struct user_secrets user;
    struct sig_key queue_client_key; /* caller kind queue-client */
    uint8_t queue_client_id[UUID_BYTES];
    struct secret queue_private; /* HPKE key under which the ratchet is refreshed */
    struct public_key queue_public;
    struct hearth_id devices_chat; /* zeros: only one device so far */
};

void account_clear(struct account *a); /* wipes */
CHECKED struct err account_write(const struct account *a, struct db_txn *t);
/* ERR_NOT_FOUND before anything was registered. */
CHECKED struct err account_read(struct db_txn *t, struct account *ret_account);
void user_secrets_write(struct buf *b, const struct user_secrets *s);
CHECKED struct err user_secrets_read(struct bytes in, struct user_secrets *ret_secrets);

#endif
