/* The authentication service's credentials (protocol.md 3): root > signing > client credential.
 *
 *     struct {
 *         uint8 version = 1;
 *         uint8 kind;
 *         uint16 suite = 1;
 *         uint64 not_before;
 *         uint64 not_after;
 *         opaque signer[32];      fingerprint of the one that signed
 *         opaque subject<V>;
 *         opaque public_key<V>;
 *     } CredentialTBS;
 *     struct { CredentialTBS tbs; opaque signature<V>; } Credential;
 *
 *     kind 1 AsCredential         subject domain,   signer zeros, signed by itself
 *     kind 2 AsSigningCredential  subject domain,   signed by the root
 *     kind 3 ClientCredential     subject ClientId, signed by a signing credential
 *     the label of a signature is the name of the kind
 *     fingerprint = SHA-256("Hearth 1 Credential" || the whole signed object)
 *
 * Times are seconds since 1970. A child's validity lies inside its signer's. Ed25519 throughout
 * (suite 1).
 */
#ifndef SEAL_CREDENTIAL_CHAIN_H
#define SEAL_CREDENTIAL_CHAIN_H

#include "crypto/sig.h"

enum {
    CREDENTIAL_MAX_BYTES = 1024,
    CREDENTIAL_FINGERPRINT_BYTES = 32,
    CREDENTIAL_KEY_BYTES = 32,
};
enum credential_kind { CREDENTIAL_AS_ROOT = 1, CREDENTIAL_AS_SIGNING = 2, CREDENTIAL_CLIENT = 3 };

/* Parsed; views into the input. */
struct credential {
    enum credential_kind kind;
    uint64_t not_before, not_after;
    const uint8_t *signer; /* CREDENTIAL_FINGERPRINT_BYTES */
    struct bytes subject;
    struct bytes public_key; /* CREDENTIAL_KEY_BYTES */
    struct bytes tbs, signature;
    struct bytes whole;
};

/* Form alone: lengths, suite, not_before <= not_after, a subject fit for its kind. Wire errors,
 * ERR_CREDENTIAL. */
CHECKED struct err credential_parse(struct bytes in, struct credential *ret_credential);
void credential_fingerprint(struct bytes whole,
                            uint8_t ret_fingerprint[CREDENTIAL_FINGERPRINT_BYTES]);

/* Appends a signed credential: fields without signer, tbs, signature, whole. signer NULL: the root,
 * signed by itself. sign makes the labelled signature wherever the key lies (the keeper).
 * ERR_CREDENTIAL when the validity is not inside the signer's. */
struct credential_signer {
    CHECKED struct err (*sign)(void *self, struct bytes label, struct bytes content,
                               struct signature *ret_signature);
    void *self;
};
/* Signs with a key that lies here; borrowed. */
struct credential_signer credential_signer_of(const struct sig_key *key);
/* Signs what was appended to b from mark on, and appends the signature (opaque<V>); on failure b is
 * as it was at mark. */
CHECKED struct err credential_sign_tail(struct buf *b, size_t mark,
                                        const struct credential_signer *sign, struct bytes label);
CHECKED struct err credential_make(struct buf *b, const struct credential *fields,
                                   const struct credential *signer,
                                   const struct credential_signer *sign);

/* One link: kind, fingerprint, validity inside, same domain, signature. signer NULL: a root, by
 * itself. */
CHECKED struct err credential_verify(const struct credential *credential,
                                     const struct credential *signer);
/* A whole chain at a time: root (pinned: the caller compares its fingerprint), signing, client
 * (NULL: the first two alone). ERR_CREDENTIAL_TIME, ERR_CREDENTIAL, those of sig_verify. */
CHECKED struct err credential_chain_verify(const struct credential *root,
                                           const struct credential *signing,
                                           const struct credential *client, uint64_t now);

/* What a client asks to have signed; the signature proves that it has the key.
 *
 *     struct { uint8 version = 1; uint16 suite = 1; opaque client_id<V>; opaque public_key<V>; }
 * tbs; opaque signature<V>         label "ClientCredentialRequest"
 */
struct credential_request {
    struct bytes client_id; /* ClientId */
    struct bytes public_key;
    struct bytes tbs, signature;
};
CHECKED struct err credential_request_make(struct buf *b, struct bytes client_id,
                                           const struct sig_key *key);
/* Parses and verifies. */
CHECKED struct err credential_request_read(struct bytes in, struct credential_request *ret_request);

/* The signed, numbered list of revoked credentials.
 *
 *     struct {
 *         uint8 version = 1;
 *         uint64 number;
 *         uint64 time;
 *         opaque domain<V>;
 *         Fingerprint revoked<V>;     sorted, unique; an entry may go when it has expired
 *     } tbs;
 *     opaque signature<V>             label "Revocations", by a signing credential
 */
enum { REVOCATIONS_MAX = 32768 };
struct revocations {
    uint64_t number, time;
    struct bytes domain;
    struct bytes list; /* fingerprints one after the other */
    struct bytes tbs, signature;
};
/* Appends: fields without tbs and signature. ERR_CREDENTIAL when the list is not sorted. */
CHECKED struct err revocations_make(struct buf *b, const struct revocations *fields,
                                    const struct credential_signer *sign);
/* Parses and verifies under a signing credential, of the same domain; whether that is valid is the
 * caller's to know. Wire errors, ERR_CREDENTIAL, those of sig_verify. */
CHECKED struct err revocations_read(struct bytes in, const struct credential *signing,
                                    struct revocations *ret_revocations);
bool revocations_has(const struct revocations *r,
                     const uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES]);

#endif
