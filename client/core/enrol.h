/* What a new device is given, and its own part in becoming one.
 *
 *     struct {
 *         uint8 version = 1;
 *         opaque credential<V>;      ClientCredential
 *         opaque signing<V>;
 *         opaque queue_client_id[16]; made by the other device, with the keys we gave it
 *         opaque key_sets<V>;        the chain, opaque key_set<V> each
 *         opaque user<V>;            struct user_secrets
 *         opaque name<V>;            display name
 *         opaque contacts<V>;        opaque contact<V> each
 *         opaque handles<V>;
 *         opaque devices<V>;         opaque device<V> each
 *     } Grant
 *
 * Contacts whose rows no longer fit a letter are told later, in the devices' chat.
 */
#ifndef CLIENT_CORE_ENROL_H
#define CLIENT_CORE_ENROL_H

#include "client/core/core.h"

/* By the existing device. */
CHECKED struct err grant_write(struct core *c, struct db_txn *t, struct bytes credential,
                               struct bytes signing, const uint8_t queue_client_id[UUID_BYTES],
                               struct buf *b);

/* The new device, as far as it has come. */
struct newcomer {
    struct bytes user_id, client_id; /* wire forms */
    const uint8_t *client_uuid;
    const struct sig_key *client_key, *queue_client_key;
    const struct secret *queue_private;
    const struct public_key *queue_public;
    const char *device;
    const uint8_t *pin; /* 32: of the root, from the other device */
};
/* Everything in one step: account, rows, TASK_ENROL. ERR_CLIENT_LINK, ERR_KEY_SET, ...: the grant
 * is not for us. */
CHECKED struct err grant_take(struct core *c, struct db_txn *t, const struct newcomer *us,
                              struct bytes grant, uint64_t *ret_task);

#endif
