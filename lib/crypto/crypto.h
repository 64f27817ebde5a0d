/* One-time set-up of the two libraries beneath (OpenSSL 3.0 libcrypto, libsodium).
 *
 * Fetching an algorithm by name costs OpenSSL 3.0 more than hashing a kilobyte, so everything is
 * fetched once and kept for the life of the process.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include "base/err.h"

/* Thread-safe, may be called any number of times; cheap once it has succeeded, and tries again
 * after a failure (ERR_NO_MEMORY). Programs call it at start so that later calls can't fail for it;
 * whoever forgets is served anyway, since each function that needs it calls it. OpenSSL's
 * configuration file is not read. */
CHECKED struct err crypto_init(void);

#endif
