/* The services that a server offers by itself: health, and reflection where it is asked for.
 */
#ifndef RPC_SERVICES_STANDARD_H
#define RPC_SERVICES_STANDARD_H

#include "hearth/rpc.h"
#include "rpc/registry.h"
#include "rpc/services/health.h"
#include "rpc/services/reflection.h"

struct standard_services {
    struct health *health;         /* NULL: not offered */
    struct reflection *reflection; /* NULL: not offered */
};

/* Adds what options (or NULL) ask for to an empty registry. ERR_NO_MEMORY. */
CHECKED struct err standard_init(struct standard_services *standard, struct registry *registry,
                                 const struct hearth_server_options *options);
/* All services are in the registry: each of them serves, and reflection reads what they are.
 * ERR_NO_MEMORY, ERR_WIRE_VALUE (a service whose descriptors can't be read). */
CHECKED struct err standard_start(struct standard_services *standard,
                                  const struct registry *registry);
/* When the loops are gone. The zero state is good. */
void standard_clear(struct standard_services *standard);

#endif
