/* Connection packages (protocol.md 5): the HPKE key under which an offer to a handle is sealed,
 * signed by the handle key.
 *
 *     struct {
 *         uint8 version = 1;
 *         opaque hpke_key<V>;         X25519, 32 bytes
 *         uint64 not_before;          seconds since 1970
 *         uint64 not_after;
 *         opaque handle_hash[32];
 *         uint8 last_resort;
 *     } tbs;
 *     opaque signature<V>             label "ConnectionPackage"
 *
 *     hash = SHA-256("Hearth 1 ConnectionPackageHash" || the whole signed object)
 */
#ifndef SEAL_CONNECTION_PACKAGE_H
#define SEAL_CONNECTION_PACKAGE_H

#include "crypto/sig.h"

enum { HANDLE_HASH_BYTES = 32, CONNECTION_PACKAGE_MAX_BYTES = 1024 };

struct connection_package {
    struct bytes hpke_key;
    uint64_t not_before, not_after; /* seconds since 1970 */
    const uint8_t *handle_hash;     /* HANDLE_HASH_BYTES */
    bool last_resort;
    struct bytes tbs, signature, whole;
};

/* Appends: fields without tbs, signature, whole. ERR_ARGUMENT when no reader would take them. */
CHECKED struct err connection_package_make(struct buf *b, const struct connection_package *fields,
                                           const struct sig_key *handle_key);
/* Parses and verifies under the handle key (Ed25519). Whether it is valid now is for the caller,
 * who has the time. Wire errors, those of sig_verify. */
CHECKED struct err connection_package_read(struct bytes in, struct bytes handle_key,
                                           struct connection_package *ret_package);
void connection_package_hash(struct bytes whole, uint8_t ret_hash[32]);

/* A handle's local part: 3 to 63 of a-z 0-9 - _ . and a letter first (protocol.md 1).
 * ERR_ARGUMENT. */
CHECKED struct err handle_check(struct bytes local);
/* The only form of a handle a server sees:
 *     Argon2id(local || "@" || domain, salt, 32 bytes, libsodium's interactive cost)
 *     salt = SHA-256("Hearth 1 handle" || domain)[0..15]
 * Takes tens of milliseconds and 64 MiB; for clients. ERR_ARGUMENT, ERR_DOMAIN, ERR_NO_MEMORY. */
CHECKED struct err handle_hash(struct bytes local, struct bytes domain,
                               uint8_t ret_hash[HANDLE_HASH_BYTES]);

#endif
