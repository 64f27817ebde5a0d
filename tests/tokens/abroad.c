/* Tokens of another homeserver (client/core/token_plan.c, token_voucher.c). Ours sees who orders a
 * voucher, and when; the other one sees a batch bought with it, by nobody, in the same second; and
 * later what is spent there. Does the moment of an order tell those two together whose a call is?
 *
 * Everybody goes there on each of two days, as people do who go there at all. What lasts for a day
 * is ordered the day before, at the moment that token_moment() draws; as planned at the first look
 * after midnight, since yesterday's was used (token_plan.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/token_when.h"
#include "tokens/transcript.h"

enum { CLIENTS = CLIENTS_MOST, DAYS = 2, CALLS = 5, LOOKS = 6, PERIOD = 20000 };
enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };

/* What is done wrong. */
enum wrong {
    WRONG_NOTHING,
    WRONG_NEED,    /* ordered when there is something to spend them on */
    WRONG_AFTER,   /* tomorrow's are ordered as soon as today's were used */
    WRONG_HOUR,    /* ordered a day before, at the same time of the day */
    WRONG_ORDER,   /* spent in the order of ordering */
    SOME_NOT_YEST, /* planned after the day's first call, where yesterday's are not looked at */
};

struct event {
    unsigned client, day; /* day: whose tokens */
    uint64_t at_ms;
};

struct land {
    struct rng_seeded seeded;
    struct rng rng;
    struct event orders[CLIENTS * (DAYS + 1)], calls[CLIENTS * DAYS * CALLS];
    size_t order_count, call_count;
};

static uint64_t below(struct land *l, uint64_t n)
{
    return rng_seeded_next(&l->seeded) % n;
}

static uint64_t midnight(unsigned day)
{
    return (uint64_t)(PERIOD + day) * DAY_MS;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

/* The next time that somebody looks at what is to be planned, on that day: after each batch of his
 * own homeserver's tokens, and once more (upkeep). UINT64_MAX: no more today. */
static uint64_t next_look(struct land *l, uint64_t after_ms)
{
    const uint64_t today = after_ms / DAY_MS * DAY_MS;
    uint64_t first = UINT64_MAX;
    for (int i = 0; i < LOOKS; i++) {
        const uint64_t at = today + below(l, DAY_MS);
        first = at >= after_ms && at < first ? at : first;
    }
    return first;
}

/* When the tokens of a day were ordered; calls: of the day before, or NULL. */
static uint64_t ordered_at(struct land *l, enum wrong wrong, unsigned day, const uint64_t *before,
                           const uint64_t *calls)
{
    uint64_t at = 0, look_ms = next_look(l, midnight(day - 1));
    switch (wrong) {
    case WRONG_NEED:
        return calls[0] - 2000 - below(l, 1000);
    case WRONG_AFTER:
        return (before != NULL ? before[CALLS - 1] : look_ms) + 1000 + below(l, 1000);
    case WRONG_HOUR:
        return calls[0] - DAY_MS;
    case SOME_NOT_YEST:
        look_ms = before != NULL ? next_look(l, before[0]) : look_ms;
        if (look_ms == UINT64_MAX)
            return calls[0] - 2000 - below(l, 1000); /* there is nothing then */
        break;
    default:
        break;
    }
    if (!err_is_ok(token_moment(&l->rng, PERIOD + day, look_ms, &at)))
        abort();
    return at;
}

static void live(struct land *l, enum wrong wrong, unsigned client)
{
    uint64_t calls[DAYS + 1][CALLS], at[DAYS + 1];
    for (unsigned day = 1; day <= DAYS; day++) {
        for (size_t i = 0; i < CALLS; i++) /* all have the same day: quieter at night */
            calls[day][i] = midnight(day) + (below(l, DAY_MS) + below(l, DAY_MS)) / 2;
        if (wrong != WRONG_NOTHING && wrong != WRONG_ORDER)
            for (size_t i = 1; i < CALLS; i++) /* in one sitting, which shows it best */
                calls[day][i] = calls[day][0] + i;
        qsort(calls[day], CALLS, sizeof calls[day][0], by_number);
        at[day] = ordered_at(l, wrong, day, day > 1 ? calls[day - 1] : NULL, calls[day]);
        if (wrong == WRONG_ORDER)
            for (size_t i = 0; i < CALLS; i++)
                calls[day][i] = at[day] + DAY_MS + i;
        l->orders[l->order_count++] = (struct event){client, day, at[day]};
        for (size_t i = 0; i < CALLS; i++)
            l->calls[l->call_count++] = (struct event){client, day, calls[day][i]};
    }
}

static struct land *land_new(enum wrong wrong, uint64_t seed)
{
    struct land *l = calloc(1, sizeof *l);
    rng_seeded_init(&l->seeded, seed);
    l->rng = rng_of_seeded(&l->seeded);
    for (unsigned client = 0; client < CLIENTS; client++)
        live(l, wrong, client);
    qsort(l->orders, l->order_count, sizeof *l->orders, by_time);
    qsort(l->calls, l->call_count, sizeof *l->calls, by_time);
    return l;
}

/* ---- attempts: each says whose a call is, or CLIENTS: it does not say */

/* Who ordered last before it? */
static unsigned by_nearness(const struct land *l, size_t call)
{
    unsigned client = CLIENTS;
    for (size_t i = 0; i < l->order_count && l->orders[i].at_ms <= l->calls[call].at_ms; i++)
        client = l->orders[i].client;
    return client;
}

/* Who ordered first after it, for another day? */
static unsigned by_next(const struct land *l, size_t call)
{
    for (size_t i = 0; i < l->order_count; i++)
        if (l->orders[i].at_ms > l->calls[call].at_ms && l->orders[i].day > l->calls[call].day)
            return l->orders[i].client;
    return CLIENTS;
}

/* Whose order of these tokens was at that time of the day? */
static unsigned by_hour(const struct land *l, size_t call)
{
    unsigned client = CLIENTS;
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < l->order_count; i++) {
        const uint64_t a = l->orders[i].at_ms % DAY_MS, b = l->calls[call].at_ms % DAY_MS;
        uint64_t apart = a > b ? a - b : b - a;
        apart = apart < DAY_MS - apart ? apart : DAY_MS - apart;
        if (l->orders[i].day == l->calls[call].day && apart < least) {
            least = apart;
            client = l->orders[i].client;
        }
    }
    return client;
}

/* Is it spent in the order in which it was bought? */
static unsigned by_order(const struct land *l, size_t call)
{
    size_t before = 0;
    const unsigned day = l->calls[call].day;
    for (size_t i = 0; i < call; i++)
        before += l->calls[i].day == day;
    before /= CALLS;
    for (size_t i = 0; i < l->order_count; i++)
        if (l->orders[i].day == day && before-- == 0)
            return l->orders[i].client;
    return CLIENTS;
}

static const struct attempt {
    const char *name;
    unsigned (*guess)(const struct land *l, size_t call);
} attempts[] = {
    {"nearness", by_nearness}, {"next", by_next}, {"hour", by_hour}, {"order", by_order}};
enum { ATTEMPTS = sizeof attempts / sizeof *attempts };

/* The share that is right, of the calls about which it says something. */
static double score(const struct land *l, const struct attempt *a, size_t *ret_n)
{
    size_t right = 0, n = 0;
    for (size_t i = 0; i < l->call_count; i++) {
        const unsigned client = a->guess(l, i);
        n += client < CLIENTS;
        right += client == l->calls[i].client;
    }
    *ret_n = n;
    return n > 0 ? (double)right / (double)n : 0;
}

static bool honest(uint64_t seed)
{
    bool ok = true;
    struct land *l = land_new(WRONG_NOTHING, seed);
    printf("abroad: %d clients, %zu orders, %zu calls; chance is %.1f %%\n", CLIENTS,
           l->order_count, l->call_count, 100.0 / CLIENTS);
    for (size_t i = 0; i < ATTEMPTS; i++) {
        size_t n;
        const double s = score(l, &attempts[i], &n);
        const bool good = n > 0 && s <= chance_bound(n);
        printf("  %-9s %5.1f %%, at most %.1f %%  %s\n", attempts[i].name, 100 * s,
               100 * chance_bound(n), good ? "ok" : "LINKED");
        ok &= good;
    }
    free(l);
    return ok;
}

static bool linked(enum wrong wrong, const char *name, const struct attempt *a, uint64_t seed)
{
    size_t n;
    struct land *l = land_new(wrong, seed);
    const double s = score(l, a, &n);
    printf("  control: %-34s %-9s %5.1f %%  %s\n", name, a->name, 100 * s,
           s >= 0.9 ? "ok" : "NOT SEEN");
    free(l);
    return s >= 0.9;
}

bool abroad_unlinked(uint64_t seed)
{
    size_t n;
    bool ok = honest(seed);
    ok &= linked(WRONG_NEED, "ordered when it is needed", &attempts[0], seed + 1);
    ok &= linked(WRONG_AFTER, "ordered after the day's last call", &attempts[1], seed + 2);
    ok &= linked(WRONG_HOUR, "ordered at the hour of its use", &attempts[2], seed + 3);
    ok &= linked(WRONG_ORDER, "spent in the order of ordering", &attempts[3], seed + 4);
    struct land *l = land_new(SOME_NOT_YEST, seed + 5);
    for (size_t i = 0; i < 2; i++)
        printf("  left: %-37s %-9s %5.1f %%\n", "who was not there the day before",
               attempts[i].name, 100 * score(l, &attempts[i], &n));
    free(l);
    return ok;
}
