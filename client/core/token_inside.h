/* What the two ways of fetching tokens share. */
#ifndef CLIENT_CORE_TOKEN_INSIDE_H
#define CLIENT_CORE_TOKEN_INSIDE_H

#include "client/core/task.h"
#include "client/core/token.h"

/* An order at rest: struct { opaque public_key[32]; opaque nonces[32 * count]; opaque blinds[32 *
 * count]; opaque blinded[32 * count]; } */
static inline size_t token_order_bytes(size_t count)
{
    return VOPRF_ELEMENT_BYTES * (1 + 3 * count);
}
/* One at a time of those that the label and `which` name. */
void token_lane(const char *label, struct bytes which, const char *domain, uint8_t ret_lane[16]);
/* Takes the body, whatever comes of it. */
CHECKED struct err token_task_add(struct core *c, struct db_txn *t, enum task_kind kind,
                                  const uint8_t lane[16], struct buf *body);
/* Who waits for them goes on without. What does not verify, people must hear of. */
CHECKED struct err token_task_failed(struct core *c, struct db_txn *t, struct task *task,
                                     const struct hearth_error *error);

/* Is the directory in the domain's log, and was the key in time? Tokens that pay for looking into
 * that log can't wait for it: what it shows later is held against the same directory. Errors of
 * log_keys_gate (ERR_CLIENT_LOG_LATER: it is being asked); ERR_PASS_KEY_UNKNOWN: too late. */
CHECKED struct err token_gate(struct core *c, struct db_txn *t, const char *domain,
                              uint16_t token_type, uint8_t class, uint32_t period);
/* Draws one and appends it. Errors of token_key and pass_order_init. */
CHECKED struct err token_order_make(struct core *c, struct db_txn *t, const char *domain,
                                    uint8_t class, uint32_t period, size_t count, struct buf *b);
/* rest: token_order_bytes(count). Wipe it. */
CHECKED struct err token_order_read(const char *domain, uint8_t class, uint32_t period,
                                    size_t count, struct bytes rest, struct pass_order *ret_order);
/* Appends the request. */
CHECKED struct err token_order_request(const char *domain, uint8_t class, uint32_t period,
                                       size_t count, struct bytes rest, struct buf *request);
/* The answer: into the pile. Errors of pass_order_finish, token_pile_add. */
CHECKED struct err token_order_finish(struct core *c, struct db_txn *t, const char *domain,
                                      uint8_t class, uint32_t period, size_t count,
                                      struct bytes rest, struct bytes response, uint32_t left);

#endif
