#include "server/courier/held.h"

#include <stdlib.h>
#include <string.h>

void held_clear(struct held *h)
{
    free(h->at);
    *h = (struct held){0};
}

static struct held_ref *find(const struct held *h, const uint8_t ref[HELD_REF_BYTES])
{
    for (uint32_t i = 0; i < h->count; i++)
        if (memcmp(h->at[i].ref, ref, HELD_REF_BYTES) == 0)
            return &h->at[i];
    return NULL;
}

bool held_has(const struct held *h, const uint8_t ref[HELD_REF_BYTES], uint64_t pass_us)
{
    const struct held_ref *r = find(h, ref);
    return r != NULL && r->due_us > pass_us;
}

void held_passed(struct held *h, uint64_t pass_us)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < h->count; i++)
        if (h->at[i].due_us > pass_us)
            h->at[kept++] = h->at[i];
    h->count = kept;
}

static bool grow(struct held *h)
{
    if (h->count < h->cap)
        return true;
    if (h->cap == HELD_MAX)
        return false;
    uint32_t cap = h->cap == 0 ? 16 : h->cap * 2;
    struct held_ref *at = realloc(h->at, cap * sizeof *at);
    if (at == NULL)
        return false;
    h->at = at;
    h->cap = cap;
    return true;
}

/* On a grid that is coarser the longer the wait: a domain's references come due together, so that
 * there are few passes over its rows, however many references wait. */
static uint64_t due_after(uint64_t now_us, uint64_t wait_us, uint64_t least_us)
{
    uint64_t grid_us = least_us;
    while (grid_us * 4 <= wait_us)
        grid_us *= 2;
    uint64_t due_us = now_us + wait_us;
    due_us -= due_us % grid_us;
    return due_us >= now_us + least_us ? due_us : due_us + grid_us;
}

bool held_add(struct held *h, const uint8_t ref[HELD_REF_BYTES], struct backoff backoff,
              const struct rng *rng, uint64_t now_us)
{
    struct held_ref *r = find(h, ref);
    if (r == NULL) {
        if (!grow(h))
            return false;
        r = &h->at[h->count++];
        *r = (struct held_ref){0};
        memcpy(r->ref, ref, HELD_REF_BYTES);
    }
    r->failures++;
    r->due_us = due_after(now_us, backoff_us(backoff, r->failures, rng), backoff.least_us);
    return true;
}

void held_remove(struct held *h, const uint8_t ref[HELD_REF_BYTES])
{
    struct held_ref *r = find(h, ref);
    if (r != NULL)
        *r = h->at[--h->count];
}

uint64_t held_due_us(const struct held *h)
{
    uint64_t due_us = UINT64_MAX;
    for (uint32_t i = 0; i < h->count; i++)
        if (h->at[i].due_us < due_us)
            due_us = h->at[i].due_us;
    return due_us;
}

void held_forgive(struct held *h, uint64_t now_us)
{
    for (uint32_t i = 0; i < h->count; i++) {
        h->at[i].failures = 0;
        h->at[i].due_us = now_us;
    }
}
