/* grpc.reflection.v1 and v1alpha: the services of a server and their .proto files, from the
 * descriptors that the stubs carry. Filled once before the server starts, read-only and shared by
 * all loops afterwards.
 */
#ifndef RPC_SERVICES_REFLECTION_H
#define RPC_SERVICES_REFLECTION_H

#include "base/err.h"
#include "grpc/reflection/v1/reflection_rpc.h"

struct reflection;

/* ERR_NO_MEMORY. */
CHECKED struct err reflection_new(struct reflection **ret_reflection);
void reflection_free(struct reflection *reflection);

/* To be added to the server, with reflection_impl and the struct reflection as self. v1alpha is v1
 * under another name, byte for byte; its row borrows from the struct reflection. */
const struct hearth_service *reflection_v1(const struct reflection *reflection);
const struct hearth_service *reflection_v1alpha(const struct reflection *reflection);
extern const struct grpc_reflection_v1_server_reflection_service reflection_impl;

/* Reads the descriptors of all services, once; services and their rows are borrowed.
 * ERR_WIRE_VALUE: a descriptor that can't be read (services made by hand may have none at all: they
 * are listed, and nothing is known of them). ERR_NO_MEMORY. After an error it is good for
 * reflection_free() only. */
CHECKED struct err reflection_index(struct reflection *reflection,
                                    const struct hearth_service *const *services, size_t count);

#endif
