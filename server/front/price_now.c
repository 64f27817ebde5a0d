/* What prices are now, out of what the loops see (price.h). */
#include "hearth/options.pb-c.h"
#include "server/front/inside.h"

enum { CALLS_AVERAGED = 64, CALLS_FRESH_US = 5000000, LEVEL_BITS = 2 };
_Static_assert(PRICE_LEVELS <= 1 << LEVEL_BITS, "a level has its bits");

/* Small calls that are answered by a transaction say how long transactions wait. What they measure
 * is good enough when two threads write at once. */
void price_note_call(struct front *front, const struct hearth_endpoint *endpoint, uint64_t took_us,
                     uint64_t now_us)
{
    if (endpoint->cost != HEARTH__COST__COST_LOW || endpoint->shape != 0)
        return;
    uint64_t mean_us = atomic_load_explicit(&front->call_us, memory_order_relaxed);
    mean_us = (mean_us * (CALLS_AVERAGED - 1) + took_us) / CALLS_AVERAGED;
    atomic_store_explicit(&front->call_us, mean_us, memory_order_relaxed);
    atomic_store_explicit(&front->call_at_us, now_us, memory_order_relaxed);
}

static unsigned wanted(const struct front *front, uint64_t now_us)
{
    uint64_t at_us = atomic_load_explicit(&front->call_at_us, memory_order_relaxed);
    bool fresh = now_us < at_us || now_us - at_us < CALLS_FRESH_US;
    return price_wanted(front_rung(front), fresh ? atomic_load(&front->call_us) : 0,
                        limit_value(front->limits, LIMIT_PRICE_WAIT_MS) * 1000);
}

uint32_t front_price_factor(struct front *front)
{
    uint64_t now_us = clock_monotonic_us(front->env->clock), now_ms = now_us / 1000;
    uint64_t was = atomic_load(&front->price), is;
    struct price price;
    do { /* level and time in one word, so that no lock is needed where all calls come by */
        price = (struct price){was & ((1U << LEVEL_BITS) - 1), was >> LEVEL_BITS};
        price = price_next(price, wanted(front, now_us), now_ms);
        is = price.since_ms << LEVEL_BITS | price.level;
    } while (is != was && !atomic_compare_exchange_weak(&front->price, &was, is));
    uint32_t factor = 1U << price.level;
    uint32_t most = (uint32_t)limit_value(front->limits, LIMIT_PRICE_FACTOR);
    return factor < most ? factor : most;
}
