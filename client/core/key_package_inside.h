/* The files about KeyPackages. */
#ifndef CLIENT_CORE_KEY_PACKAGE_INSIDE_H
#define CLIENT_CORE_KEY_PACKAGE_INSIDE_H

#include "client/core/key_package.h"
#include "client/core/publish.h"

enum {
    KEY_PACKAGE_LIFETIME_S = 30 * 24 * 3600,
    KEY_PACKAGE_FRESH_S = 20 * 24 * 3600, /* then they are replaced */
    /* private parts stay a little longer than anybody may use the package: Welcomes travel */
    KEY_PACKAGE_KEEP_S = KEY_PACKAGE_LIFETIME_S + 15 * 24 * 3600,
};

CHECKED struct err key_package_put(struct db_txn *t, const struct own_key_package *p);
/* When the newest batch was made; 0: there is none. */
CHECKED struct err key_package_newest(struct core *c, struct db_txn *t, uint64_t *ret_made_ms);
CHECKED struct err key_package_forget_old(struct core *c, struct db_txn *t);

#endif
