/* Contacts (DB_CONTACT): who they are, what they gave us, what we gave them. */
#ifndef CLIENT_CORE_CONTACT_H
#define CLIENT_CORE_CONTACT_H

#include "client/core/core.h"
#include "seal/contact_token.h"

enum { HANDLE_TEXT_MAX_BYTES = 63 + 1 + DOMAIN_MAX_BYTES };

struct contact {
    struct hearth_id id;
    enum hearth_contact_state state;
    char handle[HANDLE_TEXT_MAX_BYTES + 1]; /* as asked for, or as claimed */
    bool handle_proved;
    char name[DISPLAY_NAME_MAX_BYTES + 1];
    struct hearth_id chat;
    struct buf user_id; /* UserId, wire form; empty while not known */
    struct buf key_set; /* newest KeySet that we accepted, whole */
    bool compared, changed;
    /* from him (friendship package) */
    uint8_t queue_user_id[16];
    uint8_t contact_token[CONTACT_TOKEN_BYTES];
    uint8_t friendship_key[IDENTITY_KEY_BYTES];
    uint8_t profile_key[PROFILE_KEY_BYTES];
    bool has_package;
    /* from us */
    uint8_t contact_id[CONTACT_ID_BYTES]; /* of the token that he has */
    struct buf
        pending; /* connect.c, accept.c: what the open request needs (offer, its hash, PSK) */
};
void contact_clear(struct contact *contact); /* wipes */
CHECKED struct err contact_get(struct core *c, struct db_txn *t, const struct hearth_id *id,
                               struct contact *ret);
CHECKED struct err contact_put(struct core *c, struct db_txn *t, const struct contact *contact);
CHECKED struct err contact_by_handle(struct core *c, struct db_txn *t, const char *handle,
                                     struct hearth_id *ret_id);
/* user_id: UserId in wire form. ERR_NOT_FOUND. */
CHECKED struct err contact_by_user(struct core *c, struct db_txn *t, struct bytes user_id,
                                   struct hearth_id *ret_id);
CHECKED struct err contact_each(struct core *c, struct db_txn *t,
                                struct err (*fn)(void *arg, const struct contact *contact),
                                void *arg);
/* KeySets of a user, oldest first, as he sent them: accepted when they follow on ours; a reset is
 * taken, marks the contact changed, and is an event. */
CHECKED struct err contact_key_sets(struct core *c, struct db_txn *t, struct contact *contact,
                                    struct bytes key_sets);

/* What other parts call:
 * - handle.c: an offer came for a handle of ours */
CHECKED struct err contact_offer(struct core *c, struct db_txn *t, const char *handle,
                                 struct bytes package_hash, struct bytes offer);
/* - receive.c: in a direct chat that waits for its contact, an external commit was merged; leaf is
 *   his; the offer's PSK was in it */
CHECKED struct err contact_joined(struct core *c, struct db_txn *t, struct chat *chat,
                                  uint32_t leaf);
/* - receive.c: the sealed answer of a refusal */
CHECKED struct err contact_refused(struct core *c, struct db_txn *t, struct chat *chat,
                                   struct bytes sealed);
/* - receive.c: CONTENT_FRIENDSHIP, CONTENT_PROFILE, CONTENT_KEY_SET by a member whose contact it is
 */
CHECKED struct err contact_content(struct core *c, struct db_txn *t,
                                   const struct hearth_id *contact, uint16_t kind,
                                   struct bytes body);
/* - receive.c: CONTENT_DEVICE_NEWS in the devices' chat */
CHECKED struct err devices_news(struct core *c, struct db_txn *t, struct bytes body);
/* - mls_client_ops.psk of group processing: the offer hash of a contact that was asked */
CHECKED struct err contact_psk(struct core *c, struct db_txn *t, struct bytes psk_id,
                               struct buf *psk);

#endif
