/* Who a leaf is, for those who may know (protocol.md 3, leaf pseudonym).
 *
 *     credential type LEAF_CREDENTIAL_TYPE (RFC 9420 17.5, private use):
 *         struct { opaque pseudonym[16]; opaque sealed_identity<V>; }
 *     sealed_identity: 512 or 1024 bytes in all (ME1), under the leaf identity key
 *         nonce[12] || AES-256-GCM(leaf identity key, nonce, aad pseudonym, padded)
 *         padded: pad.h around struct { opaque client_credential<V>; opaque signature<V>; }
 *         signature: the client key, label "LeafBinding", over
 *             struct { opaque leaf_signature_key<V>; opaque pseudonym[16]; }
 *     wrapped identity key: the leaf identity key under the friendship key (in a KeyPackage bundle)
 *         or the group identity key: nonce[12] || AES-256-GCM(wrapping key, nonce, aad pseudonym,
 *         leaf identity key)
 *     user pseudonym: shared by a user's leaves of one group; a new leaf that claims one is
 *         countersigned by an existing leaf of it, label "UserPseudonym", over
 *             struct { opaque group_id<V>; opaque user_pseudonym[16]; opaque leaf_signature_key<V>;
 * }
 *
 * The group's settings in its GroupContext:
 *     extension type ROLES_EXTENSION_TYPE (private use):
 *         struct { opaque admins<V>; }    user pseudonyms of 16 bytes, sorted, unique; may be empty
 *     extension type GROUP_DATA_EXTENSION_TYPE: opaque bytes sealed by the members (name, picture);
 *         the server only bounds it
 */
#ifndef SEAL_LEAF_CREDENTIAL_H
#define SEAL_LEAF_CREDENTIAL_H

#include "crypto/sig.h"

enum {
    LEAF_CREDENTIAL_TYPE = 0xF1EA,
    ROLES_EXTENSION_TYPE = 0xF1E1,
    GROUP_DATA_EXTENSION_TYPE = 0xF1E2,
    PSEUDONYM_BYTES = 16,
    IDENTITY_KEY_BYTES = 32,
    WRAPPED_KEY_BYTES = 60, /* nonce, key, tag */
    SEALED_IDENTITY_SHORT_BYTES = 512,
    SEALED_IDENTITY_LONG_BYTES = 1024,
};

struct leaf_credential {
    const uint8_t *pseudonym; /* PSEUDONYM_BYTES */
    struct bytes sealed_identity;
};
/* The contents of the credential (what follows the type). Wire errors; ERR_WIRE_VALUE when
 * sealed_identity has neither of its two lengths. */
CHECKED struct err leaf_credential_parse(struct bytes in, struct leaf_credential *ret_credential);

/* Client: makes one. Appends the contents to b, which on failure holds what it held. identity_key
 * is fresh and seals nothing else. ERR_TOO_LARGE when the credential does not fit. */
CHECKED struct err leaf_credential_make(struct buf *b, const struct rng *rng,
                                        const uint8_t pseudonym[PSEUDONYM_BYTES],
                                        const uint8_t identity_key[IDENTITY_KEY_BYTES],
                                        struct bytes client_credential,
                                        const struct sig_key *client_key,
                                        struct bytes leaf_signature_key);
/* Client: opens, and checks the binding under the key in the ClientCredential, which the caller
 * verifies (chain, KeySet). ret_client_credential is a view into scratch. Errors: ERR_CRYPTO_TAG,
 * wire errors, ERR_CREDENTIAL, those of sig_verify. */
CHECKED struct err leaf_credential_open(const struct leaf_credential *credential,
                                        const uint8_t identity_key[IDENTITY_KEY_BYTES],
                                        struct bytes leaf_signature_key, struct buf *scratch,
                                        struct bytes *ret_client_credential);

/* ERR_CRYPTO_TAG when it was not wrapped so, for this leaf. */
CHECKED struct err identity_key_wrap(const struct rng *rng,
                                     const uint8_t wrapping_key[IDENTITY_KEY_BYTES],
                                     const uint8_t pseudonym[PSEUDONYM_BYTES],
                                     const uint8_t identity_key[IDENTITY_KEY_BYTES],
                                     uint8_t ret_wrapped[WRAPPED_KEY_BYTES]);
CHECKED struct err identity_key_unwrap(const uint8_t wrapping_key[IDENTITY_KEY_BYTES],
                                       const uint8_t pseudonym[PSEUDONYM_BYTES],
                                       struct bytes wrapped,
                                       uint8_t ret_identity_key[IDENTITY_KEY_BYTES]);

/* The countersignature of a user pseudonym. */
CHECKED struct err user_pseudonym_sign(const struct sig_key *leaf_key, struct bytes group_id,
                                       const uint8_t user_pseudonym[PSEUDONYM_BYTES],
                                       struct bytes new_leaf_key, struct signature *ret_signature);
CHECKED struct err user_pseudonym_verify(const struct sig_alg *alg, struct bytes leaf_key,
                                         struct bytes group_id,
                                         const uint8_t user_pseudonym[PSEUDONYM_BYTES],
                                         struct bytes new_leaf_key, struct bytes signature);

/* Contents of the roles extension. Wire errors, ERR_WIRE_VALUE when not sorted or not unique. */
CHECKED struct err roles_check(struct bytes contents);
/* False for contents that roles_check refuses. */
bool roles_is_admin(struct bytes contents, const uint8_t user_pseudonym[PSEUDONYM_BYTES]);
/* admins in any order, without repetition: sorted here. Fails the buffer when memory is short. */
void roles_write(struct buf *b, const uint8_t (*admins)[PSEUDONYM_BYTES], size_t count);

#endif
