/* The grpc-timeout header: up to eight digits and a unit of H M S m u n.
 */
#ifndef RPC_TIMEOUT_H
#define RPC_TIMEOUT_H

#include "base/bytes.h"

enum { TIMEOUT_TEXT_BYTES = 12 };

/* Microseconds, at least 1 for any positive value; ERR_RPC_TIMEOUT when it is not of that form. */
CHECKED struct err timeout_parse(struct bytes text, uint64_t *ret_us);
/* Writes a zero-terminated text, never longer than the time given nor shorter than it by more than
 * 1 in 10^4; 0 becomes "1n", since a zero timeout is not a number every peer accepts. */
size_t timeout_format(uint64_t us, char out[TIMEOUT_TEXT_BYTES]);

#endif
