/* Chats: groups that we are, or were, a member of. What is kept of one, and its MLS group in
 * memory.
 *
 * DB_CHAT holds struct chat, DB_GROUP and DB_RATCHETS the MLS group in its two parts
 * (mls/member/group.h, storage), DB_ROSTER who its leaves are (core/roster.h). A chat is found by
 * its id, by the tag that queue items carry, or by its GroupId.
 */
#ifndef CLIENT_CORE_CHAT_H
#define CLIENT_CORE_CHAT_H

#include "client/core/core.h"
#include "mls/member/group.h"
#include "seal/fan_out.h"

enum {
    CHAT_STATE_KEYS = 8,
    CHAT_NAME_MAX_BYTES = 128,
    CHAT_KIND_DEVICES = 3 /* beside hearth_chat_kind */
};

struct chat {
    struct hearth_id id;
    int kind; /* enum hearth_chat_kind, or CHAT_KIND_DEVICES: never shown */
    enum hearth_chat_state state;
    char name[CHAT_NAME_MAX_BYTES + 1]; /* of a group */
    struct hearth_id contact;           /* of a direct chat */
    uint8_t group_id[NAME_MAX_BYTES];
    size_t group_id_len;
    /* newest first; items still under way may be sealed under older ones */
    uint8_t state_keys[CHAT_STATE_KEYS][STATE_KEY_BYTES];
    size_t state_key_count;
    uint8_t identity_key[IDENTITY_KEY_BYTES]; /* the group's, now */
    uint8_t identity_key_before[IDENTITY_KEY_BYTES];
    /* our leaf */
    struct sig_key leaf_key;
    uint8_t tag[16], pseudonym[16], leaf_identity_key[IDENTITY_KEY_BYTES], user_pseudonym[16];
    struct buf credential, reference, reference_signature;
    uint64_t seen;
    enum hearth_notify notify;
    uint64_t broken_epoch; /* state BROKEN: the first that we can't follow */
    bool commit_sent; /* our commit may have been accepted: items of later epochs wait (DB_HELD) */
};
void chat_clear(struct chat *chat); /* wipes */
struct bytes chat_group_id(const struct chat *chat);
/* Domain of the homeserver that owns the group. View. */
struct bytes chat_domain(const struct chat *chat);

/* The MLS suite and configuration of all of Hearth's own groups. */
const struct suite *chat_suite(void);
struct mls_group_config chat_group_config(void);
/* What our KeyPackages and leaves say, with the credential given. */
struct leaf_profile chat_leaf_profile(struct bytes leaf_credential);

/* In memory, with its group; borrowed from the cache until the step ends. group is NULL while the
 * chat is STARTING without one, or OVER. ERR_NOT_FOUND. */
struct open_chat {
    struct chat chat;
    struct mls_group *group;
    struct mls_client client; /* signs as our leaf */
    struct roster *roster;
};
CHECKED struct err chat_open(struct core *c, struct db_txn *t, const struct hearth_id *id,
                             struct open_chat **ret_chat);
CHECKED struct err chat_by_tag(struct core *c, struct db_txn *t, const uint8_t tag[16],
                               struct hearth_id *ret_id);
CHECKED struct err chat_by_group_id(struct core *c, struct db_txn *t, struct bytes group_id,
                                    struct hearth_id *ret_id);
/* Takes chat and group over (both are emptied); roster starts empty. */
CHECKED struct err chat_add(struct core *c, struct db_txn *t, struct chat *chat,
                            struct mls_group **group);
/* Writes what changed: the record, and of the group only the part that is not as it was written. */
CHECKED struct err chat_save(struct core *c, struct db_txn *t, struct open_chat *chat);
/* Out of memory, unsaved (core_step does it after a failed step). */
void chat_forget(struct core *c);
CHECKED struct err chat_each(struct core *c, struct db_txn *t,
                             struct err (*fn)(void *arg, struct open_chat *chat), void *arg);

/* A leaf of ours for a new group or KeyPackage: fresh key, pseudonym, identity key, tag, sealed
 * credential and queue reference. Fills those members of chat. */
CHECKED struct err chat_new_leaf(struct core *c, struct db_txn *t, struct chat *chat);

#endif
