/* What the delivery service sends to members: sealed under a key that they hold and queue services
 * and peers don't (protocol.md 7, fan-out), because MLS framing shows group, epoch and sender.
 *
 *     key    = ExpandWithLabel(state key, "fan-out", group id, 32)        the state key before this
 * request sealed = nonce[12] || AES-256-GCM(key, nonce, "", padded DeliveryItem)      padded as
 * pad.h says joiners (their Welcome part) have no state key yet: HPKE to the KeyPackage's init key,
 * label "Hearth 1 Joiner" struct { uint8 form; ... }  form 0: under the state key; 1: to a joiner
 */
#ifndef SEAL_FAN_OUT_H
#define SEAL_FAN_OUT_H

#include "crypto/hpke.h"
#include "crypto/secret.h"

enum { STATE_KEY_BYTES = 32 };

/* Append kinds, never renumber. Numbers are big-endian, vectors <V>. */
enum delivery_kind {
    DELIVERY_MESSAGE = 1, /* MLSMessage(PrivateMessage) */
    DELIVERY_COMMIT =
        2, /* struct { opaque commit<V>; opaque external_pub_hash<V>; LeafNews leaves<V>; } */
    DELIVERY_PROPOSAL =
        3, /* MLSMessage(PublicMessage), reason: struct { uint8 reason; opaque message<V>; } */
    DELIVERY_STATE_KEY =
        4, /* struct { uint64 epoch; opaque kem_output<V>; opaque ciphertext<V>; }: the rotated
              state key, HPKE to the leaf's encryption key, info "Hearth 1 StateKey" || group id */
    DELIVERY_WELCOME = 5,  /* MLSMessage(Welcome) with this joiner's secrets alone */
    DELIVERY_TARGETED = 6, /* struct { uint32 sender_leaf; opaque message<V>; } */
    DELIVERY_REFUSED = 7,  /* the sealed answer of RefuseConnection */
    DELIVERY_LOSS = 8, /* struct { uint64 count; }: so many messages to this member were given up */
    DELIVERY_FAULT = 9, /* struct { uint64 epoch; uint32 reporter_leaf; opaque commit_hash[32]; } */
    DELIVERY_DELETED = 10,   /* the group is gone */
    DELIVERY_LEAF_NEWS = 11, /* a leaf's record changed: LeafNews */
};

struct delivery_item {
    enum delivery_kind kind;
    uint64_t accepted_s; /* when the server accepted it, seconds since 1970 */
    struct bytes body;
};

CHECKED struct err fan_out_seal(struct buf *b, const struct rng *rng,
                                const uint8_t state_key[STATE_KEY_BYTES], struct bytes group_id,
                                const struct delivery_item *item);
/* Views in ret_item point into scratch. ERR_CRYPTO_TAG with the wrong state key. */
CHECKED struct err fan_out_open(const uint8_t state_key[STATE_KEY_BYTES], struct bytes group_id,
                                struct bytes sealed, struct buf *scratch,
                                struct delivery_item *ret_item);
/* To one joiner by the init key of its KeyPackage, in the KeyPackage's suite; the item is
 * self-contained. */
CHECKED struct err fan_out_seal_joiner(struct buf *b, const struct rng *rng,
                                       const struct hpke_suite *suite, struct bytes init_key,
                                       const struct delivery_item *item);
CHECKED struct err fan_out_open_joiner(const struct hpke_suite *suite,
                                       struct bytes init_private_key, struct bytes init_public_key,
                                       struct bytes sealed, struct buf *scratch,
                                       struct delivery_item *ret_item);

/* The rotated state key, HPKE to a leaf's encryption key (X25519 or NIST, by the group's suite).
 * Appends the body of DELIVERY_STATE_KEY. */
CHECKED struct err state_key_seal(struct buf *b, const struct rng *rng,
                                  const struct hpke_suite *suite, struct bytes encryption_key,
                                  struct bytes group_id, uint64_t epoch,
                                  const uint8_t state_key[STATE_KEY_BYTES]);
CHECKED struct err state_key_open(const struct hpke_suite *suite, struct bytes private_key,
                                  struct bytes public_key, struct bytes group_id, struct bytes body,
                                  uint64_t *ret_epoch, uint8_t ret_state_key[STATE_KEY_BYTES]);

#endif
