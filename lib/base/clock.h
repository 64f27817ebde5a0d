/* Time and randomness as doors: protocol code takes a struct clock or struct rng, never calls the
 * system, so that whole worlds run on a fake clock and one seed. Both are borrowed and must outlive
 * their users.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    uint64_t (*monotonic_us)(
        void *self);                 /* microseconds from an arbitrary start, never goes back */
    uint64_t (*unix_ms)(void *self); /* wall clock, milliseconds since 1970; may jump */
    void *self;
};

static inline uint64_t clock_monotonic_us(const struct clock *c)
{
    return c->monotonic_us(c->self);
}

static inline uint64_t clock_unix_ms(const struct clock *c)
{
    return c->unix_ms(c->self);
}

/* The machine's clocks. Thread-safe. */
extern const struct clock clock_system;

/* A clock that moves only when told. */
struct clock_fake {
    uint64_t now_us;       /* monotonic */
    uint64_t unix_base_ms; /* wall clock at now_us == 0 */
};
struct clock clock_of_fake(struct clock_fake *fake);

#endif
