/* Receipts (seal/receipt.h), kept as evidence (DoS11 to DoS14). Every task's call asks for one in
 * case it is refused; calls that change who we are and what we are in (accounts, handles, groups)
 * ask in any case, messages do not: what became of those members tell each other (head.h). One that
 * holds is kept; one that does not is a WITHHELD event: the homeserver speaks with two tongues.
 * That none came is nothing: there are few for each source.
 *
 *     DB_RECEIPT, owner empty: refusals; owner "done": what was accepted.
 *         struct { uint8 version = 1; uint64 kept_ms; opaque domain<V>;
 *         opaque method<V>; uint16 status; uint32 hour; opaque receipt<V>; opaque signing<V>; }
 *     The newest RECEIPTS_KEPT of each. Receipt and signing credential show it to whoever has the
 * root.
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
/* Is a receipt of it wanted also when it is accepted? */
bool receipt_of_changes(const char *method);
/* A definite answer came. In its step. */
CHECKED struct err receipt_take(struct core *c, struct db_txn *t, const struct receipt_ask *ask,
                                const struct hearth_status *status);
/* How many refusals are kept. */
CHECKED struct err receipt_count(struct core *c, struct db_txn *t, uint64_t *ret_count);

/* One that is kept. Views live until fn returns. */
struct receipt_kept {
    uint64_t kept_ms;
    struct bytes domain, method, receipt, signing;
    uint16_t status;             /* 0: accepted */
    uint32_t hour;               /* since 1970 */
    const uint8_t *request_hash; /* 32 bytes; NULL: the row's receipt does not parse */
};
/* Refusals, then what was accepted, the oldest first. ERR_CANCELLED of fn ends the walk and is no
 * error. */
CHECKED struct err receipt_each(struct core *c, struct db_txn *t,
                                struct err (*fn)(void *arg, const struct receipt_kept *kept),
                                void *arg);

#endif
