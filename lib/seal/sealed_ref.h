/* Sealed queue references (protocol.md 6): where a leaf's messages go, readable by its queue
 * service only.
 *
 *     plaintext  struct { uint8 version = 1; opaque queue_client_id[16]; opaque tag[16]; opaque
 * push_token_key<V>; opaque signature<V>; }            signature, label "QueueReferenceInside", by
 * the queue client's key over queue_client_id || tag || push_token_key sealed     struct { opaque
 * kem_output<V>; opaque ciphertext<V>; }  HPKE, info "Hearth 1 QueueReference" || domain outside
 * signature by the leaf's key, label "QueueReference", over struct { opaque domain<V>; opaque
 * sealed<V>; }
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
    uint8_t push_token_key[PUSH_TOKEN_KEY_BYTES];
    bool has_push_token_key;
    struct signature signature; /* inner; filled by open, made by seal */
};

/* Client: draws the tag, signs inside with the queue client's key, seals to the service's key.
 * Appends to b. ret_tag: QUEUE_TAG_BYTES, what items will carry. */
CHECKED struct err sealed_ref_seal(struct buf *b, const struct rng *rng, struct bytes service_key,
                                   struct bytes domain, const struct queue_ref *ref,
                                   const struct sig_key *queue_client_key);
/* Queue service (in the keeper): opens. Errors: wire errors, ERR_CRYPTO_TAG, ... The inner
 * signature is not checked: the queue client's key is known to the queue service only. */
CHECKED struct err sealed_ref_open(struct bytes service_private_key,
                                   struct bytes service_public_key, struct bytes domain,
                                   struct bytes sealed, struct queue_ref *ret_ref);
/* Queue service: the inner signature. */
CHECKED struct err queue_ref_verify(const struct queue_ref *ref, struct bytes queue_client_key);

/* The outer signature, by the leaf. */
CHECKED struct err sealed_ref_sign(const struct sig_key *leaf_key, struct bytes domain,
                                   struct bytes sealed, struct signature *ret_signature);
CHECKED struct err sealed_ref_verify(const struct sig_alg *alg, struct bytes leaf_key,
                                     struct bytes domain, struct bytes sealed,
                                     struct bytes signature);

#endif
