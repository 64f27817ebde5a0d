/* Between a courier and federation: counts batches, keeps one to come again late, and can spoil
 * what the courier hands over, as a control.
 */
#ifndef TESTS_SUPPORT_WAYS_DETOUR_H
#define TESTS_SUPPORT_WAYS_DETOUR_H

#include "server/courier/courier.h"

struct kept_batch;
struct rng_seeded;

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
    bool no_stale;            /* none is kept */
    struct kept_batch *stale; /* a batch that was handed over before, to come again late */
    unsigned batches;
    /* lies.h. liar: a domain whose answers are not what it did; lies: what we send is not what
     * there is to send. Both by these dice. */
    const char *liar;
    bool lies;
    struct rng_seeded *dice;
    bool told_gone; /* by the liar, of some queue */
    /* thief: the liar's. What others have taken from us it gets to know, and may use what it finds
     * there, one batch at a time. */
    struct detour *thief;
    struct kept_batch *stolen;
    unsigned lied;
    /* controls. believed: what the liar answered last is taken for the answer of the next, too;
     * held_up: once it had no good answer, nothing goes to anybody else */
    bool believed, held_up, stuck, gone;
};

/* What the courier is to be given. Borrows d. */
struct courier_route detour_route(struct detour *d, struct courier_route to);
/* The batch that was kept goes out once more; another is kept then. */
void detour_repeat(struct detour *d);
void detour_clear(struct detour *d);

#endif
