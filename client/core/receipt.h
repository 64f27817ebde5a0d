/* Receipts of refusals (seal/receipt.h), kept as evidence (DoS11 to DoS14). Every task's call asks
 * for one in case it is refused. One that holds is kept; one that does not is a WITHHELD event: the
 * homeserver speaks with two tongues. That none came is nothing: there are few for each source.
 *
 *     DB_RECEIPT, owner empty: struct { uint8 version = 1; uint64 kept_ms; opaque domain<V>;
 *         opaque method<V>; uint16 status; uint32 hour; opaque receipt<V>; opaque signing<V>; }
 *     The newest RECEIPTS_KEPT. Receipt and signing credential show it to whoever has the root.
 */
#ifndef CLIENT_CORE_RECEIPT_H
#define CLIENT_CORE_RECEIPT_H

#include "client/core/core.h"
#include "seal/names.h"

enum { RECEIPTS_KEPT = 256 };

/* What was asked. method: the endpoint's path, which lives for ever; NULL: nothing. */
struct receipt_ask {
    const char *method;
    char domain[DOMAIN_MAX_BYTES + 1];
    uint8_t hash[32];
};
/* request: the message's bytes as they go out. */
void receipt_ask(struct receipt_ask *ask, const char *domain, const char *method,
                 struct bytes request);
/* A definite answer came. In its step. */
CHECKED struct err receipt_take(struct core *c, struct db_txn *t, const struct receipt_ask *ask,
                                const struct hearth_status *status);
/* How many are kept. */
CHECKED struct err receipt_count(struct core *c, struct db_txn *t, uint64_t *ret_count);

#endif
