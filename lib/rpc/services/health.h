/* grpc.health.v1: what a server says about itself and its services.
 *
 * States change from any thread; each watching call is told on its own loop, and told the latest
 * state only: one that reads slowly misses what lay between, never how it ended.
 */
#ifndef RPC_SERVICES_HEALTH_H
#define RPC_SERVICES_HEALTH_H

#include "base/err.h"
#include "grpc/health/v1/health_rpc.h"

struct health;

/* The server as a whole ("") is serving. ERR_NO_MEMORY. */
CHECKED struct err health_new(struct health **ret_health);
/* When no call is left and the loops are gone. */
void health_free(struct health *health);

/* Any thread. A service that wasn't known becomes so. ERR_NO_MEMORY: somebody may not have heard.
 */
CHECKED struct err health_set(struct health *health, const char *service, bool serving);
/* A service that wasn't known serves; one that was is left as it is. ERR_NO_MEMORY. */
CHECKED struct err health_introduce(struct health *health, const char *service);
/* Everything is NOT_SERVING from now on, whatever is set later; watching calls are told and ended
 * with UNAVAILABLE, so that a server that drains doesn't wait for them. Any thread. */
void health_shut_down(struct health *health);

/* For hearth_server_add_grpc_health_v1_health(); self is the struct health. */
extern const struct grpc_health_v1_health_service health_impl;

#endif
