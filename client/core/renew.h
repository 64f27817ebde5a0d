/* What has to be done now and then: a credential that runs out, handles, KeyPackages, keys of our
 * homeserver. Looked at when an account is opened, and daily while it is. */
#ifndef CLIENT_CORE_RENEW_H
#define CLIENT_CORE_RENEW_H

#include "client/core/core.h"

enum { RENEW_BEFORE_DAYS = 30, UPKEEP_MS = 24 * 3600 * 1000 };

/* core.c. Sets the timer. */
CHECKED struct err upkeep_begin(struct core *c);
void upkeep_end(struct core *c);
/* Leaves the tasks that are due. Nothing before it is registered. */
CHECKED struct err upkeep_run(struct core *c, struct db_txn *t);
/* When our ClientCredential ends, seconds since 1970; 0: there is none. */
uint64_t account_credential_end(const struct account *a);
/* renew_leaves.c: our leaves and KeyPackages say who we are by the credential: fresh ones. */
CHECKED struct err renew_leaves(struct core *c, struct db_txn *t);
/* Is our newest batch of KeyPackages so old that it should be replaced? */
CHECKED struct err renew_key_packages(struct core *c, struct db_txn *t);

#endif
