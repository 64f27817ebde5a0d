#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t system_monotonic_us(void *self)
{
    (void)self;
    return read_ns(CLOCK_MONOTONIC) / 1000;
}

static uint64_t system_unix_ms(void *self)
{
    (void)self;
    return read_ns(CLOCK_REALTIME) / 1000000;
}

const struct clock clock_system = {system_monotonic_us, system_unix_ms, NULL};

static uint64_t fake_monotonic_us(void *self)
{
    const struct clock_fake *fake = self;
    return fake->now_us;
}

static uint64_t fake_unix_ms(void *self)
{
    const struct clock_fake *fake = self;
    return fake->unix_base_ms + fake->now_us / 1000;
}

struct clock clock_of_fake(struct clock_fake *fake)
{
    return (struct clock){fake_monotonic_us, fake_unix_ms, fake};
}
