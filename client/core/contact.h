/* Contacts (DB_CONTACT): who they are, what they gave us, what we gave them.
 *
 * A contact is found by its id, by handle or by user; the latter two stand in DB_SETTING
 * ("contact-handle", "contact-user"), written with the row. A claimed handle never takes the place
 * of one that leads to a contact who asked earlier, was asked, or is a friend.
 */
#ifndef CLIENT_CORE_CONTACT_H
#define CLIENT_CORE_CONTACT_H

#include "client/core/core.h"
#include "seal/contact_token.h"

struct chat;

enum {
    HANDLE_TEXT_MAX_BYTES = 63 + 1 + DOMAIN_MAX_BYTES,
    CONTACT_ASKS_MAX = 256 /* people who wait for our answer */
};

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
    uint8_t queue_user_id[QUEUE_ID_BYTES];
    uint8_t contact_token[CONTACT_TOKEN_BYTES];
    uint8_t friendship_key[IDENTITY_KEY_BYTES];
    uint8_t friendship_before[IDENTITY_KEY_BYTES]; /* for packages that were made before; zeros:
                                                      none */
    uint8_t profile_key[PROFILE_KEY_BYTES];
    bool has_package;
    /* from us */
    uint8_t contact_id[CONTACT_ID_BYTES]; /* of the token that he has */
    uint8_t
        contact_id_before[CONTACT_ID_BYTES]; /* of another that he has (mutual.h); zeros: none */
    struct buf pending;                      /* while it is asked: core/offer.h */
    struct buf key_sets;                     /* that came before we knew who he is */
};
void contact_clear(struct contact *contact); /* wipes */
/* Storage form; also what our devices tell each other. */
void contact_write(struct buf *b, const struct contact *contact);
CHECKED struct err contact_read(struct bytes in, struct contact *ret_contact);

/* Clear what was got. ERR_NOT_FOUND. */
CHECKED struct err contact_get(struct core *c, struct db_txn *t, const struct hearth_id *id,
                               struct contact *ret);
CHECKED struct err contact_put(struct core *c, struct db_txn *t, const struct contact *contact);
CHECKED struct err contact_drop(struct core *c, struct db_txn *t, const struct hearth_id *id);
CHECKED struct err contact_by_handle(struct core *c, struct db_txn *t, const char *handle,
                                     struct hearth_id *ret_id);
/* user_id: UserId in wire form. ERR_NOT_FOUND. */
CHECKED struct err contact_by_user(struct core *c, struct db_txn *t, struct bytes user_id,
                                   struct hearth_id *ret_id);
CHECKED struct err contact_each(struct core *c, struct db_txn *t,
                                struct err (*fn)(void *arg, const struct contact *contact),
                                void *arg);
/* KeySets of a user, oldest first, as he sent them: accepted when they follow on ours; a reset is
 * taken, marks the contact changed, and is an event; what does not follow is an event and changes
 * nothing. Changes the struct only: contact_put afterwards. */
CHECKED struct err contact_key_sets(struct core *c, struct db_txn *t, struct contact *contact,
                                    struct bytes key_sets);
/* The same without database and events, for a first set, too (`known` empty, label is 1 ||
 * UserId). The newest is put in the place of what known holds. ERR_KEY_SET, ERR_CRYPTO_SIGNATURE,
 * wire errors: nothing changes. */
enum key_sets_say { KEY_SETS_SAME, KEY_SETS_NEWER, KEY_SETS_RESET };
CHECKED struct err key_sets_follow(struct buf *known, struct bytes user_id, struct bytes key_sets,
                                   enum key_sets_say *ret_says);
/* An event about the contact. text may be NULL. */
CHECKED struct err contact_event(struct core *c, struct db_txn *t, enum hearth_event_kind kind,
                                 const struct contact *contact, const char *text);

/* ---- verbs, for the doors (core/door_*.c). Tasks' numbers are for op_new. */

/* connect.c: asks for a connection. handle: "bob@b.test". ERR_ARGUMENT, ERR_DOMAIN: no handle;
 * ERR_CLIENT_CONTACT: is one already, or was asked. */
CHECKED struct err contact_ask(struct core *c, struct db_txn *t, const char *handle,
                               struct hearth_id *ret_contact, uint64_t *ret_task);
/* accept.c, refuse.c: of one who asks (ERR_CLIENT_CONTACT else). */
CHECKED struct err contact_accept(struct core *c, struct db_txn *t, const struct hearth_id *contact,
                                  uint64_t *ret_task);
CHECKED struct err contact_refuse(struct core *c, struct db_txn *t, const struct hearth_id *contact,
                                  uint64_t *ret_task);
/* friendship.c: whatever he is. */
CHECKED struct err contact_remove(struct core *c, struct db_txn *t, const struct hearth_id *contact,
                                  uint64_t *ret_task);

/* He is a friend from here on: offers forgotten, our keys sent, our other devices brought in. Saves
 * the contact, which is another row afterwards where mutual.h says so. */
CHECKED struct err contact_befriend(struct core *c, struct db_txn *t, struct contact *contact);
/* Keys or names of contacts are others now: the leaves of all chats are looked at again. */
CHECKED struct err contacts_changed(struct core *c, struct db_txn *t);
/* One who is asked no more, or asks no more: his offers are forgotten, the chat that waited is
 * deleted, the row is gone. */
CHECKED struct err contact_give_up(struct core *c, struct db_txn *t, const struct hearth_id *id);
/* Is his chat this group? */
bool contact_chat_has_group(struct core *c, struct db_txn *t, const struct contact *contact,
                            struct bytes group_id);
/* The offers in pending can't be answered any more; pending becomes empty. */
CHECKED struct err contact_forget_offers(struct db_txn *t, struct contact *contact);
/* A contact that another device told of: its offers can be answered here, too. */
CHECKED struct err contact_remember_offers(struct db_txn *t, const struct contact *contact);

/* ---- what other parts call:
 * - handle.c: an offer came for a handle of ours. What is wrong with it is no error. */
CHECKED struct err contact_offer(struct core *c, struct db_txn *t, const char *handle,
                                 struct bytes package_hash, struct bytes offer);
/* - receive.c: in a direct chat that waits for its contact, an external commit was merged; leaf is
 *   his; the offer's PSK was in it */
CHECKED struct err contact_joined(struct core *c, struct db_txn *t, struct chat *chat,
                                  uint32_t leaf);
/* - receive.c: the sealed answer of a refusal */
CHECKED struct err contact_refused(struct core *c, struct db_txn *t, struct chat *chat,
                                   struct bytes sealed);
/* - receive.c: CONTENT_FRIENDSHIP, CONTENT_PROFILE, CONTENT_KEY_SET by a member whose contact it
 *   is; in a direct chat by whoever is not of our user (he may not be verified yet: what he says is
 *   then kept until he is) */
CHECKED struct err contact_content(struct core *c, struct db_txn *t,
                                   const struct hearth_id *contact, uint16_t kind,
                                   struct bytes body);
/* - receive.c: CONTENT_DEVICE_NEWS in the devices' chat */
CHECKED struct err devices_news(struct core *c, struct db_txn *t, struct bytes body);
/* - mls_client_ops.psk of group processing: the offer hash of a contact that was asked.
 *   ERR_MLS_PSK_UNKNOWN. */
CHECKED struct err contact_psk(struct core *c, struct db_txn *t, struct bytes psk_id,
                               struct buf *psk);

/* ---- what handle.c gives to contacts and devices */

/* Private half of a connection package of ours, whichever handle's, by connection_package_hash.
 * ERR_NOT_FOUND. */
CHECKED struct err handle_package_get(struct core *c, struct db_txn *t, struct bytes package_hash,
                                      struct secret *ret_private, struct public_key *ret_public);
/* A handle of ours, "alice@a.test", to sign offers with; "" when there is none. */
CHECKED struct err handle_own(struct core *c, struct db_txn *t,
                              char ret_handle[HANDLE_TEXT_MAX_BYTES + 1]);
/* All handles with their keys, and taking over those of another device (replacing none that is
 * there). The form is handle.c's own; at most 32 KiB. Wire errors. */
CHECKED struct err handles_write(struct core *c, struct db_txn *t, struct buf *b);
CHECKED struct err handles_take(struct core *c, struct db_txn *t, struct bytes in);
/* One was given up on another device: forgets it here. */
CHECKED struct err handle_forget(struct core *c, struct db_txn *t, const char *handle);

/* - handle.c, when a handle was taken or given up here: tells our other devices */
CHECKED struct err devices_tell_handles(struct core *c, struct db_txn *t, const char *given_up);

#endif
