/* The limits of limit.def, kept as token buckets by principal, in memory, bounded: HMAC(day key,
 * row, principal) -> bucket. Every row has name, unit, default, range and reason; `hearthd config
 * describe` and docs/limits.md print them.
 */
#ifndef SERVER_LIMIT_H
#define SERVER_LIMIT_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/rng.h"

enum limit {
#define LIMIT_ROW(name, unit, value, least, most, reason) LIMIT_##name,
#define LIMIT_BUCKET(name, burst, per_hour, reason)       LIMIT_##name,
#include "server/front/limit.def"
#undef LIMIT_ROW
#undef LIMIT_BUCKET
    LIMITS
};

struct limits;
CHECKED struct err limits_new(const struct clock *clock, const struct rng *rng,
                              struct limits **ret_limits);
void limits_free(struct limits *limits);
/* Operator's values. ERR_ARGUMENT outside the row's range or without such a row. For buckets: the
 * burst; the rate scales. */
CHECKED struct err limits_set(struct limits *limits, const char *name, uint64_t value);

/* A plain row's value. */
uint64_t limit_value(const struct limits *limits, enum limit limit);
/* Takes cost credits of a bucket row, or ERR_LIMIT with the seconds until they are there.
 * principal: any bytes. */
CHECKED struct err limit_take(struct limits *limits, enum limit limit, struct bytes principal,
                              uint32_t cost, uint32_t *ret_retry_after_s);

#endif
