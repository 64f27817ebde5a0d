/* struct limits from the inside: shared by limit*.c only. */
#ifndef FRONT_LIMIT_INSIDE_H
#define FRONT_LIMIT_INSIDE_H

#include <stdatomic.h>

#include "server/front/bucket_table.h"
#include "server/front/limit.h"

struct limits {
    const struct clock *clock;
    const struct rng *rng;
    uint8_t master[32]; /* days' keys are made from it */
    atomic_bool off;
    _Atomic uint64_t values[LIMITS];
    struct bucket_rate rates[LIMITS]; /* of bucket rows: follows from the values */
    _Atomic uint64_t refused[LIMITS];
    atomic_bool rekeying;
    struct bucket_table table;
};

/* From now on under the key of that day (unix time / 24 h). */
void limits_rekey(struct limits *limits, uint64_t day, uint64_t now_us);

#endif
