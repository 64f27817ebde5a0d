/* Which connection a call came on: apart from the house, whose headers and lib/rpc's each have a
 * struct outbox. */
#include "rpc/call.h"
#include "rpc/server_conn.h"

uint64_t town_connection_of(const struct hearth_call *call);

uint64_t town_connection_of(const struct hearth_call *call)
{
    return (uint64_t)(uintptr_t)call->conn ^ call->conn->opened_us << 20;
}
