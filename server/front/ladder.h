/* The overload ladder (threats.md): what to give up first when the loops lag or memory grows. A
 * pure state machine: samples in, a rung out; time is an argument.
 *
 *     CALM        everything
 *     CAREFUL     idle connections go ten times sooner; unsigned calls pay double
 *     GUARDED     no unsigned calls, no homeservers we don't know
 *     NARROW      only callers that were verified since the start; acknowledging and listening
 *     CLOSED      as NARROW, and no new connections
 *
 * Acknowledge, listen and dequeue pass on every rung: they free resources.
 *
 * A rung is entered when lag or memory is over the rung's mark in LADDER_UP samples in a row, so
 * that one slow turn does nothing; it is left, one rung down at a time, when both have been under
 * three quarters of its marks for LADDER_DOWN_US, so that it doesn't flutter. The marks of the
 * rungs above CAREFUL follow from two numbers: lag twice as long for each rung, memory in steps of
 * a tenth.
 */
#ifndef FRONT_LADDER_H
#define FRONT_LADDER_H

#include <stdbool.h>
#include <stdint.h>

enum front_rung { FRONT_CALM, FRONT_CAREFUL, FRONT_GUARDED, FRONT_NARROW, FRONT_CLOSED };
enum { LADDER_UP = 3, LADDER_DOWN_US = 2000000 };

struct ladder_marks {
    uint64_t lag_us;       /* at which CAREFUL begins */
    uint64_t memory_bytes; /* likewise */
};

/* The zero state is calm. */
struct ladder {
    enum front_rung rung;
    unsigned high; /* samples in a row that ask for a higher rung */
    uint64_t
        high_us; /* when a sample last asked for this rung or a higher one, or the rung changed */
};

enum front_rung ladder_sample(struct ladder *ladder, const struct ladder_marks *marks,
                              uint64_t lag_us, uint64_t memory_bytes, uint64_t now_us);

#endif
