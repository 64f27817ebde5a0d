/* Whole tokens as they come with a call: values of hearth-token-bin, 101 bytes each (pass/token.h).
 *
 *     payment_read(call, ...)       in the handler: form, class, day, no token twice
 *     payment_check(txn, ...)       on a reader's thread: unspent? then, is each one of ours?
 *     payment_mark(txn, ...)        in the writer's transaction, before the effect
 *
 * What a call costs, and whether in tokens or in credits, is charge.h's to say. A repeated request
 * is answered by the service (once.h) before it comes to payment_mark.
 */
#ifndef SERVER_PAY_H
#define SERVER_PAY_H

#include "hearth/rpc.h"
#include "server/front/spent.h"
#include "server/front/token_keys.h"

#define PAY_METADATA "hearth-token-bin"
/* As metadata 32 of them are 6 KB of the 8 KiB that headers may have. */
enum { PAY_TOKENS_MOST = 32, PAY_LIST_MOST = 640 };

/* The zero state is a payment of nothing. */
struct payment {
    uint8_t *tokens; /* count times PASS_SHORT_BYTES; owned */
    size_t count;
    size_t good; /* how many of them verified, when they were checked last */
    uint8_t request[SPENT_REQUEST_BYTES];
};
void payment_clear(struct payment *payment);

/* How payments are checked; borrowed. */
struct payee {
    struct token_keys *keys;
    struct keeper *keeper;
    struct bytes domain;
};

/* All tokens of the call's metadata, which may be none. ERR_PASS_TOKEN: more than PAY_TOKENS_MOST,
 * malformed, of another class, of a day whose tokens are not taken now, or one twice. */
CHECKED struct err payment_read(struct hearth_call *call, uint8_t class, uint64_t now_s,
                                struct payment *ret_payment);
/* The same of a list in the message, one behind the other: at most PAY_LIST_MOST. */
CHECKED struct err payment_read_list(struct hearth_call *call, struct bytes list, uint8_t class,
                                     uint64_t now_s, struct payment *ret_payment);
/* From any thread. ERR_PASS_SPENT (by another request), ERR_PASS_KEY, ERR_PASS_TOKEN: at the first
 * token that is not good. */
CHECKED struct err payment_check(struct store_txn *txn, const struct spent *spent,
                                 struct payment *payment, const struct payee *payee);
/* What tells a token from all others: class, period and nonce. */
static inline struct bytes payment_token_name(const struct payment *payment, size_t i)
{
    return bytes_of(payment->tokens + i * PASS_SHORT_BYTES,
                    PASS_SHORT_BYTES - PASS_AUTHENTICATOR_BYTES);
}
/* All or none. *ret_fresh: how many were not spent by this request before. ERR_PASS_SPENT, also
 * where some are and repeats is false; ERR_PASS_KEY. */
CHECKED struct err payment_mark(struct store_txn *txn, const struct spent *spent,
                                const struct payment *payment, bool repeats, size_t *ret_fresh);

#endif
