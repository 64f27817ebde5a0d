/* What can be done in and with groups: the verbs that leave tasks, and what they have in common. */
#ifndef CLIENT_CORE_GROUP_H
#define CLIENT_CORE_GROUP_H

#include "client/core/chat.h"
#include "client/core/content.h"
#include "client/core/task.h"

/* A wish is kept until a commit with it was accepted, through lost races; each is one commit. */
struct commit_wish {
    const struct hearth_id *add; /* contacts: all of their devices */
    size_t add_count;
    bool add_devices;            /* own devices that are not in */
    const uint8_t (*remove)[16]; /* user pseudonyms: all of their leaves */
    size_t remove_count;
    const uint8_t (*remove_clients)[16]; /* client uuids of own devices */
    size_t remove_client_count;
    const uint8_t *promote, *demote; /* user pseudonym, or NULL */
    const char *rename;              /* or NULL */
    bool update;                     /* fresh leaf */
};
CHECKED struct err group_wish(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                              const struct commit_wish *wish, uint64_t *ret_task);
/* A group of us alone at our homeserver. kind as in struct chat; contact of a direct one. The chat
 * is there (STARTING) from this step on. */
CHECKED struct err group_create_begin(struct core *c, struct db_txn *t, int kind, const char *name,
                                      const struct hearth_id *contact, struct hearth_id *ret_chat,
                                      uint64_t *ret_task);
CHECKED struct err group_leave_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                     uint64_t *ret_task);
CHECKED struct err group_delete_begin(struct core *c, struct db_txn *t,
                                      const struct hearth_id *chat, uint64_t *ret_task);
CHECKED struct err group_resync_begin(struct core *c, struct db_txn *t,
                                      const struct hearth_id *chat, uint64_t *ret_task);
/* Content to all; message_number: the DB_MESSAGE row whose state follows, 0: none. */
CHECKED struct err group_send(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                              const struct content *content, uint64_t message_number,
                              uint64_t *ret_task);
/* The same to all leaves of one user. */
CHECKED struct err group_send_to(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                 const uint8_t user_pseudonym[16], const struct content *content,
                                 uint64_t message_number, uint64_t *ret_task);

/* ---- for those who join from outside (accept.c, resync.c) */

/* Requests' common parts; views into the chat and call. */
struct group_access;
/* LeafRecord beside our own leaf, and its LeafKeys for the authenticated_data. */
struct own_record;

#endif
