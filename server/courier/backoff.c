#include "server/courier/backoff.h"

uint64_t backoff_us(struct backoff b, uint32_t failures, const struct rng *rng)
{
    uint64_t top = b.most_us / 3 * 2;
    uint64_t wait = b.least_us;
    for (uint32_t i = 1; i < failures && wait < top; i++)
        wait *= 2;
    if (wait > top)
        wait = top;
    uint64_t drawn;
    if (err_is_ok(rng_fill(rng, &drawn, sizeof drawn)))
        wait += drawn % (wait / 2 + 1);
    return wait;
}
