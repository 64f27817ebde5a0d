/* Who is calling: what the metadata `hearth-auth-bin` holds (protocol.md 4), both ends.
 *
 *     struct { uint8 version = 1; uint8 kind; opaque id<V>; opaque audience<V>; uint64 time_ms;
 *              opaque nonce[16]; opaque signature<V>; } RequestAuth;
 *     signed, label "Request": struct { uint8 version; uint8 kind; opaque id<V>; opaque
 * audience<V>; uint64 time_ms; opaque nonce[16]; opaque path<V>; opaque body_hash[32]; }
 *
 * body_hash is SHA-256 of the first request message's bytes as sent, before compression; path is
 * the full method path. So a signature is good for one request at one server. The time window and
 * the nonces that were seen are kept by the verifier (server/front).
 */
#ifndef SEAL_REQUEST_AUTH_H
#define SEAL_REQUEST_AUTH_H

#include "crypto/sig.h"

struct credential_signer; /* seal/credential_chain.h */

#define REQUEST_AUTH_METADATA "hearth-auth-bin"

enum {
    REQUEST_NONCE_BYTES = 16,
    REQUEST_BODY_HASH_BYTES = 32,
    REQUEST_ID_MAX_BYTES = 300,
    REQUEST_AUTH_MAX_BYTES = 1024,
};

/* Values of hearth.Caller (proto/hearth/options.proto) that sign. */
enum request_caller {
    REQUEST_CLIENT = 2,       /* id: ClientId */
    REQUEST_HANDLE = 3,       /* id: handle hash, 32 bytes */
    REQUEST_QUEUE_USER = 4,   /* id: QueueUserId, 16 bytes */
    REQUEST_QUEUE_CLIENT = 5, /* id: QueueClientId, 16 bytes */
    REQUEST_MEMBER = 6,       /* id: struct { opaque group_id<V>; uint32 leaf_index; } */
    REQUEST_JOINER = 7,       /* id: KeyPackageRef */
    REQUEST_HOMESERVER = 8,   /* id: domain */
    REQUEST_WITNESS = 9,      /* id: name */
};

/* Parsed; views into the input. Nothing is verified yet. */
struct request_auth {
    enum request_caller kind;
    struct bytes id;
    struct bytes audience; /* domain of the server that is meant */
    uint64_t time_ms;      /* unix */
    const uint8_t *nonce;  /* REQUEST_NONCE_BYTES */
    struct bytes signature;
};

/* Errors: wire errors, ERR_WIRE_VALUE for an unknown version or kind. */
CHECKED struct err request_auth_parse(struct bytes in, struct request_auth *ret_auth);

/* Appends the metadata value. auth: all but signature, which is made here. */
CHECKED struct err request_auth_sign(struct buf *b, const struct request_auth *auth,
                                     struct bytes path,
                                     const uint8_t body_hash[REQUEST_BODY_HASH_BYTES],
                                     const struct sig_key *key);
/* The same with a key that lies elsewhere (the keeper). */
CHECKED struct err request_auth_sign_by(struct buf *b, const struct request_auth *auth,
                                        struct bytes path,
                                        const uint8_t body_hash[REQUEST_BODY_HASH_BYTES],
                                        const struct credential_signer *signer);
/* Errors: those of sig_verify. */
CHECKED struct err request_auth_verify(const struct request_auth *auth, struct bytes path,
                                       const uint8_t body_hash[REQUEST_BODY_HASH_BYTES],
                                       const struct sig_alg *alg, struct bytes public_key);

/* The id of a member. */
struct member_id {
    struct bytes group_id;
    uint32_t leaf_index;
};
CHECKED struct err member_id_parse(struct bytes in, struct member_id *ret_id);
void member_id_write(struct buf *b, const struct member_id *id);

#endif
