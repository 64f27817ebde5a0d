/* A serialised public key, of a signature algorithm or of a KEM, held by value; also the KEM's
 * output, which is a public key of the same form (RFC 9180 7.1.1). The zero state is valid and
 * empty. 144 bytes.
 */
#ifndef CRYPTO_PUBLIC_KEY_H
#define CRYPTO_PUBLIC_KEY_H

#include "base/bytes.h"

enum { PUBLIC_KEY_MAX_BYTES = 133 }; /* P-521, uncompressed: 1 + 2 * 66 */

struct public_key {
    uint8_t data[PUBLIC_KEY_MAX_BYTES];
    size_t len; /* bytes in use */
};

static inline struct bytes public_key_view(const struct public_key *k)
{
    return bytes_of(k->data, k->len);
}

#endif
