/* Our KeyPackages: made, published, used once (DB_KEY_PACKAGE by tag). */
#ifndef CLIENT_CORE_KEY_PACKAGE_H
#define CLIENT_CORE_KEY_PACKAGE_H

#include "client/core/chat.h"

enum { KEY_PACKAGES_PUBLISHED = 20, KEY_PACKAGES_LEAST = 8 };

/* What is kept of one: the leaf as in struct chat, and the MLS private parts. */
struct own_key_package {
    struct chat leaf; /* only what chat_new_leaf fills */
    struct key_package_bundle bundle;
    struct digest ref;
    bool last_resort;
    uint64_t batch; /* the task that published it */
    uint64_t made_ms;
};
void own_key_package_clear(struct own_key_package *p);
CHECKED struct err key_package_by_tag(struct core *c, struct db_txn *t, const uint8_t tag[16],
                                      struct own_key_package *ret_package);
/* For one use, of the batch published last: as far as we know, those handed out may not be used
 * yet. */
CHECKED struct err key_package_left(struct core *c, struct db_txn *t, size_t *ret_left);
/* It was used: its private keys go (not those of last resort, which is replaced by the next
 * publishing), and new ones are published when few are left. */
CHECKED struct err key_package_used(struct core *c, struct db_txn *t, const uint8_t tag[16]);
/* Leaves a task that publishes a fresh batch, unless there is one. Earlier ones that may still be
 * under way are kept for their lifetime. */
CHECKED struct err key_package_publish(struct core *c, struct db_txn *t);

#endif
