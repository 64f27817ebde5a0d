/* Which connection a call came on: apart from the house, whose headers and lib/rpc's each have a
 * struct outbox. An address is used again, also in the same moment; the first stream of a
 * connection has number 1. */
#include <stdlib.h>

#include "rpc/call.h"
#include "rpc/server_conn.h"

enum { CONNECTIONS = 4096 };

uint64_t town_connection_of(const struct hearth_call *call);

uint64_t town_connection_of(const struct hearth_call *call)
{
    static struct {
        const struct server_conn *conn;
        uint64_t serial;
    } known[CONNECTIONS];
    static uint64_t serial;
    size_t i = 0;
    while (i < CONNECTIONS && known[i].conn != NULL && known[i].conn != call->conn)
        i++;
    if (i == CONNECTIONS)
        abort();
    if (known[i].conn == NULL || call->id == 1)
        known[i].serial = ++serial;
    known[i].conn = call->conn;
    return known[i].serial;
}
