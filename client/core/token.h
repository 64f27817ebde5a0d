/* Tokens (lib/pass): the stock in the account's file, how it is filled, how calls are paid.
 *
 * A pile belongs to (domain, class, period). It is filled by TASK_TOKENS in batches of up to 100,
 * at times that have nothing to do with what is spent: tomorrow's at a random moment of today.
 * Today's are fetched only by a client that has none (a new one, one that was away), and then not
 * spent at once. Keys are those of the directory in GetKeys, one for each class and period for
 * good: a directory in which one that we know has become another is refused (pass/key_rules.h), and
 * none is used before it was found in the homeserver's log (core/log.h), where there is one, and
 * was there a window before its time (token_seen.h).
 *
 * A token leaves its pile in the very step that gives it to a task; from then on it belongs to that
 * task, its class and its connection, and is sent with each repeat. What a task did not need in the
 * end is gone: it was seen there, and elsewhere it would tell who came. So after kill -9 no token
 * is in two places, and an interrupted fetch is asked again as it was and not charged twice.
 */
#ifndef CLIENT_CORE_TOKEN_H
#define CLIENT_CORE_TOKEN_H

#include "client/core/core.h"
#include "client/core/token_when.h"
#include "crypto/blind_rsa.h"
#include "pass/request.h"

enum {
    TOKEN_GRANT = 64,      /* of a client that has nothing: what a new user may have */
    TOKEN_LIST_MOST = 640, /* tokens of one call at most (an upload) */
};

/* ---- what we know of a homeserver (token_facts.c; DB_TOKEN_FACTS, id domain) */

struct token_facts {
    bool on;              /* calls cost tokens */
    uint64_t seen_s;      /* when the directory was last seen */
    struct buf directory; /* TokenKeyDirectory; empty: none yet */
    /* since when its keys are in the log (token_seen.h) */
    uint64_t first_s; /* when that log's first epoch was; 0: not known */
    struct buf seen, asked;
};
void token_facts_clear(struct token_facts *f);
/* Zero where there is none. */
CHECKED struct err token_facts_get(struct db_txn *t, const char *domain,
                                   struct token_facts *ret_facts);
CHECKED struct err token_facts_put(struct db_txn *t, const char *domain,
                                   const struct token_facts *facts);
/* A directory that the homeserver's statement vouches for. ERR_PASS_KEY_UNKNOWN: a key that we know
 * is another one now; errors of pass_directory_parse. */
CHECKED struct err token_directory_take(struct core *c, struct db_txn *t, const char *domain,
                                        struct bytes directory);
/* That calls there cost tokens, or do not. */
CHECKED struct err token_facts_set(struct db_txn *t, const char *domain, bool on);
/* The key of a class and period, if it is to be used. Errors of pass_token_key_accept;
 * ERR_CLIENT_LOG_LATER: since when it is public is not known (token_gate()). */
CHECKED struct err token_key(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                             uint32_t period, struct pass_public_key *ret_key);

/* The key of our homeserver's vouchers of a class and week; clear it. Appends its published form.
 * Errors of pass_voucher_key_accept; ERR_CLIENT_LOG_LATER. */
CHECKED struct err token_voucher_key(struct core *c, struct db_txn *t, const char *domain,
                                     uint8_t class, uint32_t week, struct buf *spki,
                                     struct blind_rsa_public *ret_key);

/* ---- the stock (token_stock.c; DB_TOKEN_PILE and list DB_TOKEN, id domain, class, period mod 4)
 */

struct token_pile {
    uint32_t period;
    uint8_t public_key[VOPRF_ELEMENT_BYTES];
    uint64_t next, end; /* numbers in the list: the first that is there, and one past the last */
    uint64_t ready_ms;  /* not spent before */
    uint32_t left;      /* of the allowance, after the last batch; UINT32_MAX: not said */
};
static inline uint32_t token_day(const struct core *c)
{
    return token_day_at(core_now_ms(c));
}
/* Of that period; ERR_NOT_FOUND: nothing was fetched for it. */
CHECKED struct err token_pile_get(struct db_txn *t, const char *domain, uint8_t class,
                                  uint32_t period, struct token_pile *ret_pile);
/* A batch (count 0: none, but it is known what is left). What lay there of another period goes.
 * ERR_PASS_KEY_UNKNOWN: another key than the pile's. */
CHECKED struct err token_pile_add(struct db_txn *t, const char *domain,
                                  const struct pass_public_key *key, const struct pass_coin *coins,
                                  size_t count, uint64_t ready_ms, uint32_t left);
/* Of every pile of another homeserver, of whatever period. */
CHECKED struct err token_pile_each_abroad(struct core *c, struct db_txn *t,
                                          struct err (*fn)(void *arg, const char *domain,
                                                           uint8_t class,
                                                           const struct token_pile *pile),
                                          void *arg);
/* How many could be spent now, or as soon as they have rested. */
CHECKED struct err token_count(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                               uint32_t *ret_count);
/* Appends ShortTokens, PASS_SHORT_BYTES each, which are the caller's now. ERR_NOT_FOUND: fewer are
 * there, and none is taken. *ret_wait_ms: they are there, but have to rest (nothing is taken). */
CHECKED struct err token_take(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                              size_t count, struct buf *tokens, uint64_t *ret_wait_ms);

/* ---- fetching (token_fetch.c: TASK_TOKENS; token_plan.c: when) */

/* Leaves the tasks that our homeserver's tokens need: the grant of one who has nothing, and the
 * batch of the next day of each class. Nothing where tokens cost nothing. */
CHECKED struct err token_plan(struct core *c, struct db_txn *t);
/* Now, and `count` of today's, unless that is under way. */
CHECKED struct err token_want(struct core *c, struct db_txn *t, uint8_t class, uint32_t count);
/* A batch of today's of another homeserver, for a voucher of ours (token_voucher.c: TASK_VOUCHER).
 */
CHECKED struct err token_buy(struct core *c, struct db_txn *t, const char *domain, uint8_t class);
/* The same of a day to come, at a random moment of the day before it, unless that is planned. */
CHECKED struct err token_buy_ahead(struct core *c, struct db_txn *t, const char *domain,
                                   uint8_t class, uint32_t period);
/* Tomorrow's of each class that was used yesterday or today at another homeserver: who went there
 * goes there tomorrow, too. */
CHECKED struct err token_plan_abroad(struct core *c, struct db_txn *t);
CHECKED struct err token_buying(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                                bool *ret_there);
/* The task itself, for token_plan.c. */
CHECKED struct err token_fetch_add(struct core *c, struct db_txn *t, uint8_t class, uint32_t period,
                                   uint32_t count, uint64_t when_ms);
CHECKED struct err token_fetching(struct core *c, struct db_txn *t, uint8_t class, uint32_t period,
                                  bool *ret_there);

#endif
