/* The moments of tokens, alone: what a homeserver sees of a client's fetching (core/token.h). */
#ifndef CLIENT_CORE_TOKEN_WHEN_H
#define CLIENT_CORE_TOKEN_WHEN_H

#include "base/rng.h"

enum {
    TOKEN_SKEW_S = 300,          /* our clock against theirs, at midnight */
    TOKEN_READY_LEAST_MS = 1000, /* today's tokens rest before they are spent: at least ... */
    TOKEN_READY_MORE_MS = 5000,  /* ... and up to so much longer */
};

/* The day whose tokens are spent at that time (unix ms). Everybody's changes at the same moment. */
uint32_t token_day_at(uint64_t now_ms);
/* When a period's batch is fetched: at any moment of the day before, each as likely, of what is
 * left of it. ERR_IO without randomness. */
CHECKED struct err token_moment(const struct rng *rng, uint32_t period, uint64_t now_ms,
                                uint64_t *ret_when_ms);
/* How long a batch of the day's own tokens rests. */
CHECKED struct err token_rest_ms(const struct rng *rng, uint64_t *ret_ms);

#endif
