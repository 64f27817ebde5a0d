/* Can the clock tell two kinds of calls apart? What a classifier makes of the processor time of
 * many of each. */
#ifndef TESTS_SUPPORT_TIMING_H
#define TESTS_SUPPORT_TIMING_H

#include <stddef.h>

/* Processor time of this thread. */
double timing_now_ns(void);
/* The chance that one of x takes longer than one of y: 0.5 when nothing can be told. */
double timing_longer(const double *x, const double *y, size_t count);
/* How often the best threshold guesses right, of x and y alike. */
double timing_guess(const double *x, const double *y, size_t count);
double timing_mean(const double *x, size_t count);

/* What main returns, by what cmocka's group returned. Where memory lies in one process can make one
 * kind of call slower in that process (caches); a difference that is there is there in each. So a
 * program that failed is started afresh, three times at most. */
int timing_end(int failed);

#endif
