/* Secret bytes of bounded size: private keys, DH results, derived secrets, AEAD keys.
 *
 * Embedded and without an owner: copy by assignment, and clear every copy. The zero state is valid
 * and empty. 80 bytes. The longest tenant is a P-521 scalar or DH result (66 bytes).
 */
#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

#include "base/bytes.h"
#include "base/rng.h"

enum { SECRET_MAX_BYTES = 72 };

struct secret {
    uint8_t data[SECRET_MAX_BYTES];
    size_t len; /* bytes in use; not secret */
};

static inline struct bytes secret_view(const struct secret *s)
{
    return bytes_of(s->data, s->len);
}

/* Wipes; the zero state again. */
void secret_clear(struct secret *s);
/* ERR_TOO_LARGE over SECRET_MAX_BYTES. */
CHECKED struct err secret_set(struct bytes value, struct secret *ret_secret);
/* len zero bytes, as RFC 9420 uses in place of an absent secret. len at most SECRET_MAX_BYTES. */
void secret_set_zero(size_t len, struct secret *ret_secret);
/* len random bytes, at most SECRET_MAX_BYTES. */
CHECKED struct err secret_random(const struct rng *rng, size_t len, struct secret *ret_secret);
/* Constant time in the contents; the lengths are public. */
bool secret_equal(const struct secret *a, const struct secret *b);

#endif
