/* When tokens are fetched. Each class has its own random moment of each day, whatever is spent:
 * the homeserver, who sees the moments, learns that there is a client. */
#include "client/core/task.h"
#include "client/core/token.h"

static struct err has_pile(struct core *c, struct db_txn *t, uint8_t class, uint32_t period,
                           bool *ret_has)
{
    struct token_pile pile;
    struct err err = token_pile_get(t, c->account.domain, class, period, &pile);
    *ret_has = err_is_ok(err);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    if (!*ret_has)
        TRY(token_fetching(c, t, class, period, ret_has));
    return ERR_OK;
}

/* Nothing for today, and never asked for it: the grant, at once. */
static struct err plan_today(struct core *c, struct db_txn *t, uint8_t class)
{
    const uint32_t day = token_day(c);
    uint32_t count = 0;
    bool has = false;
    TRY(token_count(c, t, c->account.domain, class, &count));
    if (count > 0)
        return ERR_OK;
    TRY(has_pile(c, t, class, day, &has));
    return has ? ERR_OK : token_fetch_add(c, t, class, day, TOKEN_GRANT, 0);
}

/* The next day that has not been seen to: at some moment of the day before it, of what is left. */
static struct err plan_next(struct core *c, struct db_txn *t, uint8_t class)
{
    uint32_t period = token_day(c) + 1;
    bool has = false;
    TRY(has_pile(c, t, class, period, &has));
    if (has) {
        period++;
        TRY(token_fetching(c, t, class, period, &has));
    }
    if (has)
        return ERR_OK;
    uint64_t when_ms;
    TRY(token_moment(c->rng, period, core_now_ms(c), &when_ms));
    return token_fetch_add(c, t, class, period, PASS_BATCH_MAX, when_ms);
}

struct planning {
    struct core *core;
    struct db_txn *t;
};

/* A batch of yesterday or today of which something was used. Yesterday's counts as well: what is
 * ordered because of today's first call comes after it, and in the evening hardly ever before the
 * next day's. */
static struct err plan_one_abroad(void *arg, const char *domain, uint8_t class,
                                  const struct token_pile *pile)
{
    const struct planning *p = arg;
    const uint32_t day = token_day(p->core);
    struct token_pile next;
    const bool recent = pile->period == day || pile->period + 1 == day;
    if (!recent || pile->end - pile->next >= PASS_BATCH_MAX)
        return ERR_OK;
    struct err err = token_pile_get(p->t, domain, class, day + 1, &next);
    if (err.code != ERR_NOT_FOUND)
        return err;
    return token_buy_ahead(p->core, p->t, domain, class, day + 1);
}

struct err token_plan_abroad(struct core *c, struct db_txn *t)
{
    struct planning p = {c, t};
    return token_pile_each_abroad(c, t, plan_one_abroad, &p);
}

struct err token_plan(struct core *c, struct db_txn *t)
{
    struct token_facts facts;
    if (c->account.credential.len == 0)
        return ERR_OK;
    TRY(token_plan_abroad(c, t));
    TRY(token_facts_get(t, c->account.domain, &facts));
    const bool on = facts.on && facts.directory.len > 0;
    token_facts_clear(&facts);
    for (uint8_t class = PASS_DELIVERY; on && class < PASS_CLASS_END; class ++) {
        TRY(plan_today(c, t, class));
        TRY(plan_next(c, t, class));
    }
    return ERR_OK;
}

struct err token_want(struct core *c, struct db_txn *t, uint8_t class, uint32_t count)
{
    const uint32_t day = token_day(c);
    bool there = false;
    TRY(token_fetching(c, t, class, day, &there));
    return there ? ERR_OK : token_fetch_add(c, t, class, day, count, 0);
}
