/* Contact ids whose tokens a queue user no longer honours: one sealed row per user, in order of
 * revocation, so that no id can be found in the database. */
#ifndef SERVER_QUEUE_REVOKED_H
#define SERVER_QUEUE_REVOKED_H

#include "seal/contact_token.h"
#include "server/queue/inside.h"

/* Those that are on the list already are not added again. QUOTA over REVOKED_CONTACTS. */
CHECKED struct err queue_revoke(struct store_txn *txn, const struct queue *q, uint64_t user,
                                struct bytes ids);
/* All of the user's; every revoked contact needs a new contact key to be forgotten. */
CHECKED struct err queue_revoked_forget(struct store_txn *txn, uint64_t user);
CHECKED struct err queue_is_revoked(struct store_txn *txn, const struct queue *q, uint64_t user,
                                    const uint8_t id[CONTACT_ID_BYTES], bool *ret_revoked);

#endif
