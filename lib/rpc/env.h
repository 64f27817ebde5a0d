/* What every connection core of one loop shares: time, timers, randomness. The core calls nothing
 * else of the outside world; lib/net fills this for sockets, tests for pipes and a fake clock.
 */
#ifndef RPC_ENV_H
#define RPC_ENV_H

#include "base/clock.h"
#include "base/rng.h"
#include "base/timer.h"

struct hearth_loop;
struct hearth_call;

struct rpc_env {
    struct timers timers;
    const struct clock *clock;
    const struct rng *rng;
    struct hearth_call
        *spare_calls; /* ended calls with their small buffers, wiped, for the next ones */
    uint32_t spare_count;
    struct hearth_loop *loop; /* for hearth_call_loop(); NULL in tests without one */
};

/* Frees timers and spare calls; nothing may use the env any more. */
void rpc_env_clear(struct rpc_env *env);

static inline uint64_t rpc_env_now_us(const struct rpc_env *env)
{
    return clock_monotonic_us(env->clock);
}

#endif
