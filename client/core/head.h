/* Heads: what each member has said so far, compared inside MLS, so that a homeserver that withholds
 * messages, turns their order round or tells members different things is found out (DoS15).
 *
 * Each message to all names the one before it of the same sender, and the newest messages of others
 * that its sender has. The homeserver sees none of this. Since every queue holds a group's messages
 * in the group's order (G3), whoever reads a message has got what it names, or it was kept from
 * him: a HEARTH_EVENT_WITHHELD says so, with how many. What the homeserver said it lost (LOSS
 * events) is not said again.
 *
 *     plaintext of an application message
 *         struct { uint8 version = 2; opaque head<V>; opaque content<V>; zeros }
 *             zeros: as many as make the MLSMessage one of five sizes, each of which fills a queue
 *             item of one of the six (ME1)
 *         or a Content alone (content.h, version 1), which is not held against anything
 *     head
 *         struct { uint8 lane; varint number;      of the sender's messages in this lane, from 1
 *                  varint in_epoch;                the how many-th of this epoch, from 1
 *                  opaque previous[8];             hash of the one before, zeros for the first
 *                  Claim claims<V>; }              at most HEAD_CLAIMS
 *         struct { opaque pseudonym[8]; uint8 lane; varint epochs_ago, number; opaque hash[8]; }
 *             Claim                                a message of another leaf that the sender has
 *     hash of a message: SHA-256("Hearth 1 Head" || previous[8] || uint8 lane || uint64 number ||
 *         content), its first 8 bytes. Only who knows what is said can make one: members.
 *
 * A homeserver that accepts two commits in one epoch leads members into two groups under one name:
 * what the others say does not open then, which is the same event (head_forked).
 *
 * Lanes are those of sending (group.h): in each, one message is under way at a time, so numbers are
 * dense even where a message fails. Not covered: messages to one member, the last messages of all
 * (nobody names them yet), what was said before one joined, and silence.
 *
 *     DB_HEAD, id chat id: struct { uint8 version = 1; Own own[2]; uint8 forgot; Head heads<V>; }
 *         struct { uint64 number, before, epoch; opaque hash[8]; } Own
 *         struct { opaque pseudonym[16]; uint8 lane, flags; uint64 epoch, number; opaque hash[8]; }
 *             Head                                 newest first, at most HEADS_MAX
 *             flags: 1 none of ours has named it yet, 2 it did not come, others say it was there
 */
#ifndef CLIENT_CORE_HEAD_H
#define CLIENT_CORE_HEAD_H

#include "client/core/group.h"

enum { HEAD_HASH_BYTES = 8, HEAD_PREFIX_BYTES = 8, HEAD_CLAIMS = 3, HEADS_MAX = 64 };

/* Content, with the head that makes it the next of our messages in the lane. Appends. Nothing
 * counts before head_sent. */
CHECKED struct err head_wrap(struct core *c, struct db_txn *t, const struct open_chat *chat,
                             const uint8_t lane[16], struct bytes content, struct buf *plain);
/* That content was accepted, which had been wrapped in this epoch. */
CHECKED struct err head_sent(struct core *c, struct db_txn *t, const struct open_chat *chat,
                             const uint8_t lane[16], uint64_t epoch, struct bytes content);

/* One that came. pseudonym: of its sender, in the epoch it was made. What does not fit is an
 * event, errors are ours. ret_content: a view; empty where it is nonsense. */
struct head_from {
    const uint8_t *pseudonym; /* PSEUDONYM_BYTES; NULL: not known, and nothing is compared */
    uint64_t epoch;
};
CHECKED struct err head_take(struct core *c, struct db_txn *t, struct open_chat *chat,
                             const struct head_from *from, struct bytes plaintext,
                             struct bytes *ret_content);

/* A message of the group's epoch does not open with its keys: an event. */
CHECKED struct err head_forked(struct core *c, struct db_txn *t, const struct open_chat *chat);

/* So many items were lost, which people were told: they will be missed here. */
CHECKED struct err head_told(struct core *c, struct db_txn *t, uint64_t count);

CHECKED struct err head_drop(struct core *c, struct db_txn *t, const struct hearth_id *chat);

#endif
