/* References of one domain that answered "later": their rows are left out until they are due, so
 * that no later row overtakes an earlier one of the same reference, and others go on. In memory
 * only: after a restart each is tried at once, which harms nobody.
 */
#ifndef SERVER_HELD_H
#define SERVER_HELD_H

#include <stdbool.h>

#include "server/courier/backoff.h"

enum { HELD_MAX = 1024, HELD_REF_BYTES = 16 };

struct held_ref {
    uint8_t ref[HELD_REF_BYTES];
    uint32_t failures;
    uint64_t due_us;
};

struct held {
    struct held_ref *at; /* owned */
    uint32_t count, cap;
};

/* The zero state is valid. */
void held_clear(struct held *h);
/* Is it to be left out of a pass over the rows that began at pass_us? Who becomes due during a pass
 * waits for the next: its earlier rows were left out already. */
bool held_has(const struct held *h, const uint8_t ref[HELD_REF_BYTES], uint64_t pass_us);
/* A pass has come to its end: who was due in it and is here still has no rows any more. */
void held_passed(struct held *h, uint64_t pass_us);
/* It said later (again): due after about so long, together with others. False: no room. */
bool held_add(struct held *h, const uint8_t ref[HELD_REF_BYTES], struct backoff backoff,
              const struct rng *rng, uint64_t now_us);
/* It took something. */
void held_remove(struct held *h, const uint8_t ref[HELD_REF_BYTES]);
/* When the first is due; UINT64_MAX: none is held. */
uint64_t held_due_us(const struct held *h);
/* All are due now, and have not failed yet. */
void held_forgive(struct held *h, uint64_t now_us);

#endif
