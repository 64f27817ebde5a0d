/* Failing chosen allocations of the running program: malloc, calloc and realloc themselves, whoever
 * calls them. A program gets its own malloc by using this header; sanitizer builds have one
 * already, and there nothing can be failed (test_can_fail_allocations() is false, skip()).
 *
 *     for (long n = 0;; n++) {
 *         test_fail_allocation(n);
 *         struct err err = thing(...);
 *         if (!test_allocation_failed()) break;      // thing makes no more than n allocations
 *         ...err must be NO_MEMORY and nothing changed...
 *     }
 */
#ifndef TESTS_SUPPORT_FAILING_H
#define TESTS_SUPPORT_FAILING_H

#include <stdbool.h>

bool test_can_fail_allocations(void);
/* The n-th allocation from now on fails, once; below 0: none does. */
void test_fail_allocation(long n);
/* The same among the allocations made by the program's own code and its static libraries; those
 * of shared libraries are neither counted nor failed. */
void test_fail_own_allocation(long n);
/* Between these two nothing fails or counts: for the test's own machinery. They nest. */
void test_pause_failing(void);
void test_resume_failing(void);
/* How many were counted since one was told to fail, that one included. */
long test_counted_allocations(void);
/* Did it? Stops the counting, and ends all pauses. */
bool test_allocation_failed(void);

/* Allocations that are not freed, of all threads: equal before and after what leaks nothing. */
long test_live_allocations(void);

#endif
