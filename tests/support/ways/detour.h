/* Between a courier and federation: counts batches, keeps one to come again late, and can spoil
 * what the courier hands over, as a control.
 */
#ifndef TESTS_SUPPORT_WAYS_DETOUR_H
#define TESTS_SUPPORT_WAYS_DETOUR_H

#include "server/courier/courier.h"

struct stale;

/* The zero value changes nothing. */
struct detour {
    struct courier_route route; /* where it leads to */
    /* controls. numbered: each attempt has new sequence numbers, so that repeats can't be told;
     * backwards: a batch goes last row first. */
    bool numbered, backwards;
    uint64_t number;
    /* each so-manieth batch: the second half of its rows is told to come later, as by the limits of
     * who takes them; 0: none */
    unsigned put_off_one_in;
    bool no_stale;       /* none is kept */
    struct stale *stale; /* a batch that was handed over before, to come again late */
    unsigned batches;
};

/* What the courier is to be given. Borrows d. */
struct courier_route detour_route(struct detour *d, struct courier_route to);
/* The batch that was kept goes out once more; another is kept then. */
void detour_repeat(struct detour *d);
void detour_clear(struct detour *d);

#endif
