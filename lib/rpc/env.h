/* What every connection core of one loop shares: time, timers, randomness. The core calls nothing
 * else of the outside world; lib/net fills this for sockets, tests for pipes and a fake clock.
 */
#ifndef RPC_ENV_H
#define RPC_ENV_H

#include "base/clock.h"
#include "base/rng.h"
#include "base/timer.h"

struct hearth_loop;

struct rpc_env {
    struct timers timers;
    const struct clock *clock;
    const struct rng *rng;
    struct hearth_loop *loop; /* for hearth_call_loop(); NULL in tests without one */
};

static inline uint64_t rpc_env_now_us(const struct rpc_env *env)
{
    return clock_monotonic_us(env->clock);
}

#endif
