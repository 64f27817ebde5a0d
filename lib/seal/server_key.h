/* A homeserver's public keys as it hands them out (Info.GetKeys), signed by its signing credential,
 * so that they chain to the root that clients pin (MitM1).
 *
 *     struct {
 *         uint8 version = 1;
 *         uint8 use;              hearth.v1.KeyUse
 *         uint16 algorithm;       SignatureScheme (RFC 8446 4.2.3), or HPKE KEM id (RFC 9180 7.1);
 *                                 0: public_key is the SHA-256 of what comes with the statement
 *         uint64 not_before;      seconds since 1970; inside the signer's validity
 *         uint64 not_after;
 *         opaque domain<V>;
 *         opaque public_key<V>;
 *     } tbs;
 *     opaque signature<V>         label "ServerKey", by a signing credential of the domain
 */
#ifndef SEAL_SERVER_KEY_H
#define SEAL_SERVER_KEY_H

#include "seal/credential_chain.h"

enum {
    SERVER_KEY_MAX_BYTES = 1024,
    SERVER_KEY_ED25519 = 0x0807,
    SERVER_KEY_X25519 = 0x0020,
    SERVER_KEY_SHA256 = 0
};

struct server_key {
    uint8_t use;
    uint16_t algorithm;
    uint64_t not_before, not_after;
    struct bytes domain;
    struct bytes public_key;
    struct bytes tbs, signature;
};

/* Appends: fields without tbs and signature. ERR_CREDENTIAL when they don't fit the signer. */
CHECKED struct err server_key_make(struct buf *b, const struct server_key *fields,
                                   const struct credential *signing,
                                   const struct credential_signer *sign);
/* Parses and verifies; views into the input. Whether it, and its signer, is valid now is for the
 * caller, who has the time and the chain. Wire errors, ERR_CREDENTIAL, those of sig_verify. */
CHECKED struct err server_key_read(struct bytes in, const struct credential *signing,
                                   struct server_key *ret_key);

#endif
