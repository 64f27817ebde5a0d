/* Becoming a user: keys, permit, user, queue, KeyPackages, handle. One task; each of its states may
 * be repeated, and what was reached is kept: who registers again after a failure goes on there. */
#ifndef CLIENT_CORE_REGISTER_H
#define CLIENT_CORE_REGISTER_H

#include "client/core/core.h"

/* As hearth_register_options; NULL where not said. */
struct register_wish {
    const char *invitation, *domain, *root_pin, *handle, *device, *name;
};
/* ERR_ARGUMENT, ERR_DOMAIN: what can't be right; ERR_WRONG_STATE: registered, or about to be;
 * ERR_CREDENTIAL: another root is pinned for this domain. */
CHECKED struct err register_begin(struct core *c, struct db_txn *t,
                                  const struct register_wish *wish, uint64_t *ret_task);

/* What a linked device needs as well (enrol.c): fresh keys of this device's queue client. */
CHECKED struct err account_queue_keys(struct core *c, struct account *a);
/* The ClientCredential that we were given for our key: chained to the pinned root, valid now.
 * Copies both into the account. ERR_CREDENTIAL and those of credential_chain_verify. */
CHECKED struct err account_take_credential(struct core *c, struct db_txn *t, struct account *a,
                                           struct bytes credential, struct bytes signing);
/* Taken into c->account, and written. */
CHECKED struct err account_set(struct core *c, struct db_txn *t, struct account *a);

#endif
