/* How the task engine pays calls (core/token.h).
 *
 * A homeserver that wants tokens says so in its refusal (TokensRequired), after whatever it gives
 * for nothing: how many and of which class. They are taken out of the stock in the step that
 * prepares the call again, written into the task, and go with every repeat of it. With a definite
 * answer, whichever, they are gone: seen on that connection, they are never shown on another.
 */
#ifndef CLIENT_CORE_TOKEN_PAY_H
#define CLIENT_CORE_TOKEN_PAY_H

#include "client/core/task.h"

enum {
    TOKEN_REFUSALS_MOST = 3, /* of tokens, for one call */
    TOKEN_FREE_TRIES =
        24, /* of a call that has a free allowance, when there are no tokens: four hours */
};

/* After a task was prepared: fills call->tokens, or lets it wait until there are tokens (NEXT_WAIT)
 * or fail where there will be none (NEXT_FAILED). Does nothing where nothing is owed. */
CHECKED struct err token_pay(struct core *c, struct db_txn *t, struct task *task,
                             struct task_call *call, enum task_next *next);
/* What a refusal asks for (TokensRequired). False: it is not about tokens, or nonsense. */
bool token_demand(const struct hearth_status *status, uint8_t *ret_class, uint32_t *ret_tokens);
/* Before an answer is settled: is it about payment? Then task->payment says what is wanted, and the
 * call is to be prepared again. Else what it was paid with is over. */
bool token_demanded(struct task *task, const struct hearth_status *status);

#endif
