/* Chats: groups that we are, or were, a member of. What is kept of one, and its MLS group in
 * memory.
 *
 * DB_CHAT holds struct chat, DB_GROUP and DB_RATCHETS the MLS group in its pieces
 * (mls/member/group_save.h), DB_ROSTER who its leaves are (core/roster.h). A chat is found by its
 * id, by a tag that queue items carry, or by its GroupId.
 *
 * All chats' records are in memory once one was asked for; groups and rosters as they are opened.
 */
#ifndef CLIENT_CORE_CHAT_H
#define CLIENT_CORE_CHAT_H

#include "client/core/core.h"
#include "mls/member/group.h"
#include "seal/fan_out.h"
#include "seal/sealed_ref.h"
#include "wire/reader.h"

enum {
    CHAT_STATE_KEYS = 8,
    CHAT_IDENTITY_KEYS = 64, /* before the one of now */
    CHAT_ROTATIONS = 8,
    CHAT_TAGS = 32,
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
    uint64_t state_key_epoch; /* that the newest came with */
    /* The group's, now, and those before it, newest first: leaves that came earlier are wrapped
     * under those. identity_epoch: the epoch that the one of now belongs to. */
    uint8_t identity_key[IDENTITY_KEY_BYTES];
    uint64_t identity_epoch;
    uint8_t identity_before[CHAT_IDENTITY_KEYS][IDENTITY_KEY_BYTES];
    size_t identity_before_count;
    /* commits that removed somebody, newest first: their committers may name a new identity key */
    struct chat_rotation {
        uint64_t epoch;
        uint32_t leaf;
    } rotations[CHAT_ROTATIONS];
    size_t rotation_count;
    /* who made the last commits, newest first: for reports that somebody could not follow one */
    struct chat_rotation committers[CHAT_ROTATIONS];
    size_t committer_count;
    uint64_t joined_epoch; /* that our leaf came with */
    /* our leaf */
    struct sig_key leaf_key;
    uint8_t tag[QUEUE_TAG_BYTES], pseudonym[PSEUDONYM_BYTES], leaf_identity_key[IDENTITY_KEY_BYTES],
        user_pseudonym[PSEUDONYM_BYTES];
    struct buf credential, reference, reference_signature;
    /* Items may carry these, too: those of leaves before, newest first, since what was queued for
     * them may still wait when the second commit after them is made; and that of one that is being
     * committed (zeros: none). */
    uint8_t tags_before[CHAT_TAGS][QUEUE_TAG_BYTES], tag_next[QUEUE_TAG_BYTES];
    size_t tags_before_count;
    uint64_t seen;
    enum hearth_notify notify;
    uint64_t broken_epoch; /* state BROKEN: the first that we can't follow */
    /* The task whose commit may have been accepted: items of later epochs wait (DB_HELD), and no
     * other commit is made. 0: none. */
    uint64_t commit_task;
    bool leaving; /* we proposed our removal */
};
void chat_clear(struct chat *chat); /* wipes */
struct bytes chat_group_id(const struct chat *chat);
/* Domain of the homeserver that owns the group; empty before it has an id. View. */
struct bytes chat_domain(const struct chat *chat);
/* A state key and the epoch that it came with: the newest goes first. */
void chat_add_state_key(struct chat *chat, const uint8_t key[STATE_KEY_BYTES], uint64_t epoch);
/* Of the commit that led to this epoch. */
void chat_committed(struct chat *chat, uint64_t epoch, uint32_t leaf);
/* The tag of now becomes one of before: another follows. */
void chat_retire_tag(struct chat *chat);
/* A group identity key that holds from this epoch on. */
void chat_add_identity_key(struct chat *chat, const uint8_t key[IDENTITY_KEY_BYTES],
                           uint64_t epoch);

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
    struct mls_client client;     /* signs as our leaf; the time is now */
    struct roster *roster;        /* never NULL */
    bool replaying, replay_again; /* held.c */
};
CHECKED struct err chat_open(struct core *c, struct db_txn *t, const struct hearth_id *id,
                             struct open_chat **ret_chat);
CHECKED struct err chat_by_tag(struct core *c, struct db_txn *t, const uint8_t tag[QUEUE_TAG_BYTES],
                               struct hearth_id *ret_id);
CHECKED struct err chat_by_group_id(struct core *c, struct db_txn *t, struct bytes group_id,
                                    struct hearth_id *ret_id);
/* The next one: several chats may be STARTING with a group's id beside the one that is in it, and
 * those that are OVER keep it until another is OPEN (join_line.c). NULL: the first. */
CHECKED struct err chat_by_group_id_after(struct core *c, struct db_txn *t, struct bytes group_id,
                                          const struct hearth_id *after, struct hearth_id *ret_id);
/* Takes chat and group over (both are emptied; *group may be NULL); roster starts empty.
 * ERR_WRONG_STATE for an id that is there. */
CHECKED struct err chat_add(struct core *c, struct db_txn *t, struct chat *chat,
                            struct mls_group **group);
/* Another group in the place of the one the chat has (resync), or none: NULL. Takes it over. */
void chat_set_group(struct open_chat *chat, struct mls_group **group);
/* Writes what changed: the record, and of the group only the part that is not as it was written. */
CHECKED struct err chat_save(struct core *c, struct db_txn *t, struct open_chat *chat);
/* Out of memory, unsaved (core_step does it after a failed step; core_close at the end). */
void chat_forget(struct core *c);
CHECKED struct err chat_each(struct core *c, struct db_txn *t,
                             struct err (*fn)(void *arg, struct open_chat *chat), void *arg);

/* A leaf of ours for a new group or KeyPackage: fresh key, pseudonym, identity key, tag, sealed
 * credential and queue reference. Fills those members of chat. ERR_NOT_FOUND while the keys of our
 * homeserver are not there (homeserver_want). */
CHECKED struct err chat_new_leaf(struct core *c, struct db_txn *t, struct chat *chat);
/* Those members alone, for rows of others. Read wipes what it read where it fails. */
void chat_leaf_write(struct buf *b, const struct chat *chat);
void chat_leaf_read(struct wire_reader *r, struct chat *chat);
/* Moves those members; to's are cleared first. */
void chat_leaf_move(struct chat *to, struct chat *from);

/* Storage form of struct chat. */
void chat_write(struct buf *b, const struct chat *chat);
CHECKED struct err chat_read(struct bytes in, struct chat *ret_chat);

#endif
