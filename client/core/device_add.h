/* The existing device's part in adding a new one, once the new one has signed its KeySet. */
#ifndef CLIENT_CORE_DEVICE_ADD_H
#define CLIENT_CORE_DEVICE_ADD_H

#include "client/core/core.h"

struct device_add {
    const uint8_t *uuid; /* UUID_BYTES, of the client */
    const char *name;
    struct bytes credential_request, key_set;
    struct bytes queue_auth_key, queue_key; /* of its queue client */
};
/* TASK_DEVICE_ADD: AddClient and CreateQueueClient; then (link_granted) waits until the new one has
 * KeyPackages, and adds it to all chats. One that does not show up within a quarter of an hour is
 * removed again. */
CHECKED struct err device_add_begin(struct core *c, struct db_txn *t, const struct device_add *add,
                                    uint64_t *ret_task);

/* link.c: the task has the credential (in a step that may still fail: the same comes again then),
 * or has failed. */
void link_granted(struct core *c, uint64_t task, struct bytes credential, struct bytes signing,
                  const uint8_t queue_client_id[UUID_BYTES]);
void link_not_granted(struct core *c, uint64_t task, const struct hearth_error *error);

/* The devices' own chat, from the second device on. */
CHECKED struct err devices_chat_begin(struct core *c, struct db_txn *t);
/* For all chats that go on: all of our devices in, or one of them out. */
CHECKED struct err devices_into_chats(struct core *c, struct db_txn *t);
CHECKED struct err device_out_of_chats(struct core *c, struct db_txn *t,
                                       const uint8_t uuid[UUID_BYTES]);
/* Is it still in the devices' chat, or in one with a friend? */
CHECKED struct err device_is_in_chats(struct core *c, struct db_txn *t,
                                      const uint8_t uuid[UUID_BYTES], bool *ret_is);

#endif
