/* How the loops and the memory are, sampled while there are calls; the ladder says what to make of
 * it. Each loop has a ladder of its own, for it can only help itself. */
#include <stdio.h>
#include <unistd.h>

#include "server/front/inside.h"

enum { MEMORY_EVERY_US = 500000 };

/* Resident memory, as the kernel counts it; 0 where it can't be read. */
static uint64_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    (void)fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t load_memory_bytes(struct front *front, uint64_t now_us)
{
    uint64_t last_us = atomic_load(&front->memory_us);
    if ((last_us == 0 || now_us - last_us >= MEMORY_EVERY_US) &&
        atomic_compare_exchange_strong(&front->memory_us, &last_us, now_us)) {
        bool given = front->options.memory_bytes != NULL;
        atomic_store(&front->memory_bytes,
                     given ? front->options.memory_bytes(front->options.memory_self)
                           : resident_bytes());
    }
    return atomic_load(&front->memory_bytes);
}

enum front_rung load_rung(const struct front_loop *at)
{
    unsigned rung = atomic_load_explicit(&at->rung, memory_order_relaxed);
    if (rung == FRONT_CALM)
        return FRONT_CALM;
    uint64_t now_us = clock_monotonic_us(at->front->env->clock);
    uint64_t then_us = atomic_load_explicit(&at->sampled_us, memory_order_relaxed);
    return now_us > then_us && now_us - then_us > LOAD_FRESH_US ? FRONT_CALM
                                                                : (enum front_rung)rung;
}

static void set_timer(struct front_loop *at, uint64_t now_us)
{
    at->new_calls = 0;
    bool set = hearth_timer_set(at->timer, LOAD_SAMPLE_MS);
    at->due_us = set ? now_us + LOAD_SAMPLE_MS * 1000 : 0;
}

static void say_rung(struct front_loop *at, enum front_rung rung)
{
    static const char *const names[] = {"calm", "careful", "guarded", "narrow", "closed"};
    char line[64];
    (void)snprintf(line, sizeof line, "level=warn event=overload rung=%s", names[rung]);
    front_log(at->front, line);
    atomic_store(&at->rung, rung);
}

/* ---- streams that say nothing ---- */

void load_silent(struct admission *p)
{
    struct front_loop *at = p->at;
    p->silent = true;
    p->next = NULL;
    p->prev = at->silent_last;
    if (p->prev != NULL)
        p->prev->next = p;
    else
        at->silent = p;
    at->silent_last = p;
}

void load_heard(struct admission *p)
{
    struct front_loop *at = p->at;
    if (!p->silent)
        return;
    p->silent = false;
    *(p->prev != NULL ? &p->prev->next : &at->silent) = p->next;
    *(p->next != NULL ? &p->next->prev : &at->silent_last) = p->prev;
}

/* Nobody knows yet who they are, and a stream costs memory. */
static void end_silent(struct front_loop *at, uint64_t now_us)
{
    uint64_t most_us = limit_value(at->front->limits, LIMIT_FIRST_MESSAGE_S) * 1000000;
    while (at->silent != NULL && now_us - at->silent->begun_us >= most_us) {
        struct admission *p = at->silent;
        load_heard(p);
        (void)front_fail(p->call, ERR(TIMEOUT));
    }
}

/* ---- samples ---- */

static void on_timer(void *arg)
{
    struct front_loop *at = arg;
    struct front *front = at->front;
    uint64_t now_us = clock_monotonic_us(front->env->clock);
    uint64_t lag_us = now_us > at->due_us ? now_us - at->due_us : 0;
    struct ladder_marks marks = {limit_value(front->limits, LIMIT_OVERLOAD_LAG_MS) * 1000,
                                 limit_value(front->limits, LIMIT_OVERLOAD_MEMORY_MIB) << 20};
    enum front_rung before = at->ladder.rung;
    metrics_time(front->metrics, METRIC_LOOP_LAG, lag_us);
    enum front_rung rung =
        ladder_sample(&at->ladder, &marks, lag_us, load_memory_bytes(front, now_us), now_us);
    atomic_store_explicit(&at->sampled_us, now_us, memory_order_relaxed);
    if (rung != before)
        say_rung(at, rung);
    at->due_us = 0;
    /* A loop on which nothing begins needs no watching, unless it has to come down the ladder. */
    if (at->new_calls > 0 || rung != FRONT_CALM || at->silent != NULL)
        set_timer(at, now_us);
    /* last: the timer goes with the last call */
    if (!front->options.control)
        end_silent(at, now_us);
}

void load_call_begun(struct front_loop *at)
{
    at->open_calls++;
    at->new_calls++;
    if (at->timer == NULL)
        at->timer = hearth_timer_new(atomic_load(&at->loop), on_timer, at);
    if (at->timer != NULL && at->due_us == 0)
        set_timer(at, clock_monotonic_us(at->front->env->clock));
}

void load_call_ended(struct front_loop *at)
{
    if (--at->open_calls > 0)
        return;
    hearth_timer_free(at->timer);
    at->timer = NULL;
    at->due_us = 0;
    /* nothing is under way here: nothing to shed */
    if (at->ladder.rung != FRONT_CALM &&
        atomic_load(&at->front->memory_bytes) <
            limit_value(at->front->limits, LIMIT_OVERLOAD_MEMORY_MIB) << 20) {
        at->ladder = (struct ladder){0};
        say_rung(at, FRONT_CALM);
    }
}
