/* What can be done in and with groups: the verbs that leave tasks, and what they have in common. */
#ifndef CLIENT_CORE_GROUP_H
#define CLIENT_CORE_GROUP_H

#include "client/core/chat.h"
#include "client/core/content.h"
#include "client/core/task.h"
#include "hearth/v1/delivery.pb-c.h"
#include "seal/delivery_body.h"

/* Lanes of a chat: what people want goes one after the other in that of its id; what the library
 * does beside it must not wait behind that. */
enum chat_lane {
    CHAT_LANE = 0,        /* the chat's id */
    CHAT_LANE_COVER = 1,  /* commits of others' proposals */
    CHAT_LANE_RESYNC = 2, /* joining again */
    CHAT_LANE_KEYS = 3,   /* new group identity keys */
    CHAT_LANE_ROSTER = 4, /* leaves that are pending */
};
void chat_lane(const struct hearth_id *chat, enum chat_lane lane, uint8_t ret_lane[16]);

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
    bool cover;                      /* pending proposals; nothing to do without them */
};
enum { WISH_ADD_MAX = 64, WISH_REMOVE_MAX = 64 };
/* ERR_CLIENT_CHAT_STATE unless the chat is open (or starts, for who founded it),
 * ERR_CLIENT_NOT_ADMIN, ERR_NOT_FOUND for contacts and members that are not there,
 * ERR_CLIENT_NO_PACKAGE for contacts who gave us no friendship package. */
CHECKED struct err group_wish(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                              const struct commit_wish *wish, uint64_t *ret_task);
/* A group of us alone at our homeserver. kind as in struct chat; contact of a direct one, else
 * NULL; name may be NULL. The chat is there (STARTING) from this step on; a direct one stays so
 * until its contact has come. Our further devices are added afterwards. */
CHECKED struct err group_create_begin(struct core *c, struct db_txn *t, int kind, const char *name,
                                      const struct hearth_id *contact, struct hearth_id *ret_chat,
                                      uint64_t *ret_task);
/* With all our devices. Who is alone deletes the group. */
CHECKED struct err group_leave_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                     uint64_t *ret_task);
/* ERR_CLIENT_NOT_ADMIN. */
CHECKED struct err group_delete_begin(struct core *c, struct db_txn *t,
                                      const struct hearth_id *chat, uint64_t *ret_task);
/* There is at most one at a time: the task under way is returned. */
CHECKED struct err group_resync_begin(struct core *c, struct db_txn *t,
                                      const struct hearth_id *chat, uint64_t *ret_task);
/* Content to all; message_number: the DB_MESSAGE row whose state follows, 0: none. Refused at once
 * where a leaf is unverified (ERR_CLIENT_UNVERIFIED), and what is no message of the user's also
 * where one is late (ERR_CLIENT_MEMBER_LATER); what is pending is waited for. */
CHECKED struct err group_send(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                              const struct content *content, uint64_t message_number,
                              uint64_t *ret_task);
/* The same to all leaves of one user. */
CHECKED struct err group_send_to(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                 const uint8_t user_pseudonym[16], const struct content *content,
                                 uint64_t message_number, uint64_t *ret_task);
/* identity_key.c: what a member said of it; and a fresh leaf, if that of ours has grown old. */
CHECKED struct err identity_key_take(struct core *c, struct db_txn *t, struct open_chat *chat,
                                     uint32_t leaf, struct bytes body);
CHECKED struct err identity_key_renew(struct core *c, struct db_txn *t,
                                      const struct open_chat *chat);
/* Tells the members the key that identities are wrapped under from here on, and those
 * before it. */
CHECKED struct err group_tell_identity_key(struct core *c, struct db_txn *t,
                                           const struct open_chat *chat);
/* chat_setting.c: which items wake us. */
CHECKED struct err group_notify_begin(struct core *c, struct db_txn *t,
                                      const struct hearth_id *chat, enum hearth_notify notify,
                                      uint64_t *ret_task);
/* chat_setting.c: a fresh queue reference (the push token's key changed). */
CHECKED struct err group_reference_begin(struct core *c, struct db_txn *t,
                                         const struct hearth_id *chat, uint64_t *ret_task);
/* chat_setting.c: our profile key, wrapped for the members, to where others find it. */
CHECKED struct err group_profile_key_begin(struct core *c, struct db_txn *t,
                                           const struct hearth_id *chat, uint64_t *ret_task);

/* ---- what is so */

/* Are we one, by the group's context? False without a group. */
bool group_we_are_admin(const struct open_chat *chat);
bool group_is_admin(const struct open_chat *chat, const uint8_t user_pseudonym[PSEUDONYM_BYTES]);
/* Name and kind in the group's data. ERR_NOT_FOUND: there is none, or none that we can open: it may
 * be sealed under an identity key that we have not. */
CHECKED struct err group_read_data(const struct open_chat *chat,
                                   char ret_name[CHAT_NAME_MAX_BYTES + 1], int *ret_kind);
/* A group's name as that says, where it says one. */
CHECKED struct err group_take_name(struct open_chat *chat);
/* A member's name for a line in the chat: his handle, else the profile's name, else "somebody". */
CHECKED struct err group_member_name(struct core *c, struct db_txn *t, const struct open_chat *chat,
                                     uint32_t leaf, char ret_name[80]);
/* It is over for us: state, event and note (text may be NULL), its tasks end. Saves. */
CHECKED struct err group_over(struct core *c, struct db_txn *t, struct open_chat *chat,
                              const char *text);

/* ---- pieces of requests (also for accept.c, which joins from outside)
 *
 * Filled in place: messages point into the struct and into what it was made of, so neither may move
 * before the request is packed. */

ProtobufCBinaryData pb_of(struct bytes view); /* borrows; nobody writes through it */

struct request_id {
    Hearth__V1__Idempotency message;
};
void request_id_of(const struct task *task, struct request_id *ret_id);

struct group_access {
    Hearth__V1__GroupAccess message;
};
/* Group and newest state key. */
void group_access_of(const struct chat *chat, struct group_access *ret_access);

/* LeafRecord beside our own leaf, and its LeafNews for the authenticated_data (leaf_keys_write). */
struct own_record {
    Hearth__V1__LeafRecord message;
    Hearth__V1__QueueReference reference;
    char domain[DOMAIN_MAX_BYTES + 1];
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    struct buf wrapped_profile;
    struct signature countersignature;
    struct leaf_news news;
};
/* before: the key of a leaf of ours that is in, which countersigns the user pseudonym; NULL when
 * none is. Clear it. */
CHECKED struct err own_record_make(struct core *c, const struct chat *chat,
                                   const struct sig_key *before, struct own_record *ret_record);
void own_record_clear(struct own_record *record);

/* Of a GroupInfo (MLSMessage) what the server can't compute; views into it. Clear it. */
struct info_parts {
    Hearth__V1__GroupInfoParts message;
    struct arena arena;
    struct buf extensions;
};
CHECKED struct err info_parts_of(struct bytes group_info, struct info_parts *ret_parts);
void info_parts_clear(struct info_parts *parts);

/* Fills a call to the chat's homeserver on the chat's own connection, signed by our leaf (unless
 * anonymous) and packs in. */
CHECKED struct err group_call(struct core *c, const struct open_chat *chat, struct task_call *call,
                              const char *method, const ProtobufCMessage *in);
CHECKED struct err group_call_unsigned(struct core *c, const struct chat *chat,
                                       struct task_call *call, const char *method,
                                       const ProtobufCMessage *in);
/* The same with a request packed before, and, where our leaf changed since, the leaf that it is
 * signed by. */
CHECKED struct err group_call_packed(struct core *c, const struct chat *chat, uint32_t leaf,
                                     const struct sig_key *leaf_key, struct task_call *call,
                                     const char *method, struct bytes request);

/* What an answer to a member's request means. */
enum group_answer {
    GROUP_ANSWER_OK,
    GROUP_ANSWER_STALE, /* another epoch, other proposals, unknown group or state key: catch up */
    GROUP_ANSWER_REFUSED,
};
/* ret_epoch: of a WrongEpoch detail, else 0. */
enum group_answer group_answer_of(const struct task_answer *answer, uint64_t *ret_epoch);
/* After a STALE answer: has the task wait until what was queued has come. tries: how often in a
 * row; at GROUP_STALE_MAX the caller gives up instead. */
enum { GROUP_STALE_MAX = 12 };
/* prepare, before the request is built again: was it woken before its time, and the group is still
 * at the epoch that was stale? Each drained queue wakes it, and the commit that is missing may be
 * under way from another homeserver for minutes: to ask all tries away by then would be to give up
 * what comes, as who joins anew can't read what was said meanwhile. One early try is fine. */
bool group_waits_on(struct core *c, const struct task *task, const struct open_chat *chat,
                    uint32_t tries, uint64_t epoch);
CHECKED struct err group_catch_up(struct core *c, struct task *task, uint32_t tries,
                                  enum task_next *ret_next);
/* The same, or at GROUP_STALE_MAX the task's end (CLIENT_LOST_STEP). */
CHECKED struct err group_try_again(struct core *c, struct task *task, uint32_t tries,
                                   enum task_next *ret_next);

/* ---- roster from a tree's records, in the order of its leaves (GetWelcomeInfo,
 * GetExternalCommitInfo): ERR_WIRE_VALUE when there are more or fewer than leaves, or one is
 * malformed. The group may be an external commit ahead of them: own is the leaf that it brought,
 * former the one that it removed; UINT32_MAX: none. */
CHECKED struct err group_records(struct core *c, struct db_txn *t, struct open_chat *chat,
                                 Hearth__V1__PublicLeafRecord *const *records, size_t count,
                                 uint32_t own, uint32_t former);

#endif
