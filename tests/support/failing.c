#include "support/failing.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

static _Thread_local long countdown = -1;
static _Thread_local bool failed, own_only;

void test_fail_own_allocation(long n)
{
    test_fail_allocation(n);
    own_only = true;
}

void test_fail_allocation(long n)
{
    failed = own_only = false;
    countdown = n;
}

bool test_allocation_failed(void)
{
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
void __libc_free(void *block);

static atomic_long live;

long test_live_allocations(void)
{
    return atomic_load(&live);
}

static void *counted(void *block)
{
    if (block != NULL)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return block;
}

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
    return old == NULL ? counted(__libc_malloc(len)) : __libc_realloc(old, len);
}

void free(void *block)
{
    if (block != NULL)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    __libc_free(block);
}

#endif
