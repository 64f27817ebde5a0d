/* The devices of one user: their names (DB_DEVICE), the chain of their KeySets, and what they tell
 * each other in the devices' chat.
 *
 *     struct { uint8 version = 1; uint8 what; opaque body<V>; } DeviceNews     CONTENT_DEVICE_NEWS
 *
 * What one device changes of what all share is told to the others in the step that changes it; what
 * is told twice is the same once.
 */
#ifndef CLIENT_CORE_DEVICES_H
#define CLIENT_CORE_DEVICES_H

#include "client/core/contact.h"
#include "client/core/core.h"

enum { DEVICE_KEY_SETS_MAX = 64 };

/* Append, never renumber. */
enum device_news {
    NEWS_CONTACT = 1,      /* Contact (contact_write) */
    NEWS_CONTACT_GONE = 2, /* opaque id[16] */
    NEWS_HANDLES = 3,      /* handles_write */
    NEWS_HANDLE_GONE = 4,  /* UTF-8 */
    NEWS_USER = 5,         /* struct user_secrets */
    NEWS_PROFILE = 6,      /* display name */
    NEWS_KEY_SETS = 7,     /* our own, opaque key_set<V> each */
    NEWS_DEVICE = 8,       /* Device */
    NEWS_COMPARED = 9,     /* opaque id[16]; uint8 compared */
};

/* By the KeySet. */
size_t devices_count(const struct core *c);
/* Tells our other devices; nothing when there are none. */
CHECKED struct err devices_tell(struct core *c, struct db_txn *t, enum device_news what,
                                struct bytes body);
/* NEWS_USER. */
CHECKED struct err devices_tell_user(struct core *c, struct db_txn *t);
CHECKED struct err devices_tell_contact(struct core *c, struct db_txn *t,
                                        const struct contact *contact);

/* ---- the KeySets */

/* All of ours that are known, oldest first, opaque key_set<V> each; the newest DEVICE_KEY_SETS_MAX.
 * Appends. */
CHECKED struct err own_key_sets_write(struct core *c, struct db_txn *t, struct buf *b);
/* The next one: into the account and the chain; told to friends and devices. */
CHECKED struct err own_key_set_next(struct core *c, struct db_txn *t, struct bytes key_set);

/* A chain that was verified, as it is. */
CHECKED struct err own_key_sets_keep(struct db_txn *t, struct bytes key_sets);
/* Told by another device: taken where they follow. */
CHECKED struct err own_key_sets_take(struct core *c, struct db_txn *t, struct bytes key_sets);

/* ---- names: struct { uint8 version = 1; opaque uuid[16]; opaque name<V>;
 *      uint64 added_ms; opaque queue_client_id[16]; } Device, id client uuid */
struct device {
    uint8_t uuid[UUID_BYTES];
    char name[DEVICE_NAME_MAX_BYTES + 1];
    uint64_t added_ms;
    uint8_t queue_client_id[UUID_BYTES]; /* zeros: not known */
};
CHECKED struct err device_put(struct db_txn *t, const struct device *device);
CHECKED struct err device_get(struct db_txn *t, const uint8_t uuid[UUID_BYTES],
                              struct device *ret_device);
void device_write(struct buf *b, const struct device *device);
CHECKED struct err device_read(struct bytes in, struct device *ret_device);
CHECKED struct err device_tell(struct core *c, struct db_txn *t, const struct device *device);
/* Of all that the KeySet names, this one included; fn's false ends it. */
CHECKED struct err devices_each(struct core *c, struct db_txn *t,
                                bool (*fn)(const struct hearth_device *device, void *arg),
                                void *arg);

/* ---- verbs */

/* device_remove.c. ERR_CLIENT_DEVICE: this one, or none of ours. */
CHECKED struct err device_remove_begin(struct core *c, struct db_txn *t,
                                       const struct hearth_id *device, uint64_t *ret_task);

/* ---- friendship.c, of use to several */
struct friendship;
/* What a contact gets from us. Wipe it. */
void friendship_of_us(const struct core *c, const uint8_t contact_id[CONTACT_ID_BYTES],
                      struct friendship *ret_friendship);
/* To the direct chat of one friend, or (all) of every friend. */
CHECKED struct err friendship_send(struct core *c, struct db_txn *t, const struct contact *contact);
CHECKED struct err friendship_send_all(struct core *c, struct db_txn *t);
/* Content of one kind to every friend's direct chat. */
CHECKED struct err friends_tell(struct core *c, struct db_txn *t, uint16_t kind, struct bytes body);
/* A new friendship key, and KeyPackages under it; told to friends and devices. */
CHECKED struct err friendship_rotate(struct core *c, struct db_txn *t);
/* New keys of the queue record and of contact tokens: what a removed device knew is good for
 * nothing any more. */
CHECKED struct err friendship_replace_keys(struct core *c, struct db_txn *t);

/* ---- calls as our client (Auth) and as our queue record (Queue), on their own connections */
struct task_call;
CHECKED struct err account_request(struct core *c, struct task_call *call, const char *method,
                                   const ProtobufCMessage *in);
CHECKED struct err queue_user_request(struct core *c, struct task_call *call, const char *method,
                                      const ProtobufCMessage *in);

#endif
