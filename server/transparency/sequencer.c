/* The thread that closes epochs. It looks when it is woken and once in every_ms at least, so that
 * what came just after an epoch waits for the rest of every_ms and no longer. */
#include <time.h>

#include "server/transparency/service.h"

enum { LOOK_MOST_MS = 1000 }; /* for heartbeats and windows, also when nothing comes */

void sequencer_init(struct transparency *t)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&t->sequencer.wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

void sequencer_clear(struct transparency *t)
{
    (void)pthread_cond_destroy(&t->sequencer.wake);
}

void sequencer_wake(struct transparency *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->sequencer.woken = true;
    (void)pthread_cond_signal(&t->sequencer.wake);
    (void)pthread_mutex_unlock(&t->lock);
}

bool transparency_woken(struct transparency *t)
{
    (void)pthread_mutex_lock(&t->lock);
    bool woken = t->sequencer.woken;
    t->sequencer.woken = false;
    (void)pthread_mutex_unlock(&t->lock);
    return woken;
}

static struct timespec in_ms(uint32_t ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* False: it is over. */
static bool wait_turn(struct transparency *t)
{
    uint32_t ms = t->options.every_ms < LOOK_MOST_MS ? t->options.every_ms : LOOK_MOST_MS;
    struct timespec until = in_ms(ms);
    int timed_out = 0;
    (void)pthread_mutex_lock(&t->lock);
    while (!t->closing && !t->sequencer.woken && timed_out == 0)
        timed_out = pthread_cond_timedwait(&t->sequencer.wake, &t->lock, &until);
    bool closing = t->closing;
    t->sequencer.woken = false;
    (void)pthread_mutex_unlock(&t->lock);
    return !closing;
}

static void *work(void *arg)
{
    struct transparency *t = arg;
    struct err before = ERR_OK;
    while (wait_turn(t)) {
        uint64_t epoch;
        struct err err = transparency_tick(t, &epoch);
        if (!err_is_ok(err) && err.code != before.code && t->sequencer.failed != NULL)
            t->sequencer.failed(t->sequencer.arg, err);
        before = err;
    }
    return NULL;
}

struct err transparency_start(struct transparency *t, void (*failed)(void *arg, struct err err),
                              void *arg)
{
    t->sequencer.failed = failed;
    t->sequencer.arg = arg;
    t->sequencer.started = pthread_create(&t->sequencer.thread, NULL, work, t) == 0;
    if (!t->sequencer.started)
        return ERR(NO_MEMORY);
    sequencer_wake(t); /* what a crash left waiting */
    return ERR_OK;
}

void sequencer_stop(struct transparency *t)
{
    sequencer_wake(t);
    if (t->sequencer.started)
        (void)pthread_join(t->sequencer.thread, NULL);
    t->sequencer.started = false;
}
