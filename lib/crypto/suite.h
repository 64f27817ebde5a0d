/* The MLS cipher suites, RFC 9420 17.1, as rows of a table. Code asks the row and never branches on
 * the id. */
#ifndef CRYPTO_SUITE_H
#define CRYPTO_SUITE_H

#include "crypto/hpke.h"
#include "crypto/sig.h"

struct suite {
    uint16_t id;
    const char *name;            /* as registered */
    struct hpke_suite hpke;      /* KEM, KDF, AEAD; the KDF and AEAD serve the key schedule too */
    const struct hash_alg *hash; /* hash->bytes equals KDF.Nh in every row */
    const struct sig_alg *sig;
};

enum { SUITE_COUNT = 7 };
extern const struct suite suite_table[SUITE_COUNT]; /* by id, 1 to 7 */

/* NULL when the suite is not supported. */
const struct suite *suite_find(uint16_t id);

static inline size_t suite_hash_bytes(const struct suite *s) /* KDF.Nh */
{
    return s->hash->bytes;
}

#endif
