/* The group's settings in its GroupContext, client side: roles, external senders, sealed data.
 *
 *     group data extension (GROUP_DATA_EXTENSION_TYPE):
 *         struct { uint8 version = 1; opaque sealed[what is left]; }
 *         sealed: nonce[12] || AES-256-GCM(key, nonce, aad group id, padded)      seal/envelope.h
 *         key:    ExpandWithLabel(group identity key, "group data", group id, 32)
 *         padded: pad.h around struct { opaque name<V>; uint8 kind; what is left is for later },
 *                 256 bytes in all; kind as in struct chat
 *
 * The group identity key rather than an exporter: the data outlives epochs, and members who come
 * later hold the identity keys before (IDENTITY_HISTORY below).
 *
 *     Welcome extension IDENTITY_HISTORY_EXTENSION_TYPE (private use, beside seal/welcome_keys.h):
 *         struct { uint64 epoch; opaque keys<V>; }      the epoch of the identity key of now; the
 *                                                       keys before it, 32 bytes each, newest first
 */
#ifndef CLIENT_CORE_GROUP_DATA_H
#define CLIENT_CORE_GROUP_DATA_H

#include "client/core/chat.h"

enum { IDENTITY_HISTORY_EXTENSION_TYPE = 0xF1E4, GROUP_ADMINS_MAX = 256 };

/* Contents of the data extension. */
CHECKED struct err group_data_seal(struct core *c, const struct chat *chat, const char *name,
                                   struct buf *b);
/* Under any identity key that the chat holds. ERR_CRYPTO_TAG, wire errors. */
CHECKED struct err group_data_open(const struct chat *chat, struct bytes data,
                                   char ret_name[CHAT_NAME_MAX_BYTES + 1], int *ret_kind);

/* The context's extensions of a new group: external_senders with the server's key, roles with us as
 * admin, data. Appends the list's contents. */
CHECKED struct err group_context_first(struct core *c, const struct chat *chat,
                                       struct bytes sender_key, struct buf *list);
/* The present ones with changes: promote, demote: user pseudonyms or NULL; name or NULL.
 * ERR_ARGUMENT when nobody would be admin, ERR_TOO_LARGE. */
CHECKED struct err group_context_next(struct core *c, const struct open_chat *chat,
                                      const uint8_t *promote, const uint8_t *demote,
                                      const char *name, struct buf *list);

void identity_history_write(const struct chat *chat, struct buf *b);
CHECKED struct err identity_history_read(struct bytes data, struct chat *chat);

#endif
