/* A homeserver that does not do what federation is for: what it answers to a Deliver, and what it
 * delivers itself. All of it can be said over the wire by whoever has the keys of its domain.
 */
#ifndef TESTS_SUPPORT_WAYS_LIES_H
#define TESTS_SUPPORT_WAYS_LIES_H

#include "support/ways/detour.h"

/* Instead of the liar's: it takes the batch, or says so and takes nothing, or says that queues
 * which are there are gone, or refuses, puts off, says something else of each row, or nothing that
 * makes sense. */
struct err lies_answer(struct detour *d, struct bytes domain, const struct courier_batch_row *rows,
                       size_t count, struct inbox *inbox,
                       void (*done)(void *arg, struct err result,
                                    const enum queue_outcome *outcomes),
                       void *arg);
/* The liar's own: sends what it should, or keeps it back, or sends it last row first, under made-up
 * numbers, with other contents, to references that it mixes up or makes up, twice, or something old
 * before it, or before it something of its own to references that others have and it has stolen. */
struct err lies_send(struct detour *d, struct bytes domain, const struct courier_batch_row *rows,
                     size_t count, struct inbox *inbox,
                     void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes),
                     void *arg);

#endif
