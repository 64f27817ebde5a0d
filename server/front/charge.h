/* What a call costs (tokens.md, docs/decisions/0016-charging.md): the one mechanism by which the
 * cost class of a row in the .proto becomes tokens or credits. A service says who pays and where
 * its database keeps what was spent; everything else is here.
 *
 *     charge_begin(front, call, class, &charge)   loop: the row's price now, tokens that came along
 *     charge_account(&charge, id, whole)          who pays
 *     charge_allowance(&charge)                   the free allowance, if that is enough
 *     charge_check(txn, &purse, &charge)          a reader: would it be paid? tokens verified
 *     charge_take(txn, &purse, &charge)           the writer, in the transaction of the effect (T1)
 *     charge_fail(call, &charge, err)             says what to bring where ERR_PASS_PAY
 *
 * Two ways to pay. Callers with a pseudonym of their own (a leaf, a contact, a handle) pay with
 * credits: each token they bring is CREDITS_PER_TOKEN of them (credits.h), so that most calls are a
 * subtraction and no curve operation. All others pay with whole tokens, exactly as many as the call
 * costs. Before either comes a free allowance, a bucket in memory (CREDITS_FREE), so that first
 * contact works without tokens; it leaves nothing in a database.
 *
 * Prices rise for everybody alike while the server is overloaded (price.h). A repeated request that
 * is answered from once.h pays nothing; one that only reads and is repeated with the same tokens
 * pays nothing either, a few times (TOKEN_REPEATS).
 *
 * Where the operator has tokens off, every charge is nothing, and tokens that come are ignored: all
 * other limits hold as ever.
 */
#ifndef SERVER_CHARGE_H
#define SERVER_CHARGE_H

#include "server/front/credits.h"
#include "server/front/front.h"
#include "server/front/pay.h"

/* Where a service keeps what was spent: PURSE_SQL in a migration, PURSE_STATEMENTS among its
 * statements. */
#define PURSE_SQL        SPENT_SQL CREDITS_SQL
#define PURSE_STATEMENTS SPENT_STATEMENTS, CREDITS_STATEMENTS
enum { PURSE_STATEMENT_COUNT = SPENT_STATEMENT_COUNT + CREDITS_STATEMENT_COUNT };
struct purse {
    struct spent spent;
    unsigned credits; /* index of the first of CREDITS_STATEMENTS */
};
/* statements: of the first of PURSE_STATEMENTS; key: PASS_SPENT_KEY_BYTES, the service's own. */
static inline struct purse purse_at(unsigned statements, const uint8_t *key)
{
    return (struct purse){{statements, key}, statements + SPENT_STATEMENT_COUNT};
}
/* A key for tags of spent tokens out of one for ids at rest. */
void purse_key(const uint8_t ids_key[KEEPER_KEY_BYTES], uint8_t ret_key[PASS_SPENT_KEY_BYTES]);

/* The zero state costs nothing and is safe to clear. */
struct charge {
    struct front *front; /* NULL: it costs nothing */
    uint8_t class;       /* enum pass_class */
    bool whole;          /* in tokens, else in credits */
    bool paid, asked;    /* by the free allowance; it was asked */
    bool has_account;
    bool repeats;    /* the row may be called again with the same tokens */
    uint32_t price;  /* of either */
    uint32_t most;   /* whole tokens that can be brought */
    uint32_t wanted; /* tokens that would pay, where ERR_PASS_PAY */
    uint8_t account[CREDITS_ID_BYTES];
    uint64_t now_s;
    struct payment payment;
    struct err
        wrong; /* what reading the tokens came to; who repeats a request is answered anyway */
};

/* On the call's loop. */
void charge_begin(struct front *front, struct hearth_call *call, uint8_t class,
                  struct charge *ret_charge);
/* The same where something else than the operator's switch decides that it costs. */
void charge_begin_always(struct front *front, struct hearth_call *call, uint8_t class,
                         struct charge *ret_charge);
/* COST_BY_SIZE: the tokens lie in the message, since headers can't hold as many. */
void charge_by_size(struct charge *charge, struct hearth_call *call, uint64_t bytes,
                    struct bytes tokens);
/* More than the row says: so many credits at the price of now, up to what one call can bring.
 * Before charge_account(). */
void charge_add(struct charge *charge, uint32_t credits);
/* Who pays: id is a PRF value. Not called: nobody, whole tokens without an allowance. */
void charge_account(struct charge *charge, const uint8_t id[CREDITS_ID_BYTES], bool whole);
/* Takes from the account's allowance where the call brought no tokens: once it is known that it is
 * no repeat. charge_take() does it at the latest; before, it saves who only reads a transaction.
 * From any thread. */
void charge_allowance(struct charge *charge);
/* The same for who is known by its source alone, at the lowest price: FREE_PREFIX. */
void charge_source(struct charge *charge, struct bytes source);
/* Is there anything to do in a database? */
static inline bool charge_owes(const struct charge *charge)
{
    return charge->front != NULL && !charge->paid;
}
/* Are there tokens to be looked at, by charge_check(), before the writer's turn? */
bool charge_brings(const struct charge *charge);
/* ERR_PASS_PAY: not enough; ERR_QUOTA: more credits than one may have; those of payment_check(). */
CHECKED struct err charge_check(struct store_txn *txn, const struct purse *purse,
                                struct charge *charge);
/* Everything or nothing. Errors as of charge_check(). What it marks has been checked. */
CHECKED struct err charge_take(struct store_txn *txn, const struct purse *purse,
                               struct charge *charge);
/* front_fail(), with TokensRequired where err is ERR_PASS_PAY; ERR_PASS_KEY of what was brought
 * counts as ERR_PASS_TOKEN (401 in RFC 9577 as well). */
enum hearth_code charge_fail(struct hearth_call *call, const struct charge *charge, struct err err);
void charge_clear(struct charge *charge);

/* Where calls are paid for that write nothing else: a service that may close while jobs lie in
 * inboxes, and says ERR_STORE_STOPPED then. */
struct charge_till {
    struct purse purse;
    void *service;
    void (*ref)(void *service);
    void (*unref)(void *service);
    struct err (*submit)(void *service, bool write, struct inbox *inbox,
                         const struct store_work *work);
};
/* Checks and takes, then calls then(call, arg) on the call's loop, which answers or goes on. Where
 * it isn't paid, or nobody waits any more, the call has ended and then(NULL, arg) is called, so
 * that arg can go: once in any case. For charges that charge_owes(); takes the charge. Returns what
 * the handler returns. The call's handler on_cancel is used meanwhile. */
enum hearth_code charge_call(struct hearth_call *call, const struct charge_till *till,
                             struct charge *charge,
                             void (*then)(struct hearth_call *call, void *arg), void *arg);

/* Deletes up to `most` rows of either kind that are over; true: there may be more. */
CHECKED struct err purse_expire(struct store_txn *txn, const struct purse *purse,
                                const struct limits *limits, uint64_t now_s, uint32_t most,
                                bool *ret_more);

#endif
