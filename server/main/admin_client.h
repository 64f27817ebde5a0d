/* How commands reach the running homeserver: a channel to its admin socket. */
#ifndef SERVER_MAIN_ADMIN_CLIENT_H
#define SERVER_MAIN_ADMIN_CLIENT_H

#include "hearth/rpc.h"
#include "server/main/command.h"

/* NULL after saying why. */
struct hearth_channel *admin_client_open(const struct invocation *in);
/* Says how a call failed, with the next command where nobody runs; frees the status. Returns
 * EXIT_FAILED. */
int admin_client_fail(const struct invocation *in, struct hearth_status *status);

#endif
