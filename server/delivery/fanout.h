/* What one request sends out: payloads sealed towards members before the transaction, written to
 * the outbox inside it (G2). A payload is sealed once for all who get the same; large items go in
 * parts (seal/fan_out.h).
 */
#ifndef SERVER_FANOUT_H
#define SERVER_FANOUT_H

#include "base/arena.h"
#include "server/delivery/delivery_inside.h"
#include "server/delivery/group_state.h"

enum { FANOUT_TAG_BYTES = 16 }; /* NOTICE_BYTES */

/* One payload and where it goes: rows[first .. first + count). */
struct fanout_payload {
    struct buf sealed;
    size_t first, count;
};
/* Zero state is safe to clear. Rows have copies of domain and reference, so that the state of a
 * large group need not be kept while the request waits for the writer. */
struct fanout {
    struct fanout_payload *payloads; /* owned */
    size_t payload_count, payload_cap;
    struct outbox_row *rows; /* owned */
    size_t row_count, row_cap;
    uint8_t (*rested)[FANOUT_TAG_BYTES]; /* owned; whom a payload was not sent to, for they rest */
    size_t rested_count, rested_cap;
    const struct delivery *rested_of;
    struct arena memory; /* of what rows point to */
};
void fanout_clear(struct fanout *f);

/* Whose, and under which key: the state key that members hold before the request. */
struct fanout_from {
    const struct delivery *d;
    struct bytes group_id;
    const uint8_t *state_key; /* STATE_KEY_BYTES */
    uint64_t accepted_s;
};
/* How rows are marked. A leaf's own policy (F19) decides over what is said here: one with MARKED is
 * woken only where it is called by name, one with NONE never. */
struct fanout_how {
    bool notify;               /* members may be woken */
    bool control;              /* commits and Welcomes */
    bool loss;                 /* tells of a loss */
    bool called;               /* it is meant for just those it goes to */
    const uint32_t *mentioned; /* indices of leaves that are called by name; borrowed */
    size_t mentioned_count;
};

#define FANOUT_NOBODY UINT32_MAX
/* To each of the leaves that have a queue, but those that rest, which are noted, and the one with
 * index `except` (FANOUT_NOBODY: to all). ERR_TOO_LARGE over FAN_OUT_PARTS_MAX parts. */
CHECKED struct err fanout_all(struct fanout *f, const struct fanout_from *from,
                              enum delivery_kind kind, struct bytes body,
                              const struct leaf_entry *leaves, size_t count, uint32_t except,
                              struct fanout_how how);
CHECKED struct err fanout_one(struct fanout *f, const struct fanout_from *from,
                              enum delivery_kind kind, struct bytes body,
                              const struct leaf_entry *leaf, struct fanout_how how);
/* A Welcome: to the init key, since the joiner has no state key yet. ERR_TOO_LARGE. */
CHECKED struct err fanout_joiner(struct fanout *f, const struct fanout_from *from,
                                 const struct hpke_suite *suite, struct bytes init_key,
                                 struct bytes body, const struct leaf_entry *leaf);

/* In the transaction: all payloads, in order, and one more loss for each who rests. */
CHECKED struct err fanout_write(struct store_txn *txn, const struct outbox *outbox,
                                const struct fanout *f);

#endif
