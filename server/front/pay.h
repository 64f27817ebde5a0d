/* Paying for a call with whole tokens: what unsigned calls do, where a limit can't know whom it
 * limits. Tokens come as values of hearth-token-bin, 101 bytes each (pass/token.h), as many as the
 * call costs; more are refused, not kept.
 *
 *     payment_read(call, ...)       in the handler: form, class, day, no token twice
 *     payment_check(txn, ...)       on a reader's thread: unspent? then, is each one of ours?
 *     payment_mark(txn, ...)        in the writer's transaction, before the effect
 *
 * A repeated request is answered by the service (once.h) before it comes to payment_mark.
 */
#ifndef SERVER_PAY_H
#define SERVER_PAY_H

#include "hearth/rpc.h"
#include "server/front/spent.h"

#define PAY_METADATA "hearth-token-bin"
enum { PAY_TOKENS_MOST = 16 };

/* 1.6 KB, no pointers. The zero state is a payment of nothing. */
struct payment {
    uint8_t tokens[PAY_TOKENS_MOST][PASS_SHORT_BYTES];
    size_t count;
    uint8_t request[SPENT_REQUEST_BYTES];
};

/* price: how many tokens of this class, at most PAY_TOKENS_MOST (ERR_ARGUMENT). body_hash: 32
 * bytes, the request's. ERR_PASS_TOKEN: fewer or more, malformed, of another class, of a day whose
 * tokens are not taken now, or one twice. */
CHECKED struct err payment_read(struct hearth_call *call, uint8_t class, uint64_t price,
                                const uint8_t *body_hash, uint64_t now_s,
                                struct payment *ret_payment);
/* key: of the class and a period, as the service holds it; ERR_PASS_KEY where it has none. From any
 * thread. ERR_PASS_SPENT, ERR_PASS_KEY, ERR_PASS_TOKEN: at the first token that is not good. */
CHECKED struct err payment_check(struct store_txn *txn, const struct spent *spent,
                                 const struct payment *payment,
                                 struct err (*key)(void *self, uint8_t class, uint32_t period,
                                                   struct pass_issuer_key *ret_key),
                                 void *self);
/* All or none. ERR_PASS_SPENT, ERR_PASS_KEY. */
CHECKED struct err payment_mark(struct store_txn *txn, const struct spent *spent,
                                const struct payment *payment);

#endif
