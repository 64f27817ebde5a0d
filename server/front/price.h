/* Prices under load (tokens.md 4): how many times the usual a call costs, for everybody alike.
 * Those who call most run dry first, those with a stock go on; nobody is told another price than
 * others. A pure state: samples in, a level out; time is an argument.
 *
 * The level follows the ladder's rung and what calls take: CAREFUL, or calls that take
 * PRICE_WAIT_MS on average, is level 1, GUARDED or twice as long level 2, NARROW or four times as
 * long level 3. It rises at once, and falls one step each PRICE_HOLD_MS that less was wanted, so
 * that clients which ask for prices now and then know them. The factor is 2 to the level.
 */
#ifndef FRONT_PRICE_H
#define FRONT_PRICE_H

#include "server/front/ladder.h"

enum { PRICE_LEVELS = 4, PRICE_HOLD_MS = 30000 };

/* The zero state is the usual price. */
struct price {
    unsigned level;
    uint64_t since_ms; /* when this level was last asked for */
};

/* call_us: what calls take now; wait_us: what they may. */
unsigned price_wanted(enum front_rung rung, uint64_t call_us, uint64_t wait_us);
/* The state at now_ms. */
struct price price_next(struct price price, unsigned wanted, uint64_t now_ms);

#endif
