#include "server/front/price.h"

unsigned price_wanted(enum front_rung rung, uint64_t call_us, uint64_t wait_us)
{
    unsigned level = (unsigned)rung;
    while (level < PRICE_LEVELS - 1 && call_us >= wait_us << level)
        level++;
    return level < PRICE_LEVELS ? level : PRICE_LEVELS - 1;
}

struct price price_next(struct price price, unsigned wanted, uint64_t now_ms)
{
    if (wanted == 0 && price.level == 0)
        return price;
    if (wanted >= price.level)
        return (struct price){wanted, now_ms};
    while (price.level > wanted && now_ms > price.since_ms &&
           now_ms - price.since_ms >= PRICE_HOLD_MS) {
        price.level--;
        price.since_ms += PRICE_HOLD_MS;
    }
    return price;
}
