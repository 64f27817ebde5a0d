/* Labels, what the VRF is computed over, and commitments (transparency.md 4; the structures are
 * those of draft-ietf-keytrans-protocol).
 *
 *     label = uint8 kind || bytes                                       1 to 255 bytes
 *     struct { opaque label<0..2^8-1>; uint32 version; } VrfInput;      index =
 * VRF(VrfInput)[0..31] struct { opaque value<0..2^32-1>; } UpdateValue; struct { opaque
 * opening[16]; opaque label<0..2^8-1>; uint32 version; UpdateValue update; } CommitmentValue;
 *     commitment = HMAC-SHA256(Kc, CommitmentValue)
 */
#ifndef TLOG_COMMITMENT_H
#define TLOG_COMMITMENT_H

#include "crypto/vrf.h"
#include "tlog/hash_value.h"

enum {
    LABEL_SYSTEM = 0x00, /* "config", "token-keys", "federation", "credentials" */
    LABEL_USER = 0x01,   /* UserId; the value is a KeySet */
    LABEL_HANDLE = 0x02, /* handle hash; the value is a KeySet of the handle's key */
    LABEL_MAX_BYTES = 255,
    OPENING_BYTES = 16,
    INDEX_BYTES = HASH_VALUE_BYTES, /* first half of the VRF's output */
    TLOG_VALUE_MAX_BYTES = 16384,   /* of a value, here */
};

/* ERR_ARGUMENT for a label that is empty or too long. */
CHECKED struct err tlog_index_prove(const struct vrf_key *key, struct bytes label, uint32_t version,
                                    uint8_t ret_proof[VRF_PROOF_BYTES],
                                    uint8_t ret_index[INDEX_BYTES]);
/* The index that the proof shows. Errors of vrf_verify, ERR_ARGUMENT. */
CHECKED struct err tlog_index_verify(struct bytes public_key, struct bytes label, uint32_t version,
                                     struct bytes proof, uint8_t ret_index[INDEX_BYTES]);
/* label of at most 255 bytes, value of at most 2^32 - 1. */
void tlog_commit(const uint8_t opening[OPENING_BYTES], struct bytes label, uint32_t version,
                 struct bytes value, struct hash_value *ret_commitment);

#endif
