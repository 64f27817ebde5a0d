/* The answer to a connection offer that needs no group (protocol.md 5): a refusal, sealed to the
 * key in the offer and carried by Delivery.RefuseConnection (DELIVERY_REFUSED in fan_out.h).
 *
 *     struct {
 *         uint8 version = 1;
 *         uint8 kind;
 *         uint8 reason;
 *         opaque text<V>;             UTF-8, shown as said by the other
 *     } Answer
 *     sealed   struct { opaque kem_output<V>; opaque ciphertext<V>; }
 *         HPKE (seal_hpke) to the answer key, info "Hearth 1 ConnectionAnswer" || hash of the
 * offer, of pad.h around Answer, CONNECTION_ANSWER_BYTES in all
 *
 * Who can make one has the offer, since its hash is bound: the recipient, or somebody it gave the
 * offer to. It is not signed, so nobody learns the recipient's client by it.
 */
#ifndef SEAL_CONNECTION_ANSWER_H
#define SEAL_CONNECTION_ANSWER_H

#include "seal/connection_offer.h"

enum { CONNECTION_ANSWER_BYTES = 1024, CONNECTION_ANSWER_TEXT_MAX_BYTES = 512 };

/* Append, never renumber. */
enum connection_answer_kind {
    CONNECTION_REFUSED = 1,
    CONNECTION_ACCEPTED = 2, /* a hint: the external commit is what counts */
};
enum connection_reason {
    CONNECTION_REASON_NONE = 0,     /* none given */
    CONNECTION_REASON_UNWANTED = 1, /* a person said no */
    CONNECTION_REASON_BUSY = 2,     /* too many offers: ask again later */
    CONNECTION_REASON_EXPIRED = 3,  /* the package or the credential was out of date */
    CONNECTION_REASON_INVALID = 4,  /* the offer does not verify */
    CONNECTION_REASON_VERSION = 5,  /* a version that the recipient does not know */
};

struct connection_answer {
    enum connection_answer_kind kind;
    enum connection_reason reason; /* of a newer client: a number that is not listed */
    struct bytes text;
};

/* Recipient of the offer. Appends CONNECTION_ANSWER_BYTES; on failure b holds what it held.
 * ERR_TOO_LARGE for the text, ERR_ARGUMENT for another kind, those of kem_encap. */
CHECKED struct err connection_answer_seal(struct buf *b, const struct rng *rng,
                                          struct bytes answer_key,
                                          const uint8_t offer_hash[CONNECTION_OFFER_HASH_BYTES],
                                          const struct connection_answer *answer);
/* Sender of the offer. The plaintext is appended to scratch, the text points there. Wire errors
 * (ERR_WIRE_VALUE for a kind that is not listed), ERR_CRYPTO_TAG, those of kem_decap. */
CHECKED struct err connection_answer_open(struct bytes private_key, struct bytes public_key,
                                          const uint8_t offer_hash[CONNECTION_OFFER_HASH_BYTES],
                                          struct bytes sealed, struct buf *scratch,
                                          struct connection_answer *ret_answer);

#endif
