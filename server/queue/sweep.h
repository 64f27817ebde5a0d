/* A piece of sweeping, inside a transaction. */
#ifndef SERVER_QUEUE_SWEEP_H
#define SERVER_QUEUE_SWEEP_H

#include "server/queue/inside.h"

/* ret_more: there was something; call again. */
CHECKED struct err sweep_piece(struct store_txn *txn, bool *ret_more);

#endif
