/* Timers for those who use a loop from outside lib/net. */
#include <stdlib.h>

#include "net/loop.h"

struct hearth_timer {
    struct timer timer; /* first */
    struct hearth_loop *loop;
    void (*fn)(void *arg);
    void *arg;
};

static void fire(struct timer *self)
{
    struct hearth_timer *t = (struct hearth_timer *)(void *)self;
    t->fn(t->arg);
}

struct hearth_timer *hearth_timer_new(struct hearth_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct hearth_timer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (struct hearth_timer){.timer = {.fire = fire}, .loop = loop, .fn = fn, .arg = arg};
    return t;
}

bool hearth_timer_set(struct hearth_timer *t, uint32_t ms)
{
    uint64_t due_us = rpc_env_now_us(&t->loop->env) + (uint64_t)ms * 1000;
    if (!err_is_ok(timers_arm(&t->loop->env.timers, &t->timer, due_us)))
        return false;
    loop_timers_changed(t->loop);
    return true;
}

void hearth_timer_stop(struct hearth_timer *t)
{
    timers_disarm(&t->loop->env.timers, &t->timer);
}

void hearth_timer_free(struct hearth_timer *t)
{
    if (t == NULL)
        return;
    hearth_timer_stop(t);
    free(t);
}
