/* How many asymmetric operations a thread has done: what the cost budget is held against (one for
 * an application message on each side, beside the request's signature), and what `hearth bench`
 * prints. Counting is all this does: it is always on, and costs an increment.
 */
#ifndef CRYPTO_COUNT_H
#define CRYPTO_COUNT_H

#include <stdint.h>

struct crypto_count {
    uint64_t signatures;    /* made */
    uint64_t verifications; /* of signatures */
    uint64_t exchanges;     /* KEM operations: encapsulated and decapsulated */
    uint64_t group;         /* operations of tokens in ristretto255: multiplied, hashed to it */
};

extern _Thread_local struct crypto_count crypto_count;

#endif
