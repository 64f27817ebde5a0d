/* The next KeySet of our user: one client more or less. */
#ifndef CLIENT_CORE_DEVICE_SET_H
#define CLIENT_CORE_DEVICE_SET_H

#include "client/core/core.h"

struct device_key {
    const uint8_t *uuid;     /* UUID_BYTES */
    struct bytes public_key; /* Ed25519 */
};
/* What is to be signed: the account's set with one added, or (added NULL) without one. Appends.
 * before: the log's commitment of the account's set (log_commitment_before). ERR_CLIENT_DEVICE:
 * added is in, removed is not or is the last; ERR_WIRE_LIMIT.
 */
CHECKED struct err device_set_tbs(const struct core *c, const struct device_key *added,
                                  const uint8_t *removed, const uint8_t before[32],
                                  struct buf *tbs);
/* New device: is that what we were told we'd sign? Names `user_id`, us with our key, and has other
 * clients. ERR_CLIENT_LINK. */
CHECKED struct err device_set_check(struct bytes tbs, struct bytes user_id,
                                    const struct device_key *us);
/* Whole, signed by us and, where one was added, by it. */
CHECKED struct err device_set_join(const struct core *c, struct bytes tbs,
                                   const struct device_key *added, struct bytes added_signature,
                                   struct buf *key_set);

#endif
