/* Timing of small operations: the median over batches of the microseconds per call, since shared
 * machines are noisy and a mean would follow the noise. Quote ratios within one run. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"

enum { BENCH_BATCHES = 15, BENCH_BATCH_US = 20000 };

/* Benchmarks stop at the first error: a time of something that failed means nothing. */
static inline void bench_must(struct err err, const char *name)
{
    if (err_is_ok(err))
        return;
    (void)fprintf(stderr, "%s: %s\n", name, err_name(err));
    exit(1);
}

static inline int bench_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* BENCH_OF_CORE, defined before: the thread's own time on a core, for what only computes; then what
 * else runs on the machine shows little. Else time as it passes. */
static inline uint64_t bench_now_us(void)
{
#ifdef BENCH_OF_CORE
    struct timespec at;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at) == 0)
        return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
#endif
    return clock_monotonic_us(&clock_system);
}

/* Prints one line and returns the median. The batch size is found first, so that a batch lasts
 * about 20 ms. */
static inline double bench_run(const char *name, struct err (*step)(void *self), void *self)
{
    uint64_t calls = 1, took;
    for (;;) {
        uint64_t from = bench_now_us();
        for (uint64_t i = 0; i < calls; i++)
            bench_must(step(self), name);
        took = bench_now_us() - from;
        if (took >= BENCH_BATCH_US / 4)
            break;
        calls *= 2;
    }
    calls = calls * BENCH_BATCH_US / took + 1;
    double us[BENCH_BATCHES];
    for (int batch = 0; batch < BENCH_BATCHES; batch++) {
        uint64_t from = bench_now_us();
        for (uint64_t i = 0; i < calls; i++)
            bench_must(step(self), name);
        us[batch] = (double)(bench_now_us() - from) / (double)calls;
    }
    qsort(us, BENCH_BATCHES, sizeof *us, bench_order);
    double median = us[BENCH_BATCHES / 2];
    printf("%-44s %10.2f us   (%.2f to %.2f)\n", name, median, us[0], us[BENCH_BATCHES - 1]);
    return median;
}

#endif
