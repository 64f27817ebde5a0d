/* Sealed queue references (protocol.md 6): where a leaf's messages go, readable by its queue
 * service only.
 *
 *     struct { uint8 version = 1; opaque queue_client_id[16]; opaque tag[16];
 *              uint8 has_push_token_key; opaque push_token_key[32]; } Where
 *     struct { Where where; opaque signature<V>; } Inside
 *         signature: the queue client's key over Where, label "QueueReferenceInside"
 *     struct { opaque kem_output<V>; opaque ciphertext<V>; } Sealed
 *         HPKE of Inside, info "Hearth 1 QueueReference" || domain
 *     outside, beside it: the leaf's signature over struct { opaque domain<V>; opaque sealed<V>; },
 *         label "QueueReference"
 *
 * An absent push token key is 32 zeros, so all references have one length (under Ed25519).
 */
#ifndef SEAL_SEALED_REF_H
#define SEAL_SEALED_REF_H

#include "crypto/hpke.h"
#include "crypto/sig.h"

enum {
    QUEUE_ID_BYTES = 16,
    QUEUE_TAG_BYTES = 16,
    PUSH_TOKEN_KEY_BYTES = 32,
    SEALED_REF_MAX_BYTES = 512
};

/* X25519, HKDF-SHA256, AES-128-GCM: the HPKE suite of all our own envelopes. */
extern const struct hpke_suite *const seal_hpke;

struct queue_ref {
    uint8_t queue_client_id[QUEUE_ID_BYTES];
    uint8_t tag[QUEUE_TAG_BYTES];
    uint8_t push_token_key[PUSH_TOKEN_KEY_BYTES]; /* zeros when absent */
    bool has_push_token_key;
    struct signature signature; /* inner; filled by open, made by seal */
};

/* Client: signs inside with the queue client's key, seals to the service's key. ref: all but the
 * signature; the tag is 16 random bytes that the client draws for each group and remembers, since
 * the items will carry it. Appends to b, which on failure holds what it held. */
CHECKED struct err sealed_ref_seal(struct buf *b, const struct rng *rng, struct bytes service_key,
                                   struct bytes domain, const struct queue_ref *ref,
                                   const struct sig_key *queue_client_key);
/* Queue service (in the keeper): opens. Errors: wire errors (ERR_WIRE_LIMIT over
 * SEALED_REF_MAX_BYTES), ERR_CRYPTO_TAG, those of kem_decap. The inner signature is not checked:
 * the queue client's key is known to the queue service only. */
CHECKED struct err sealed_ref_open(struct bytes service_private_key,
                                   struct bytes service_public_key, struct bytes domain,
                                   struct bytes sealed, struct queue_ref *ret_ref);
/* Queue service: the inner signature. Errors: those of sig_verify. */
CHECKED struct err queue_ref_verify(const struct queue_ref *ref, struct bytes queue_client_key);

/* The outer signature, by the leaf. */
CHECKED struct err sealed_ref_sign(const struct sig_key *leaf_key, struct bytes domain,
                                   struct bytes sealed, struct signature *ret_signature);
CHECKED struct err sealed_ref_verify(const struct sig_alg *alg, struct bytes leaf_key,
                                     struct bytes domain, struct bytes sealed,
                                     struct bytes signature);

#endif
