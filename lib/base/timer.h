/* A heap of timers without a clock of its own: whoever owns the heap says what time it is.
 *
 * A timer is embedded in its owner. The heap borrows it while it is armed; the owner disarms before
 * it dies. Times are microseconds of a monotonic clock. One thread per heap.
 */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct timer {
    uint64_t due_us;
    size_t slot; /* place in the heap plus one; 0 when not armed */
    void (*fire)(struct timer *self);
};

struct timers {
    struct timer **heap;
    size_t count;
    size_t cap;
};

/* The zero state of both is valid. */
void timers_clear(struct timers *t);

/* Arms or moves. Fails only with ERR_NO_MEMORY, and then the timer is as before. */
CHECKED struct err timers_arm(struct timers *t, struct timer *timer, uint64_t due_us);
void timers_disarm(struct timers *t, struct timer *timer);

static inline bool timer_armed(const struct timer *timer)
{
    return timer->slot != 0;
}

/* UINT64_MAX when none is armed. */
uint64_t timers_next_due_us(const struct timers *t);
/* Fires all that are due, each disarmed before its call; a timer may arm itself again, and does not
 * fire twice in one run unless it asks for a time not later than now. At most `most` fire (0: no
 * bound). */
void timers_run(struct timers *t, uint64_t now_us, size_t most);

#endif
