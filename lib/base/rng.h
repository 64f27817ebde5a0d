/* Randomness as a door. The system source is getrandom(2); tests use a seeded one (xoshiro256**),
 * which is reproducible and not secret. Borrowed; must outlive its users.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct rng {
    /* Fills out completely or fails with ERR_IO. */
    CHECKED struct err (*fill)(void *self, uint8_t *out, size_t len);
    void *self;
};

CHECKED static inline struct err rng_fill(const struct rng *r, void *out, size_t len)
{
    return r->fill(r->self, (uint8_t *)out, len);
}

/* getrandom(2). Thread-safe. */
extern const struct rng rng_system;

struct rng_seeded {
    uint64_t state[4];
};
void rng_seeded_init(struct rng_seeded *r, uint64_t seed);
uint64_t rng_seeded_next(struct rng_seeded *r);
struct rng rng_of_seeded(struct rng_seeded *r);

#endif
