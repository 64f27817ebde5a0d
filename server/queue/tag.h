/* Tags of references: who uses one, and how far it came (protocol.md 6).
 *
 *     key      client, PRF(client id, tag)
 *     cursor   sealed struct { uint8 version = 1; uint8 flags; opaque origin[16]; opaque print[16];
 *                              uint64 last; }
 *
 * A tag belongs to the first origin that uses it. `last` is the number of the last row taken from
 * it: what comes with no higher one was taken before (idempotence of queue_accept). `print` names
 * the reference whose inner signature was verified. A tag on the blocklist may have no origin yet.
 */
#ifndef SERVER_QUEUE_TAG_H
#define SERVER_QUEUE_TAG_H

#include "server/queue/inside.h"

struct queue_tag {
    uint8_t id[QUEUE_PRF_BYTES]; /* PRF */
    bool stored;                 /* there is a row */
    bool used, blocked;          /* used: origin, print and last mean something */
    uint8_t origin[QUEUE_PRF_BYTES];
    uint8_t print[QUEUE_PRF_BYTES];
    uint64_t last;
};

void queue_tag_id(const struct queue *q, struct bytes client_id, struct bytes tag,
                  uint8_t ret_id[QUEUE_PRF_BYTES]);
/* One without a row comes back as zero but for its id. */
CHECKED struct err queue_tag_get(struct store_txn *txn, const struct queue *q, uint64_t client,
                                 const uint8_t id[QUEUE_PRF_BYTES], struct queue_tag *ret_tag);
CHECKED struct err queue_tag_set(struct store_txn *txn, const struct queue *q, uint64_t client,
                                 struct queue_tag *tag, uint64_t now_s);
/* A stored cursor, as a statement gave it. */
CHECKED struct err queue_tag_read(const struct queue *q, uint64_t client, struct bytes sealed,
                                  struct queue_tag *tag);

#endif
