/* Front ends of worlds don't judge the process they live in: its memory is mostly the test's,
 * several worlds' one after the other, and sanitizers keep what was freed, so that the ladder would
 * call the homeserver overloaded for good. */
#ifndef TESTS_SUPPORT_SERVER_CALM_H
#define TESTS_SUPPORT_SERVER_CALM_H

#include "server/front/front.h"

static inline uint64_t calm_memory_bytes(void *self)
{
    (void)self;
    return 0;
}

/* A front end with these options, which keep what they say of memory. */
CHECKED static inline struct err calm_front_new(struct front_env *env,
                                                const struct front_options *options,
                                                struct front **ret_front)
{
    struct front_options calm = *options;
    if (calm.memory_bytes == NULL)
        calm.memory_bytes = calm_memory_bytes;
    return front_new(env, &calm, ret_front);
}

#endif
