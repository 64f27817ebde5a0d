#include "base/bucket.h"

/* What is still spent at now_us. A credit a second is a millionth a microsecond, so no division is
 * needed. */
static uint64_t settled(const struct bucket *b, uint64_t now_us, uint32_t per_s)
{
    uint64_t elapsed_us = now_us > b->last_us ? now_us - b->last_us : 0;
    if (per_s != 0 && elapsed_us > b->spent_u / per_s)
        return 0;
    return b->spent_u - elapsed_us * per_s;
}

bool bucket_take(struct bucket *b, uint64_t now_us, uint32_t burst, uint32_t per_s, uint32_t cost)
{
    uint64_t spent_u = settled(b, now_us, per_s);
    b->last_us = now_us;
    b->spent_u = spent_u;
    uint64_t wanted_u = spent_u + (uint64_t)cost * 1000000;
    if (wanted_u > (uint64_t)burst * 1000000)
        return false;
    b->spent_u = wanted_u;
    return true;
}

uint32_t bucket_wait_ms(const struct bucket *b, uint64_t now_us, uint32_t burst, uint32_t per_s,
                        uint32_t cost)
{
    uint64_t wanted_u = settled(b, now_us, per_s) + (uint64_t)cost * 1000000;
    uint64_t room_u = (uint64_t)burst * 1000000;
    if (wanted_u <= room_u)
        return 0;
    if (per_s == 0 || cost > burst)
        return UINT32_MAX;
    return (uint32_t)((wanted_u - room_u + per_s * UINT64_C(1000) - 1) / (per_s * UINT64_C(1000)));
}
