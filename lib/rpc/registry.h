/* The services of a server: a path finds its endpoint, implementation and self. Filled before the
 * server starts, read-only and shared by all loops afterwards.
 */
#ifndef RPC_REGISTRY_H
#define RPC_REGISTRY_H

#include "base/bytes.h"
#include "hearth/rpc.h"

struct bound_endpoint {
    const struct hearth_endpoint *row;
    const void *service; /* the vtable */
    void *self;
};

struct registry {
    const struct hearth_service **services;
    size_t service_count;
    struct bound_endpoint *slots; /* open addressing; a power of two, at most half full */
    size_t slot_count;
    size_t endpoint_count;
};

/* The zero state is empty. ERR_WRONG_STATE when a path is taken already. */
CHECKED struct err registry_add(struct registry *r, const struct hearth_service *service,
                                const void *impl, void *self);
const struct bound_endpoint *registry_find(const struct registry *r, struct bytes path);
void registry_clear(struct registry *r);

#endif
