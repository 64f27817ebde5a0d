/* How long a process lives in a kill -9 loop. Lives are to end anywhere: before it is up, and in
 * the midst of its work. What is 30 ms here takes a second on a machine that has other work too,
 * where lives of fixed length would all end before anything had happened: lives that told nothing
 * make the next ones longer, the others shorter again, down to what was asked for. About two of
 * three lives then tell something, on any machine. */
#ifndef TESTS_SUPPORT_LIFE_PACE_H
#define TESTS_SUPPORT_LIFE_PACE_H

#include <stdbool.h>
#include <unistd.h>

#include "base/rng.h"

struct life_pace {
    struct rng_seeded dice;
    unsigned least_us, most_us; /* where the machine is quick */
    double slower;              /* than that; 0 is 1 */
};

static inline void life_pace_wait(struct life_pace *p)
{
    const double more = (double)(rng_seeded_next(&p->dice) % (p->most_us - p->least_us));
    (void)usleep(p->least_us + (unsigned)(more * (p->slower < 1 ? 1 : p->slower)));
}

static inline void life_pace_ended(struct life_pace *p, bool told)
{
    enum { SLOWEST = 20 }; /* over a second */
    p->slower = (p->slower < 1 ? 1 : p->slower) * (told ? 0.9 : 1.25);
    if (p->slower > SLOWEST)
        p->slower = SLOWEST;
}

#endif
