/* Does a homeserver learn from tokens who makes the anonymous calls? A hundred clients fetch a
 * batch each and spend of it on the next day, with the real issuance, at the moments at which the
 * client's schedule has them (client/core/token_when.h), in virtual time. Every classifier that
 * reads the complete transcript must do no better than chance; and each has a world beside in which
 * one thing is done wrong, where it must be right nine times in ten.
 *
 * abroad.c does the same for tokens of other homeservers.
 *
 *     unlinkability [--batch N] [--calls N] [--seed N]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/token_when.h"
#include "crypto/ristretto.h"
#include "pass/key_schedule.h"
#include "tokens/transcript.h"

enum { CLIENTS = CLIENTS_MOST, DAY_MS = 24 * 3600 * 1000, PERIOD = 20000, HOUR_MS = 3600 * 1000 };

/* What is done wrong. */
enum wrong {
    WRONG_NOTHING,
    WRONG_ORDER,    /* calls come in the order of fetching */
    WRONG_SPEND,    /* fetched, then spent */
    WRONG_HOUR,     /* at the same time of the day */
    WRONG_KEY,      /* each has a key of his own */
    WRONG_SIZE,     /* each asks for as many as he needs, and spends them at once */
    WRONG_BLIND,    /* tokens are not blinded */
    WRONG_NONCE,    /* nonces begin with something of the user's */
    SOME_ONE_HOUR,  /* not wrong: on the net for one hour a day, always the same */
    SOME_FIRST_DAY, /* not wrong: new clients with today's tokens */
};

struct world {
    enum wrong wrong;
    size_t batch, calls;
    struct rng_seeded seeded;
    struct rng rng;
    struct transcript t;
    unsigned truth[CALLS_MOST];
};

static void must(struct err err)
{
    if (err_is_ok(err))
        return;
    fprintf(stderr, "%s at %s:%d\n", err_name(err), __FILE__, __LINE__);
    exit(1);
}

static uint64_t below(struct world *w, uint64_t n)
{
    return rng_seeded_next(&w->seeded) % n;
}

/* ---- the client: as token_fetch.c does it, but for what is done wrong */

static void order_make(struct world *w, unsigned client, const struct pass_public_key *key,
                       size_t count, struct pass_order *o)
{
    must(pass_order_init(key, count, &w->rng, o));
    if (w->wrong != WRONG_BLIND && w->wrong != WRONG_NONCE)
        return;
    for (size_t i = 0; i < count; i++) {
        uint8_t input[PASS_INPUT_BYTES], *nonce = o->nonces + i * PASS_NONCE_BYTES;
        uint8_t *blind = o->blinds + i * VOPRF_SCALAR_BYTES;
        uint8_t *blinded = o->blinded + i * VOPRF_ELEMENT_BYTES;
        struct digest d;
        hash_once(&hash_sha256, bytes_of(&client, sizeof client), &d);
        if (w->wrong == WRONG_NONCE)
            memcpy(nonce, d.data, 8);
        pass_token_input(key, nonce, input);
        if (w->wrong == WRONG_NONCE) {
            must(voprf_blind(bytes_of(input, sizeof input), &w->rng, blind, blinded));
        } else {
            memset(blind, 0, VOPRF_SCALAR_BYTES);
            blind[0] = 1;
            ristretto_hash_to_group(BYTES_LIST(bytes_of(input, sizeof input)), blinded);
        }
    }
}

static void fetch(struct world *w, unsigned client, uint64_t at_ms, size_t count,
                  struct pass_coin *coins)
{
    struct transcript *t = &w->t;
    struct issuance *seen = &t->issued[t->issued_count++];
    static struct pass_order order;
    struct pass_request request;
    *seen = (struct issuance){
        .client = client, .at_ms = at_ms, .count = count, .key = t->key_count == 1 ? 0 : client};
    const struct pass_issuer_key *key = &t->keys[seen->key];
    order_make(w, client, &key->public, count, &order);
    pass_order_write(&order, &seen->bytes);
    const size_t request_bytes = seen->bytes.len;
    struct buf response = BUF_INIT;
    must(pass_request_parse(buf_view(&seen->bytes), &request));
    must(pass_issue(key, &w->rng, &request, &response));
    must(pass_order_finish(&order, buf_view(&response), coins));
    buf_append_bytes(&seen->bytes, buf_view(&response));
    seen->blinded = seen->bytes.data + request_bytes - count * VOPRF_ELEMENT_BYTES;
    pass_order_clear(&order);
    buf_clear(&response);
}

static void spend(struct world *w, unsigned client, uint64_t at_ms, const struct pass_coin *coins,
                  size_t count)
{
    struct transcript *t = &w->t;
    w->truth[t->call_count] = client;
    struct spending_seen *call = &t->calls[t->call_count++];
    const struct pass_issuer_key *key = &t->keys[t->key_count == 1 ? 0 : client];
    *call = (struct spending_seen){at_ms, count, calloc(count, PASS_SHORT_BYTES)};
    for (size_t i = 0; i < count; i++) {
        struct buf b = BUF_INIT;
        struct pass_short token;
        pass_coin_write_short(&b, &key->public, &coins[i]);
        must(pass_short_parse(buf_view(&b), &token));
        must(pass_redeem_short(key, &token)); /* the server's side of it */
        memcpy(call->tokens[i], b.data, PASS_SHORT_BYTES);
        buf_clear(&b);
    }
}

/* ---- when */

/* Of one client: when it fetches, and when it calls. */
struct days {
    uint64_t fetch_ms;
    uint64_t call_ms[64];
};

static void plan(struct world *w, unsigned client, struct days *d)
{
    const uint64_t today = (uint64_t)PERIOD * DAY_MS, open = below(w, 24) * HOUR_MS;
    must(token_moment(&w->rng, PERIOD, today - DAY_MS, &d->fetch_ms));
    uint64_t rest_ms = 0;
    for (size_t i = 0; i < w->calls; i++) {
        must(token_rest_ms(&w->rng, &rest_ms));
        /* all have the same day: quieter at night */
        uint64_t at = (below(w, DAY_MS) + below(w, DAY_MS)) / 2;
        switch (w->wrong) {
        case WRONG_ORDER:
            d->call_ms[i] = d->fetch_ms + DAY_MS / 2;
            break;
        case WRONG_SPEND:
            d->call_ms[i] = d->fetch_ms + 1 + i;
            break;
        case WRONG_HOUR:
            d->call_ms[i] = d->fetch_ms + DAY_MS + i;
            break;
        case SOME_ONE_HOUR:
            d->call_ms[i] = today + open + below(w, HOUR_MS);
            break;
        case SOME_FIRST_DAY:
            d->fetch_ms = today + client * (uint64_t)DAY_MS / CLIENTS;
            d->call_ms[i] = d->fetch_ms + rest_ms + below(w, HOUR_MS);
            break;
        default:
            d->call_ms[i] = today + at;
            break;
        }
    }
    if (w->wrong == SOME_ONE_HOUR) { /* at the next opening after the moment */
        uint64_t day = d->fetch_ms / DAY_MS * DAY_MS;
        uint64_t in = d->fetch_ms - day;
        if (in < open)
            d->fetch_ms = day + open;
        else if (in > open + HOUR_MS)
            d->fetch_ms = day + DAY_MS + open;
    }
}

static int by_fetch(const void *a, const void *b)
{
    const struct issuance *x = a, *y = b;
    return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

struct marked {
    struct spending_seen call;
    unsigned client;
};

static int by_call(const void *a, const void *b)
{
    const struct marked *x = a, *y = b;
    return x->call.at_ms < y->call.at_ms ? -1 : x->call.at_ms > y->call.at_ms;
}

static void sort(struct world *w)
{
    struct transcript *t = &w->t;
    struct marked *all = calloc(t->call_count, sizeof *all);
    qsort(t->issued, t->issued_count, sizeof *t->issued, by_fetch);
    for (size_t i = 0; i < t->call_count; i++)
        all[i] = (struct marked){t->calls[i], w->truth[i]};
    qsort(all, t->call_count, sizeof *all, by_call);
    for (size_t i = 0; i < t->call_count; i++) {
        t->calls[i] = all[i].call;
        w->truth[i] = all[i].client;
    }
    free(all);
}

/* ---- a world */

static struct world *world_new(enum wrong wrong, size_t batch, size_t calls, uint64_t seed)
{
    static const uint8_t domain[] = "a.test";
    struct world *w = calloc(1, sizeof *w);
    struct pass_master master;
    *w = (struct world){.wrong = wrong, .batch = batch, .calls = calls};
    rng_seeded_init(&w->seeded, seed);
    w->rng = rng_of_seeded(&w->seeded);
    w->t.key_count = wrong == WRONG_KEY ? CLIENTS : 1;
    w->t.keys = calloc(w->t.key_count, sizeof *w->t.keys);
    for (size_t i = 0; i < w->t.key_count; i++) {
        must(pass_master_new(&w->rng, PERIOD, &master));
        must(pass_master_key(&master, bytes_of(domain, 6), PASS_QUEUE, PERIOD, &w->t.keys[i]));
    }
    struct pass_coin *coins = calloc(PASS_BATCH_MAX, sizeof *coins);
    for (unsigned client = 0; client < CLIENTS; client++) {
        struct days days;
        size_t count = wrong == WRONG_SIZE ? client + 1 : batch, next = 0;
        plan(w, client, &days);
        fetch(w, client, days.fetch_ms, count, coins);
        for (size_t i = 0; i < calls && next < count; i++) {
            size_t price = wrong == WRONG_SIZE ? count : below(w, 4) == 0 ? 4 : 1;
            price = price < count - next ? price : count - next;
            spend(w, client, days.call_ms[i], coins + next, price);
            next += price; /* first in, first out: token_stock.c */
        }
    }
    free(coins);
    sort(w);
    return w;
}

static void world_free(struct world *w)
{
    for (size_t i = 0; i < w->t.issued_count; i++)
        buf_clear(&w->t.issued[i].bytes);
    for (size_t i = 0; i < w->t.call_count; i++)
        free(w->t.calls[i].tokens);
    free(w->t.keys);
    free(w);
}

/* The share of calls that the classifier attributes to the right one. */
static double score(const struct world *w, const struct classifier *c, size_t *ret_n)
{
    size_t right = 0, n = 0;
    for (size_t i = c->learns ? 1 : 0; i < w->t.call_count; i += c->learns ? 2 : 1, n++)
        right += c->guess(&w->t, i, w->truth) == w->truth[i];
    *ret_n = n;
    return (double)right / (double)n;
}

/* ---- */

static const struct {
    enum wrong wrong;
    const char *name, *classifier;
} controls[] = {
    {WRONG_ORDER, "calls in the order of fetching", "order"},
    {WRONG_SPEND, "fetched, then spent", "nearness"},
    {WRONG_HOUR, "spent at the same time of the day", "hour"},
    {WRONG_KEY, "a key for each user", "key"},
    {WRONG_SIZE, "a batch as large as the need", "size"},
    {WRONG_BLIND, "not blinded", "position"},
    {WRONG_NONCE, "nonces derived from the user", "likeness"},
};

static const struct classifier *classifier_of(const char *name)
{
    for (size_t i = 0; i < classifier_count; i++)
        if (strcmp(classifiers[i].name, name) == 0)
            return &classifiers[i];
    abort();
}

double chance_bound(size_t n)
{
    const double p = 1.0 / CLIENTS;
    return p + 5 * sqrt(p * (1 - p) / (double)n);
}

static bool honest(size_t batch, size_t calls, uint64_t seed)
{
    bool ok = true;
    struct world *w = world_new(WRONG_NOTHING, batch, calls, seed);
    printf("%d clients, batches of %zu, %zu calls; chance is %.1f %%\n", CLIENTS, batch,
           w->t.call_count, 100.0 / CLIENTS);
    for (size_t i = 0; i < classifier_count; i++) {
        size_t n;
        double s = score(w, &classifiers[i], &n);
        bool good = s <= chance_bound(n);
        printf("  %-9s %5.1f %%, at most %.1f %%  %s\n", classifiers[i].name, 100 * s,
               100 * chance_bound(n), good ? "ok" : "LINKED");
        ok &= good;
    }
    world_free(w);
    return ok;
}

static bool linked(size_t i, uint64_t seed)
{
    const struct classifier *c = classifier_of(controls[i].classifier);
    const bool once = controls[i].wrong == WRONG_SIZE || controls[i].wrong == WRONG_ORDER;
    size_t n, calls = once ? 1 : controls[i].wrong == WRONG_NONCE ? 12 : 2;
    struct world *w = world_new(controls[i].wrong, c->learns ? 16 : 4, calls, seed);
    double s = score(w, c, &n);
    printf("  control: %-34s %-9s %5.1f %%  %s\n", controls[i].name, c->name, 100 * s,
           s >= 0.9 ? "ok" : "NOT SEEN");
    world_free(w);
    return s >= 0.9;
}

/* What the schedule does not hide, by the best classifier: figures for docs/threat-model.md, not a
 * bar. */
static void residual(enum wrong wrong, const char *name, uint64_t seed)
{
    struct world *w = world_new(wrong, 8, 8, seed);
    double most = 0;
    const char *by = "";
    for (size_t i = 0; i < classifier_count; i++) {
        size_t n;
        double s = score(w, &classifiers[i], &n);
        if (s > most) {
            most = s;
            by = classifiers[i].name;
        }
    }
    printf("  left: %-37s %-9s %5.1f %%\n", name, by, 100 * most);
    world_free(w);
}

int main(int argc, char **argv)
{
    size_t batch = 24, calls = 10;
    uint64_t seed = 1;
    bool ok = true;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--batch") == 0 && value > 0 && value <= PASS_BATCH_MAX)
            batch = value;
        else if (strcmp(argv[i], "--calls") == 0 && value > 0 && value <= CALLS_MOST / CLIENTS)
            calls = value;
        else if (strcmp(argv[i], "--seed") == 0)
            seed = value;
        else
            return 2;
    }
    ok &= honest(batch, calls, seed);
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        ok &= linked(i, seed + 1 + i);
    ok &= abroad_unlinked(seed + 200);
    residual(SOME_ONE_HOUR, "on the net one hour a day, always the same", seed + 100);
    residual(SOME_FIRST_DAY, "new, within the hour after the grant", seed + 101);
    return ok ? 0 : 1;
}
