/* What goes wrong with the checks of accept_steps.h, and what was counted there.
 */
#ifndef TESTS_SUPPORT_COURIER_ACCEPT_FAULTS_H
#define TESTS_SUPPORT_COURIER_ACCEPT_FAULTS_H

#include "base/rng.h"

/* Of a hundred checks so many can't be started, fail, take some turns more; rng NULL: none. */
struct accept_faults {
    struct rng_seeded *rng;
    unsigned wont_start, fail, slow;
};
extern struct accept_faults accept_faults;
extern unsigned accept_steps_checks; /* so many batches were checked */
extern unsigned accept_steps_live;   /* checks that are not at their end */

#endif
