#include "base/timer.h"

#include <stdlib.h>

static void place(struct timers *t, size_t i, struct timer *timer)
{
    t->heap[i] = timer;
    timer->slot = i + 1;
}

static void sift_up(struct timers *t, size_t i)
{
    struct timer *moving = t->heap[i];
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (t->heap[parent]->due_us <= moving->due_us)
            break;
        place(t, i, t->heap[parent]);
        i = parent;
    }
    place(t, i, moving);
}

static void sift_down(struct timers *t, size_t i)
{
    struct timer *moving = t->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= t->count)
            break;
        if (child + 1 < t->count && t->heap[child + 1]->due_us < t->heap[child]->due_us)
            child++;
        if (moving->due_us <= t->heap[child]->due_us)
            break;
        place(t, i, t->heap[child]);
        i = child;
    }
    place(t, i, moving);
}

struct err timers_arm(struct timers *t, struct timer *timer, uint64_t due_us)
{
    if (timer->slot != 0) {
        timer->due_us = due_us;
        sift_up(t, timer->slot - 1);
        sift_down(t, timer->slot - 1);
        return ERR_OK;
    }
    if (t->count == t->cap) {
        size_t cap = t->cap == 0 ? 16 : t->cap * 2;
        struct timer **heap = realloc(t->heap, cap * sizeof *heap);
        if (heap == NULL)
            return ERR(NO_MEMORY);
        t->heap = heap;
        t->cap = cap;
    }
    timer->due_us = due_us;
    t->heap[t->count] = timer;
    t->count++;
    sift_up(t, t->count - 1);
    return ERR_OK;
}

void timers_disarm(struct timers *t, struct timer *timer)
{
    if (timer->slot == 0)
        return;
    size_t i = timer->slot - 1;
    timer->slot = 0;
    t->count--;
    if (i == t->count)
        return;
    place(t, i, t->heap[t->count]);
    sift_up(t, i);
    sift_down(t, t->heap[i]->slot - 1);
}

uint64_t timers_next_due_us(const struct timers *t)
{
    return t->count == 0 ? UINT64_MAX : t->heap[0]->due_us;
}

void timers_run(struct timers *t, uint64_t now_us, size_t most)
{
    for (size_t fired = 0; t->count > 0 && t->heap[0]->due_us <= now_us; fired++) {
        if (most != 0 && fired == most)
            return;
        struct timer *timer = t->heap[0];
        timers_disarm(t, timer);
        timer->fire(timer);
    }
}

void timers_clear(struct timers *t)
{
    for (size_t i = 0; i < t->count; i++)
        t->heap[i]->slot = 0;
    free(t->heap);
    *t = (struct timers){0};
}
