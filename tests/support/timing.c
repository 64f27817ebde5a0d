#include "support/timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "support/test.h"

enum { PROCESSES = 4 };
#define BEFORE "TIMING_PROCESSES_BEFORE"

double timing_now_ns(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double timing_longer(const double *x, const double *y, size_t count)
{
    double n = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            n += x[i] > y[k] ? 1 : x[i] == y[k] ? 0.5 : 0;
    return n / (double)count / (double)count;
}

double timing_guess(const double *x, const double *y, size_t count)
{
    double best = 0.5;
    for (size_t t = 0; t < count; t++) {
        double right = 0;
        for (size_t i = 0; i < count; i++)
            right += (x[i] > x[t]) + (y[i] <= x[t]);
        right /= 2 * (double)count;
        right = right < 0.5 ? 1 - right : right;
        best = right > best ? right : best;
    }
    return best;
}

double timing_mean(const double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i];
    return sum / (double)count;
}

int timing_end(int failed)
{
    char number[16];
    const char *before = getenv(BEFORE);
    const int processes = before != NULL ? atoi(before) + 1 : 1;
    if (failed == 0 || processes >= PROCESSES)
        return failed;
    (void)snprintf(number, sizeof number, "%d", processes);
    printf("once more, in a process whose memory lies elsewhere\n");
    fflush(NULL);
    if (setenv(BEFORE, number, 1) == 0)
        execl("/proc/self/exe", "timing_test", (char *)NULL);
    return failed;
}
