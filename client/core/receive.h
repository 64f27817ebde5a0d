/* What the files of receiving share (receive.c and its neighbours). */
#ifndef CLIENT_CORE_RECEIVE_H
#define CLIENT_CORE_RECEIVE_H

#include "client/core/group.h"
#include "seal/fan_out.h"
#include "seal/queue_ratchet.h"

enum { HELD_MAX = 2048, BEFORE_MAX = 4 };

/* ---- receive.c: one item of a chat, opened; it may be held back again */
CHECKED struct err receive_delivery(struct core *c, struct db_txn *t, struct open_chat *chat,
                                    const struct delivery_item *item);
/* One that is sealed still, under one of the chat's state keys. ret_opened: was it? */
CHECKED struct err receive_sealed(struct core *c, struct db_txn *t, struct open_chat *chat,
                                  struct bytes sealed, bool *ret_opened);
CHECKED struct err receive_event(struct core *c, struct db_txn *t, const struct open_chat *chat,
                                 enum hearth_event_kind kind, uint64_t count, const char *text);

/* ---- receive_commit.c, receive_message.c */
CHECKED struct err receive_commit(struct core *c, struct db_txn *t, struct open_chat *chat,
                                  const struct delivery_item *item);
CHECKED struct err receive_proposal(struct core *c, struct db_txn *t, struct open_chat *chat,
                                    const struct delivery_item *item);
CHECKED struct err receive_message(struct core *c, struct db_txn *t, struct open_chat *chat,
                                   const struct delivery_item *item);
/* An application message that was decrypted and whose sender is known. */
CHECKED struct err receive_content(struct core *c, struct db_txn *t, struct open_chat *chat,
                                   uint32_t sender_leaf, uint64_t epoch, struct bytes plaintext,
                                   uint64_t accepted_s, bool targeted);
/* After epoch or members changed, ours or another's doing: name, kind, rotations. */
CHECKED struct err receive_new_epoch(struct core *c, struct db_txn *t, struct open_chat *chat);
/* We can't follow: BROKEN, event, a task that joins again. report: hash of the commit that does not
 * hold, or NULL where something was missed. */
CHECKED struct err receive_broken(struct core *c, struct db_txn *t, struct open_chat *chat,
                                  uint64_t epoch, const uint8_t *report, const char *why);
/* Something of a later epoch came: broken, unless that was to be expected. */
CHECKED struct err receive_missed(struct core *c, struct db_txn *t, struct open_chat *chat);
/* May we be in a later epoch soon: by a commit of ours whose answer is under way (also one from
 * outside), or by joining again? */
bool receive_expects(const struct open_chat *chat);
/* The epoch that a handshake or application message was made in. */
CHECKED struct err receive_epoch(struct bytes message, uint64_t *ret_epoch);

/* ---- held.c: what waits (DB_HELD): struct { uint8 form; ... }, form 0: sealed as it came, 1:
 * uint8 kind, uint64 accepted_s, body. Beyond HELD_MAX the oldest is lost, which is told. */
CHECKED struct err hold_sealed(struct core *c, struct db_txn *t, struct open_chat *chat,
                               struct bytes sealed);
CHECKED struct err hold_item(struct core *c, struct db_txn *t, struct open_chat *chat,
                             const struct delivery_item *item);
/* Goes through all that waits, in order; what still can't be used waits again. */
CHECKED struct err held_replay(struct core *c, struct db_txn *t, struct open_chat *chat);
CHECKED struct err held_drop(struct core *c, struct db_txn *t, struct open_chat *chat);

/* ---- before.c: groups of before a resync (DB_BEFORE), newest first */
CHECKED struct err before_push(struct core *c, struct db_txn *t, struct open_chat *chat);
CHECKED struct err before_drop(struct core *c, struct db_txn *t, const struct hearth_id *chat);
/* ERR_NOT_FOUND when there is no n-th. The caller frees. */
CHECKED struct err before_get(struct core *c, struct db_txn *t, const struct open_chat *chat,
                              size_t n, struct mls_group **ret_group);
CHECKED struct err before_put(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                              size_t n, const struct mls_group *group);

/* ---- part.c: pieces of large items (DB_PART). True and the item (views into whole) when it is
 * complete. */
CHECKED struct err part_add(struct core *c, struct db_txn *t, const struct open_chat *chat,
                            struct bytes body, struct buf *whole, struct delivery_item *ret_item,
                            bool *ret_complete);

/* ---- join.c: a Welcome */
CHECKED struct err join_welcome(struct core *c, struct db_txn *t, const struct queue_item *item);
/* ---- join_line.c: Welcomes to a group that we are in */
/* The chat that is in the group, OPEN or BROKEN; NULL: none. */
CHECKED struct err join_standing(struct core *c, struct db_txn *t, struct bytes group_id,
                                 struct open_chat **ret_chat);
/* Was that chat in the group when somebody was welcomed at this epoch, or after it? */
bool join_is_stale(const struct open_chat *standing, uint64_t epoch);
/* May another chat be STARTING for fresh's group? False: it says nothing new. ERR_TOO_LARGE: 16
 * wait. */
CHECKED struct err join_room(struct core *c, struct db_txn *t, const struct chat *fresh,
                             bool *ret_room);
/* fresh, whose group was verified, is the group's chat from here on: the one that stood is over. */
CHECKED struct err join_make_way(struct core *c, struct db_txn *t, const struct open_chat *fresh);
/* Those that are STARTING for the group look again whose turn it is. */
CHECKED struct err join_wake(struct core *c, struct db_txn *t, struct bytes group_id);
/* ---- send_targeted.c */
CHECKED struct err receive_targeted(struct core *c, struct db_txn *t, struct open_chat *chat,
                                    const struct delivery_item *item);
/* ---- commit.c: pending proposals are to be committed, in a moment */
CHECKED struct err group_cover(struct core *c, struct db_txn *t, const struct hearth_id *chat);
/* ... our leaf is to be replaced, beside what people want */
CHECKED struct err group_fresh_leaf(struct core *c, struct db_txn *t, const struct hearth_id *chat);
/* ---- replace_info.c: after a commit, with the hash of the external_pub that the server now holds
 */
CHECKED struct err replace_info_check(struct core *c, struct db_txn *t, struct open_chat *chat,
                                      struct bytes hash);
/* ---- resync.c: with what is to be reported, or NULL */
CHECKED struct err resync_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                uint64_t epoch, const uint8_t *commit_hash, uint64_t *ret_task);
/* ---- send.c: in a lane of the caller's choice */
CHECKED struct err send_in_lane(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                enum chat_lane lane, const struct content *content,
                                uint64_t message_number, uint64_t *ret_task);
/* May something be sent? ERR_OK; ERR_CLIENT_CHAT_STATE, ERR_CLIENT_UNVERIFIED, ERR_CLIENT_LOG;
 * ERR_CLIENT_MEMBER_LATER: a leaf is late; ERR_NOT_FOUND: not yet (broken, or pending leaves, which
 * are tried again). */
CHECKED struct err send_ready(struct core *c, struct db_txn *t, struct open_chat *chat);

#endif
