/* Argon2id (RFC 9106), version 0x13, at one cost: libsodium's interactive one, two passes over
 * 64 MiB in one lane. Takes tens of milliseconds and allocates those 64 MiB: for clients, never on
 * a server's loop.
 */
#ifndef CRYPTO_ARGON2_H
#define CRYPTO_ARGON2_H

#include "base/bytes.h"

enum {
    ARGON2_SALT_BYTES = 16,
    ARGON2_PASSES = 2,
    ARGON2_MEMORY_BYTES = 64 * 1024 * 1024,
    ARGON2_OUT_LEAST_BYTES = 16,
};

/* Writes len bytes, at least ARGON2_OUT_LEAST_BYTES (ERR_ARGUMENT). ERR_NO_MEMORY. */
CHECKED struct err argon2id(struct bytes password, const uint8_t salt[ARGON2_SALT_BYTES],
                            size_t len, uint8_t *ret_out);

#endif
