/* How long to wait after a failure (F3): least, doubled with each further one, half as much again
 * by chance, so that those who failed together don't come back together, and never over most.
 */
#ifndef SERVER_BACKOFF_H
#define SERVER_BACKOFF_H

#include "base/rng.h"

struct backoff {
    uint64_t least_us, most_us; /* least at most two thirds of most */
};

/* failures: so many in a row, at least 1. Where the rng fails there is no chance in it. */
uint64_t backoff_us(struct backoff b, uint32_t failures, const struct rng *rng);

#endif
