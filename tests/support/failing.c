#include "support/failing.h"

#include <stddef.h>
#include <stdlib.h>

static _Thread_local long countdown = -1;
static _Thread_local bool failed, own_only;
static _Thread_local long paused = -1, first = -1;
static _Thread_local unsigned pauses;

void test_pause_failing(void)
{
    if (pauses++ > 0)
        return;
    paused = countdown;
    countdown = -1;
}

void test_resume_failing(void)
{
    if (pauses == 0 || --pauses > 0)
        return;
    countdown = paused;
    paused = -1;
}

static void no_pause(void)
{
    pauses = 0;
    paused = -1;
}

long test_counted_allocations(void)
{
    return failed ? first + 1 : first - (pauses > 0 ? paused : countdown);
}

void test_fail_own_allocation(long n)
{
    test_fail_allocation(n);
    own_only = true;
}

void test_fail_allocation(long n)
{
    no_pause();
    failed = own_only = false;
    countdown = first = n;
}

bool test_allocation_failed(void)
{
    no_pause();
    countdown = -1;
    return failed;
}

#if defined(HEARTH_SANITIZED) || defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)

bool test_can_fail_allocations(void)
{
    return false;
}

long test_live_allocations(void)
{
    return 0;
}

#else

bool test_can_fail_allocations(void)
{
    return true;
}

/* the linker's: where the program's own code lies */
extern const char __executable_start, etext;

static bool is_own(const void *caller)
{
    return (const char *)caller >= &__executable_start && (const char *)caller < &etext;
}

static bool fail_now(const void *caller)
{
    if (countdown < 0 || (own_only && !is_own(caller)) || countdown-- > 0)
        return false;
    failed = true;
    return true;
}

/* glibc's own, under the names it keeps for this purpose */
void *__libc_malloc(size_t len);
void *__libc_calloc(size_t count, size_t len);
void *__libc_realloc(void *old, size_t len);
void __libc_free(void *old);

static _Atomic long live;

long test_live_allocations(void)
{
    return live;
}

static void *counted(void *p)
{
    live += p != NULL;
    return p;
}

/* In the place of the library's, for the libraries too: the rest of the program is built hidden. */
#pragma GCC visibility push(default)

void *malloc(size_t len)
{
    return fail_now(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(len));
}

void *calloc(size_t count, size_t len)
{
    return fail_now(__builtin_return_address(0)) ? NULL : counted(__libc_calloc(count, len));
}

void *realloc(void *old, size_t len)
{
    if (fail_now(__builtin_return_address(0)))
        return NULL;
    void *p = __libc_realloc(old, len);
    live += old == NULL && p != NULL;
    live -= old != NULL && len == 0;
    return p;
}

void free(void *old)
{
    live -= old != NULL;
    __libc_free(old);
}

#pragma GCC visibility pop

#endif
