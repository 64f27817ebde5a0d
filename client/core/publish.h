/* Publishing KeyPackages, for those who don't look at MLS (key_package.h does). */
#ifndef CLIENT_CORE_PUBLISH_H
#define CLIENT_CORE_PUBLISH_H

#include "client/core/core.h"

/* Leaves a task that publishes a fresh batch, unless there is one. */
CHECKED struct err key_package_publish(struct core *c, struct db_txn *t);
/* Is there one? Its end wakes all waiting tasks. */
CHECKED struct err key_package_publishing(struct core *c, struct db_txn *t, bool *ret_there);

#endif
