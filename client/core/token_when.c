#include "client/core/token_when.h"

#include "pass/redeem.h"

enum { DAY_MS = 24 * 3600 * 1000 };

uint32_t token_day_at(uint64_t now_ms)
{
    uint64_t now_s = now_ms / 1000;
    return pass_period_at(now_s > TOKEN_SKEW_S ? now_s - TOKEN_SKEW_S : 0);
}

/* A number below `below`, each as likely. */
static struct err draw(const struct rng *rng, uint64_t below, uint64_t *ret_number)
{
    const uint64_t most = UINT64_MAX - UINT64_MAX % below; /* a multiple of below: no bias */
    uint64_t number;
    do
        TRY(rng_fill(rng, &number, sizeof number));
    while (number >= most);
    *ret_number = number % below;
    return ERR_OK;
}

struct err token_moment(const struct rng *rng, uint32_t period, uint64_t now_ms,
                        uint64_t *ret_when_ms)
{
    const uint64_t end = (uint64_t)period * DAY_MS, begin = end < DAY_MS ? 0 : end - DAY_MS;
    const uint64_t from = now_ms > begin ? now_ms : begin;
    uint64_t later = 0;
    if (end > from)
        TRY(draw(rng, end - from, &later));
    *ret_when_ms = from + later;
    return ERR_OK;
}

struct err token_rest_ms(const struct rng *rng, uint64_t *ret_ms)
{
    uint64_t more;
    TRY(draw(rng, TOKEN_READY_MORE_MS, &more));
    *ret_ms = TOKEN_READY_LEAST_MS + more;
    return ERR_OK;
}
