/* An MLS group in the file, in pieces (mls/member/group_save.h), and what else chat.c shares with
 * its neighbours only.
 *
 *     DB_GROUP, id chat id                            the state
 *     DB_RATCHETS, id chat id                         which ratchets there are:
 *                                                     struct { uint64 epoch; uint32 place; } each
 *     DB_RATCHETS, id chat id || u64 epoch || u32 place   a ratchet
 */
#ifndef CLIENT_CORE_CHAT_STORE_H
#define CLIENT_CORE_CHAT_STORE_H

#include "client/core/chat.h"
#include "mls/member/group_save.h"

/* Writes what changed since the last time, or all of it; group NULL: takes everything away. */
CHECKED struct err chat_group_save(struct db_txn *t, const struct hearth_id *id,
                                   struct mls_group *group, bool all);
/* ERR_NOT_FOUND. */
CHECKED struct err chat_group_load(struct db_txn *t, const struct hearth_id *id,
                                   const struct mls_client *client, struct mls_group **ret_group);
/* The next chat with that tag (a KeyPackage of last resort may bring several), NULL: the first. */
CHECKED struct err chat_by_tag_after(struct core *c, struct db_txn *t,
                                     const uint8_t tag[QUEUE_TAG_BYTES],
                                     const struct hearth_id *after, struct hearth_id *ret_id);

#endif
