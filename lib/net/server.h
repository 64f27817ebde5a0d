/* Doors of hearth_server for a world that runs in one thread (net/pipe.h), where
 * hearth_server_drain() would wait for itself.
 */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include "hearth/rpc.h"

/* The first half of hearth_server_drain(), for a server started on a loop: on that loop's thread.
 */
void server_drain_begin(struct hearth_server *server);
/* All connections are gone since. */
bool server_is_empty(struct hearth_server *server);
/* The second half: cuts what is left. */
void server_drain_end(struct hearth_server *server);

#endif
