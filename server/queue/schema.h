/* queue.db: tables and statements (docs/server.md, ids at rest).
 *
 *     table            key                      sealed content (record.h, state.h, tag.h,
 * package.h) queue_user       random number            keys, rows of its clients queue_revoked user
 * contact ids whose tokens are refused queue_client     random number            keys, push token,
 * policy queue_state      client                   ratchet, counters, marks: the row that changes
 * most queue_item       client, sequence         the ratchet's own ciphertext queue_tag client, PRF
 * of the tag   first origin, last number taken, blocked key_package      client, number bundle;
 * number 0 is the one of last resort key_package_day  PRF of day, contact, owner      took one
 * today (DoS7) queue_dead       client                   deleted, its rows are being swept away
 *     once             once.h
 *
 * Numbers of users and clients are drawn at random, never counted: the order in which queues were
 * made must not be readable beside the order in which users registered (P4). Rows of a queue lie
 * together by (client, sequence) in one 63-bit key, not in the order of arrival: that order would
 * show which queues got a message at the same time, hence who is in a group with whom (ME3).
 * Nothing outside the sealed contents links a client to its user.
 */
#ifndef SERVER_QUEUE_SCHEMA_H
#define SERVER_QUEUE_SCHEMA_H

#include "server/front/charge.h"
#include "server/front/once.h"
#include "store/store.h"

enum queue_statement {
    SQL_USER_ADD,
    SQL_USER_BY_ID,
    SQL_USER_BY_ROW,
    SQL_USER_SET,
    SQL_USER_DELETE,
    SQL_REVOKED_GET,
    SQL_REVOKED_SET,
    SQL_REVOKED_DELETE,
    SQL_CLIENT_ADD,
    SQL_CLIENT_BY_ID,
    SQL_CLIENT_BY_ROW,
    SQL_CLIENT_SET,
    SQL_CLIENT_DELETE,
    SQL_CLIENT_NEXT,
    SQL_STATE_ADD,
    SQL_STATE_GET,
    SQL_STATE_SET,
    SQL_STATE_DELETE,
    SQL_STATE_NEXT,
    SQL_ITEM_ADD,
    SQL_ITEM_RANGE,
    SQL_ITEM_DELETE,
    SQL_ITEM_OLD,
    SQL_ITEM_EMPTY,
    SQL_ITEM_SWEEP,
    SQL_TAG_GET,
    SQL_TAG_SET,
    SQL_TAG_OLD,
    SQL_TAG_DELETE,
    SQL_TAG_SWEEP,
    SQL_PACKAGE_ADD,
    SQL_PACKAGE_GET,
    SQL_PACKAGE_SET,
    SQL_PACKAGE_FIRST,
    SQL_PACKAGE_COUNT,
    SQL_PACKAGE_DELETE,
    SQL_PACKAGE_OLD,
    SQL_PACKAGE_SWEEP,
    SQL_TAKEN_ADD,
    SQL_TAKEN_OLD,
    SQL_DEAD_ADD,
    SQL_DEAD_HAS,
    SQL_DEAD_NEXT,
    SQL_DEAD_DELETE,
    SQL_ONCE, /* ONCE_STATEMENT_COUNT rows */
    SQL_PURSE = SQL_ONCE + ONCE_STATEMENT_COUNT,
    SQL_COUNT = SQL_PURSE + PURSE_STATEMENT_COUNT
};

extern const struct store_schema queue_schema;

/* The 63-bit key of what belongs to a client: 29 bits of client, 34 of sequence. A queue that has
 * used up its numbers (years of 500 items a second) is over. */
enum { QUEUE_CLIENT_BITS = 29, QUEUE_SEQUENCE_BITS = 34 };
#define QUEUE_SEQUENCE_MOST ((UINT64_C(1) << QUEUE_SEQUENCE_BITS) - 1)

static inline uint64_t queue_row_key(uint64_t client, uint64_t sequence)
{
    return client << QUEUE_SEQUENCE_BITS |
           (sequence > QUEUE_SEQUENCE_MOST ? QUEUE_SEQUENCE_MOST : sequence);
}

static inline uint64_t queue_row_sequence(uint64_t key)
{
    return key & QUEUE_SEQUENCE_MOST;
}

#endif
