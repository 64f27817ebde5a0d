/* What all connections of a server share, read-only once it runs (but for `draining`).
 */
#ifndef RPC_SERVER_CORE_H
#define RPC_SERVER_CORE_H

#include <stdatomic.h>

#include "rpc/h2.h"
#include "rpc/registry.h"

struct server_core {
    struct registry registry;
    struct hearth_interceptor *interceptors;
    size_t interceptor_count;
    struct hearth_server_limits limits; /* every member filled in */
    struct h2_limits h2_limits;
    const char *page_path; /* borrowed; NULL: none */
    const void *page;
    size_t page_len;
    enum hearth_pressure (*pressure)(void *self); /* or NULL */
    void *pressure_self;
    atomic_bool draining;
};

static inline enum hearth_pressure server_core_pressure(const struct server_core *core)
{
    bool asks = core->pressure != NULL && !core->limits.no_limits;
    return asks ? core->pressure(core->pressure_self) : HEARTH_PRESSURE_NONE;
}

/* options may be NULL. Fills in defaults. ERR_NO_MEMORY. */
CHECKED struct err server_core_init(struct server_core *core,
                                    const struct hearth_server_options *options);
void server_core_clear(struct server_core *core);

#endif
