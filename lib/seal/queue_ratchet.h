/* Encryption of queue items (protocol.md 6): a chain of keys that moves on with each item, and
 * fresh randomness mixed in now and then, so that neither an old nor a new database image opens
 * what lies between.
 *
 *     message key = ExpandWithLabel(chain, "queue message", "", 32)
 *     next chain  = ExpandWithLabel(chain, "queue chain", "", 32)
 *     item        = uint8 0 || AES-256-GCM(message key, nonce zero, aad uint64 sequence, padded)
 *         padded    pad.h, to one of its six sizes, of struct { uint8 kind; opaque tag[16];
 *                   uint32 hour; opaque head[32]; opaque body[what is left]; }
 *         head      the rolling hash of all that was sealed before: zeros, then
 *                   SHA-256(head || item) with each item, refreshes among them
 *     refresh     = uint8 1 || kem_output || ciphertext
 *         HPKE to the client's queue key, info "Hearth 1 QueueRefresh", aad uint64 sequence, of 32
 *         random bytes padded so that the item is as long as the shortest other;
 *         next chain = HKDF-Extract(salt chain, bytes)
 *
 * The head lets a client see that what it is handed is what was queued, all of it and in this order
 * (DoS15): numbers and keys alone would let whoever has the queue put another item in an item's
 * place. It binds him only as far as he does not seal anew all that follows: what members tell each
 * other goes beyond that.
 *
 * Every sealed item therefore has one of six lengths: QUEUE_ITEM_OVERHEAD_BYTES more than a size of
 * pad.h. Item 0 is the first refresh, over a chain of zeros. Old keys are wiped; the state is a
 * value of fixed size that each end keeps (the server sealed at rest).
 */
#ifndef SEAL_QUEUE_RATCHET_H
#define SEAL_QUEUE_RATCHET_H

#include "crypto/hpke.h"
#include "crypto/secret.h"
#include "seal/pad.h"

enum {
    QUEUE_CHAIN_BYTES = 32,
    QUEUE_REFRESH_ITEMS = 100, /* the server refreshes after so many items */
    QUEUE_REFRESH_HOURS = 24,  /* ... or so many hours, with the next item */
    QUEUE_HASH_BYTES = 32,
    QUEUE_ITEM_HEAD_BYTES = PAD_HEAD_BYTES + 1 + 16 + 4 + QUEUE_HASH_BYTES,
    QUEUE_ITEM_OVERHEAD_BYTES = 1 + 16,
    /* the longest sealed item, and the longest body */
    QUEUE_ITEM_MAX_BYTES = PAD_BUCKET_MAX_BYTES + QUEUE_ITEM_OVERHEAD_BYTES,
    QUEUE_BODY_MAX_BYTES = PAD_BUCKET_MAX_BYTES - QUEUE_ITEM_HEAD_BYTES,
};

/* The zero state is that before item 0. */
struct queue_ratchet {
    uint8_t chain[QUEUE_CHAIN_BYTES];
    uint64_t sequence; /* of the next item */
    uint8_t head[QUEUE_HASH_BYTES];
    bool head_lost; /* client: an item was not seen; the next one's head is taken as it is */
};
void queue_ratchet_clear(struct queue_ratchet *r); /* wipes */

/* What an item says. Append kinds, never renumber. */
enum queue_item_kind {
    QUEUE_ITEM_REFRESH = 0,  /* made by queue_ratchet_refresh only */
    QUEUE_ITEM_DELIVERY = 1, /* body: sealed by the delivery service (fan_out.h) */
    QUEUE_ITEM_GAP = 2,      /* body: struct { uint64 items; uint64 bytes; }: so many did not fit */
    QUEUE_ITEM_LAST_RESORT = 3, /* body: KeyPackageRef: the last-resort KeyPackage was handed out */
    QUEUE_ITEM_DUMMY = 4,       /* nothing: cover traffic */
};
struct queue_item {
    enum queue_item_kind kind; /* of a newer server: a number that is not listed; to be skipped */
    uint8_t tag[16];           /* of the reference; zero where none */
    uint32_t hour;             /* when it was queued, hours since 1970 */
    struct bytes body;
    bool astray; /* opened: it does not follow on what we were handed before. Never where the head
                    was lost, nor for a refresh, whose successor says it */
};

/* Server. Appends sealed item number r->sequence to b and moves r on; on failure both are as they
 * were. ERR_TOO_LARGE over QUEUE_BODY_MAX_BYTES; ERR_ARGUMENT for a kind REFRESH. */
CHECKED struct err queue_ratchet_seal(struct queue_ratchet *r, const struct queue_item *item,
                                      struct buf *b);
/* Likewise, a refresh. queue_key: X25519, 32 bytes. Errors: those of kem_encap. */
CHECKED struct err queue_ratchet_refresh(struct queue_ratchet *r, const struct rng *rng,
                                         struct bytes queue_key, struct buf *b);
/* Client. Opens the item numbered r->sequence; the plaintext is appended to scratch, the body
 * points there. Nothing moves on failure: ERR_CRYPTO_TAG when it is not this item, wire errors. A
 * refresh is mixed in and comes back as kind REFRESH with an empty body. */
CHECKED struct err queue_ratchet_open(struct queue_ratchet *r, struct bytes queue_private_key,
                                      struct bytes queue_public_key, struct bytes sealed,
                                      struct buf *scratch, struct queue_item *ret_item);
/* Client. Moves over the item numbered r->sequence without opening it: what waited too long comes
 * empty, only refreshes keep their contents. The head is lost. ERR_CRYPTO_EXHAUSTED. */
CHECKED struct err queue_ratchet_skip(struct queue_ratchet *r);

#endif
