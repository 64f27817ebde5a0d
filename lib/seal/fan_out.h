/* What the delivery service sends to members: sealed under a key that they hold and queue services
 * and peers don't (protocol.md 7, fan-out), because MLS framing shows group, epoch and sender.
 *
 *     struct { uint8 kind; uint64 accepted_s; opaque body[what is left]; } DeliveryItem
 *     padded: pad.h around a DeliveryItem
 *     to members: uint8 0 || nonce[12] || AES-256-GCM(key, nonce, "", padded)
 *         key = ExpandWithLabel(state key, "fan-out", group id, 32)      the state key before this
 *         request
 *     to a joiner: uint8 1 || kem_output<V> || ciphertext
 *         joiners (their Welcome) have no state key yet: EncryptWithLabel to the KeyPackage's init
 *         key, label "Joiner", no context, of padded
 *
 * The padding makes every sealed payload QUEUE_ITEM_HEAD_BYTES shorter than one of the six sizes,
 * whatever its form and suite, so that the queue item around it is exactly of that size and not of
 * the next one.
 */
#ifndef SEAL_FAN_OUT_H
#define SEAL_FAN_OUT_H

#include "crypto/hpke.h"
#include "crypto/secret.h"
#include "seal/queue_ratchet.h"

enum {
    STATE_KEY_BYTES = 32,
    DELIVERY_ITEM_HEAD_BYTES = 1 + 8,
    /* A body of this size fits in either form and every suite; what is larger goes in parts. */
    FAN_OUT_BODY_MAX_BYTES = QUEUE_BODY_MAX_BYTES - 231,
    FAN_OUT_SEALED_MAX_BYTES = QUEUE_BODY_MAX_BYTES,
    FAN_OUT_PARTS_MAX = 64, /* of one item: 6 MiB */
    PART_ID_BYTES = 16,
};

/* Append kinds, never renumber. Numbers are big-endian, vectors <V>. */
enum delivery_kind {
    /* MLSMessage(PrivateMessage) */
    DELIVERY_MESSAGE = 1,
    /* struct { opaque commit<V>; opaque external_pub_hash<V>; LeafNews leaves<V>; } */
    DELIVERY_COMMIT = 2,
    /* struct { uint8 reason; opaque message<V>; }: MLSMessage(PublicMessage), and why */
    DELIVERY_PROPOSAL = 3,
    /* The rotated state key, see state_key_seal */
    DELIVERY_STATE_KEY = 4,
    /* MLSMessage(Welcome) with this joiner's secrets alone */
    DELIVERY_WELCOME = 5,
    /* struct { uint32 sender_leaf; opaque message<V>; } */
    DELIVERY_TARGETED = 6,
    /* the sealed answer of RefuseConnection */
    DELIVERY_REFUSED = 7,
    /* struct { uint64 count; }: so many messages to this member were given up */
    DELIVERY_LOSS = 8,
    /* struct { uint64 epoch; uint32 reporter_leaf; opaque commit_hash[32]; } */
    DELIVERY_FAULT = 9,
    /* the group is gone */
    DELIVERY_DELETED = 10,
    /* a leaf's record changed: LeafNews */
    DELIVERY_LEAF_NEWS = 11,
    /* a piece of an item that is too large for one payload, see fan_out_seal_part */
    DELIVERY_PART = 12,
};

struct delivery_item {
    enum delivery_kind kind; /* of a newer server: a number that is not listed; to be skipped */
    uint64_t accepted_s;     /* when the server accepted it, seconds since 1970 */
    struct bytes body;
};

/* Appends. On failure b holds what it held. ERR_TOO_LARGE over FAN_OUT_BODY_MAX_BYTES. */
CHECKED struct err fan_out_seal(struct buf *b, const struct rng *rng,
                                const uint8_t state_key[STATE_KEY_BYTES], struct bytes group_id,
                                const struct delivery_item *item);
/* The plaintext is appended to scratch, the body points there. ERR_CRYPTO_TAG with the wrong state
 * key, wire errors (ERR_WIRE_VALUE for a payload to a joiner). */
CHECKED struct err fan_out_open(const uint8_t state_key[STATE_KEY_BYTES], struct bytes group_id,
                                struct bytes sealed, struct buf *scratch,
                                struct delivery_item *ret_item);
/* To one joiner by the init key of its KeyPackage, in the KeyPackage's suite; the item is
 * self-contained. Errors: also those of kem_encap and kem_decap. */
CHECKED struct err fan_out_seal_joiner(struct buf *b, const struct rng *rng,
                                       const struct hpke_suite *suite, struct bytes init_key,
                                       const struct delivery_item *item);
CHECKED struct err fan_out_open_joiner(const struct hpke_suite *suite,
                                       struct bytes init_private_key, struct bytes init_public_key,
                                       struct bytes sealed, struct buf *scratch,
                                       struct delivery_item *ret_item);
/* Is it to a joiner? Says nothing about whether it opens. */
static inline bool fan_out_is_joiner(struct bytes sealed)
{
    return sealed.len > 0 && sealed.data[0] == 1;
}

/* Large items (commits that add many members, or with long paths) go as several payloads of kind
 * DELIVERY_PART, in order:
 *
 *     struct { opaque id[16]; uint16 index; uint16 count; opaque piece[what is left]; }
 *
 * The pieces joined are the DeliveryItem. The delivery service draws the id. A receiver that finds
 * a part missing drops the others; it then lacks a commit, and resyncs. */

/* Payloads that an item takes: 1 up to FAN_OUT_BODY_MAX_BYTES (then fan_out_seal), 0 when it is too
 * large for FAN_OUT_PARTS_MAX. */
size_t fan_out_parts(size_t body_bytes);
/* Part `index` (below fan_out_parts) of an item that takes several. */
CHECKED struct err fan_out_seal_part(struct buf *b, const struct rng *rng,
                                     const uint8_t state_key[STATE_KEY_BYTES],
                                     struct bytes group_id, const struct delivery_item *item,
                                     const uint8_t id[PART_ID_BYTES], size_t index);
struct fan_out_part {
    const uint8_t *id; /* PART_ID_BYTES */
    uint16_t index, count;
    struct bytes piece;
};
/* The body of a DELIVERY_PART. Wire errors; ERR_WIRE_VALUE unless index < count and
 * 2 <= count <= FAN_OUT_PARTS_MAX. */
CHECKED struct err fan_out_part_parse(struct bytes body, struct fan_out_part *ret_part);
/* A DeliveryItem, of pieces joined. Views into the input. */
CHECKED struct err delivery_item_parse(struct bytes in, struct delivery_item *ret_item);

/* The rotated state key to a leaf's encryption key, in the group's suite: the body of
 * DELIVERY_STATE_KEY.
 *
 *     struct { uint64 epoch; opaque kem_output<V>; opaque ciphertext<V>; }
 *         EncryptWithLabel, label "StateKey", context struct { opaque group_id<V>; uint64 epoch; }
 *
 * Appends; on failure b holds what it held. Errors: those of kem_encap. */
CHECKED struct err state_key_seal(struct buf *b, const struct rng *rng,
                                  const struct hpke_suite *suite, struct bytes encryption_key,
                                  struct bytes group_id, uint64_t epoch,
                                  const uint8_t state_key[STATE_KEY_BYTES]);
/* The epoch that a body speaks of, before it is opened: the homeserver's word only. Wire errors. */
CHECKED struct err state_key_epoch(struct bytes body, uint64_t *ret_epoch);
/* Wire errors, ERR_CRYPTO_TAG, those of kem_decap. */
CHECKED struct err state_key_open(const struct hpke_suite *suite, struct bytes private_key,
                                  struct bytes public_key, struct bytes group_id, struct bytes body,
                                  uint64_t *ret_epoch, uint8_t ret_state_key[STATE_KEY_BYTES]);
/* The same where the leaf's private key is not at hand but a door to it (lib/mls/member/group.h,
 * group_leaf_decrypt): decrypt does DecryptWithLabel. Errors: its own. */
struct leaf_decrypt {
    CHECKED struct err (*decrypt)(void *self, struct bytes prefix, struct bytes label,
                                  struct bytes context, struct bytes kem_output,
                                  struct bytes ciphertext, uint8_t *ret_plaintext);
    void *self;
};
CHECKED struct err state_key_open_with(const struct leaf_decrypt *leaf, struct bytes group_id,
                                       struct bytes body, uint64_t *ret_epoch,
                                       uint8_t ret_state_key[STATE_KEY_BYTES]);

#endif
