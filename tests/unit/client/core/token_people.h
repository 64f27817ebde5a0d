/* What tests of tokens see of a person's stock. */
#ifndef TESTS_CLIENT_CORE_TOKEN_PEOPLE_H
#define TESTS_CLIENT_CORE_TOKEN_PEOPLE_H

#include "client/core/token.h"
#include "support/people/people.h"

enum { DAY_MS = 24 * 3600 * 1000 };

struct look {
    uint8_t class;
    uint32_t count, period;
    uint64_t wait_ms;
    struct token_pile pile;
    struct buf tokens;
};

static inline struct err count_run(struct core *c, struct db_txn *t, void *arg)
{
    struct look *l = arg;
    return token_count(c, t, TOWN_DOMAIN, l->class, &l->count);
}

static inline uint32_t count_of(struct person *p, uint8_t class)
{
    struct look l = {.class = class};
    assert_ok(core_look(p->core, count_run, &l));
    return l.count;
}

static inline struct err pile_run(struct core *c, struct db_txn *t, void *arg)
{
    struct look *l = arg;
    (void)c;
    return token_pile_get(t, TOWN_DOMAIN, l->class, l->period, &l->pile);
}

/* Tokens of a pile; -1: there is none. */
static inline int pile_of(struct person *p, uint8_t class, uint32_t period)
{
    struct look l = {.class = class, .period = period};
    struct err err = core_look(p->core, pile_run, &l);
    if (err.code == ERR_NOT_FOUND)
        return -1;
    assert_ok(err);
    return (int)(l.pile.end - l.pile.next);
}

static inline struct person *begin(struct people *all, uint64_t seed, bool on)
{
    people_init(all, seed);
    if (on)
        town_tokens(all->town);
    struct person *alice = person_new(all, "alice");
    person_register(alice, NULL);
    person_settle(alice);
    return alice;
}

/* In small steps, so that what is due is done at its time, and across kills. */
static inline void live_ms(struct person *p, uint64_t ms)
{
    for (uint64_t done = 0; done < ms; done += 600 * 1000) {
        people_run_ms(p->people, 600 * 1000);
        person_alive(p);
    }
    person_settle(p);
}

#endif
