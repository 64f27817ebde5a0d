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

/* Another source in blocks, for many small needs: a system call each costs more than what it is
 * for. Bytes are given out once. For one thread; wipe it at the end. */
struct rng_block {
    const struct rng *from;
    uint8_t bytes[768];
    size_t left; /* at the end of bytes */
};
struct rng rng_of_block(struct rng_block *b, const struct rng *from);
void rng_block_wipe(struct rng_block *b);

struct rng_seeded {
    uint64_t state[4];
};
void rng_seeded_init(struct rng_seeded *r, uint64_t seed);
uint64_t rng_seeded_next(struct rng_seeded *r);
struct rng rng_of_seeded(struct rng_seeded *r);

#endif
