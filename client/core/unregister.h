/* The end of an account: chats are left, handles given up, queue and user deleted at the
 * homeserver, and everything in the file. */
#ifndef CLIENT_CORE_UNREGISTER_H
#define CLIENT_CORE_UNREGISTER_H

#include "client/core/core.h"

/* ERR_WRONG_STATE: not registered, or on its way. */
CHECKED struct err unregister_begin(struct core *c, struct db_txn *t, uint64_t *ret_task);
/* unregister_chats.c: leaves every chat: asks to be removed, which others carry out. */
CHECKED struct err unregister_leave(struct core *c, struct db_txn *t);

#endif
