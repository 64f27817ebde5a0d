/* Encryption of queue items (protocol.md 6): a chain of keys that moves on with each item, and
 * fresh randomness mixed in now and then, so that neither an old nor a new database image opens
 * what lies between.
 *
 *     message key = ExpandWithLabel(chain key, "queue message", "", 32)   AES-256-GCM, nonce zero,
 * aad: uint64 sequence next chain  = ExpandWithLabel(chain key, "queue chain", "", 32) refresh =
 * HPKE to the client's queue key of 32 random bytes; next chain = HKDF-Extract(chain, bytes)
 *
 * Item 0 is the first refresh, over a chain of zeros. An item's plaintext is a queue_item, padded
 * to the sizes of pad.h. Old keys are wiped; state is a fixed-size value that each end keeps (the
 * server sealed at rest).
 */
#ifndef SEAL_QUEUE_RATCHET_H
#define SEAL_QUEUE_RATCHET_H

#include "crypto/hpke.h"
#include "crypto/secret.h"

enum {
    QUEUE_CHAIN_BYTES = 32,
    QUEUE_REFRESH_ITEMS = 100,
    QUEUE_REFRESH_HOURS = 24,
    QUEUE_ITEM_MAX_BYTES = 98304
};

struct queue_ratchet {
    uint8_t chain[QUEUE_CHAIN_BYTES];
    uint64_t sequence; /* of the next item */
};
void queue_ratchet_clear(struct queue_ratchet *r); /* wipes */

/* What an item says. Append kinds, never renumber. */
enum queue_item_kind {
    QUEUE_ITEM_REFRESH =
        0, /* body: HPKE kem_output<V> ciphertext<V>; sealed form is this alone, see below */
    QUEUE_ITEM_DELIVERY = 1, /* body: sealed by the delivery service (fan_out.h) */
    QUEUE_ITEM_GAP = 2,      /* body: struct { uint64 items; uint64 bytes; }: so many did not fit */
    QUEUE_ITEM_LAST_RESORT = 3, /* body: KeyPackageRef: the last-resort KeyPackage was handed out */
    QUEUE_ITEM_DUMMY = 4,       /* nothing: cover traffic */
};
struct queue_item {
    enum queue_item_kind kind;
    uint8_t tag[16]; /* of the reference; zero where none */
    uint32_t day;    /* when it was queued, as hours since 1970 */
    struct bytes body;
};

/* Server. Appends sealed item number r->sequence to b and moves r on. A refresh item is sent in the
 * clear frame `uint8 1 || kem_output || ciphertext`, every other as `uint8 0 || AEAD(padded item)`.
 * ERR_TOO_LARGE. */
CHECKED struct err queue_ratchet_seal(struct queue_ratchet *r, const struct queue_item *item,
                                      struct buf *b);
CHECKED struct err queue_ratchet_refresh(struct queue_ratchet *r, const struct rng *rng,
                                         struct bytes queue_key, struct buf *b);
/* Client. Opens the item numbered r->sequence; the plaintext goes to scratch, views in ret_item
 * point there. Nothing moves on failure. A refresh is mixed in and comes back as kind REFRESH with
 * an empty body. */
CHECKED struct err queue_ratchet_open(struct queue_ratchet *r, struct bytes queue_private_key,
                                      struct bytes queue_public_key, struct bytes sealed,
                                      struct buf *scratch, struct queue_item *ret_item);

#endif
