#include "server/courier/courier.h"

#include <stdlib.h>

#include "server/courier/inside.h"

/* ---- time */

struct backoff courier_backoff(const struct domain *d)
{
    if (d->local)
        return (struct backoff){20000, 10000000};
    return (struct backoff){1000000, UINT64_C(3600000000)};
}

void courier_arm(struct domain *d, uint64_t due_us)
{
    struct courier *c = d->courier;
    if (due_us != UINT64_MAX && !err_is_ok(timers_arm(&c->timers, &d->timer, due_us)))
        c->unarmed = true; /* the next tick takes all domains */
}

static void set_timer(struct courier *c)
{
    uint64_t now_us = courier_now_us(c);
    uint64_t due_us = timers_next_due_us(&c->timers);
    uint64_t tick_us = c->looked_us + COURIER_LOOK_MS * UINT64_C(1000);
    if (c->unarmed && tick_us > now_us + 1000000)
        tick_us = now_us + 1000000;
    if (due_us > tick_us)
        due_us = tick_us;
    uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;
    (void)hearth_timer_set(c->timer,
                           (uint32_t)((wait_us + 999) / 1000)); /* it is set: can't fail */
}

static void step_all(struct courier *c)
{
    c->unarmed = false;
    for (uint64_t i = 0; i < c->domain_cap; i++)
        if (c->domains[i] != NULL)
            drain_step(c->domains[i]);
}

static void on_timer(void *arg)
{
    struct courier *c = arg;
    (void)hearth_timer_set(c->timer, COURIER_LOOK_MS); /* first thing, where it can't fail */
    uint64_t now_us = courier_now_us(c);
    timers_run(&c->timers, now_us, 0);
    if (c->unarmed)
        step_all(c);
    if (now_us >= c->looked_us + COURIER_LOOK_MS * UINT64_C(1000)) {
        c->looked_us = now_us;
        look(c);
    }
    courier_leave(c);
}

void courier_fail(struct domain *d)
{
    struct courier *c = d->courier;
    if (c->closing)
        return;
    atomic_fetch_add(&c->failures, 1);
    d->failures++;
    d->due_us = courier_now_us(c) + backoff_us(courier_backoff(d), d->failures, c->env->rng);
    courier_arm(d, d->due_us);
    give_up_count(d);
}

void courier_waiting(struct domain *d, uint64_t rows, uint64_t bytes)
{
    atomic_fetch_add(&d->courier->waiting, rows - d->waiting_rows);
    d->waiting_rows = rows;
    d->waiting_bytes = bytes;
}

/* ---- jobs */

uint64_t domain_principal(const struct domain *d)
{
    uint64_t principal;
    memcpy(&principal, d->prf, sizeof principal);
    return principal;
}

static struct store_work work_of(uint64_t principal, uint32_t cost,
                                 struct err (*run)(struct store_txn *txn, void *arg),
                                 void (*done)(void *arg, struct err result), void *arg)
{
    return (struct store_work){
        .principal = principal, .cost = cost, .frees = true, .run = run, .done = done, .arg = arg};
}

struct err courier_read(struct courier *c, uint64_t principal,
                        struct err (*run)(struct store_txn *txn, void *arg),
                        void (*done)(void *arg, struct err result), void *arg)
{
    struct store_work work = work_of(principal, 1, run, done, arg);
    TRY(store_read(c->options.store, c->inbox, &work));
    c->under_way++;
    return ERR_OK;
}

struct err courier_write(struct courier *c, uint64_t principal, uint32_t cost,
                         struct err (*run)(struct store_txn *txn, void *arg),
                         void (*done)(void *arg, struct err result), void *arg)
{
    struct store_work work = work_of(principal, cost, run, done, arg);
    TRY(store_submit(c->options.store, c->inbox, &work));
    c->under_way++;
    return ERR_OK;
}

/* ---- life */

void courier_remove(struct domain *d)
{
    struct courier *c = d->courier;
    courier_waiting(d, 0, 0);
    timers_disarm(&c->timers, &d->timer);
    held_clear(&d->held);
    ahead_discard(d);
    c->domains[d->id] = NULL;
    atomic_fetch_sub(&c->domain_count, 1);
    free(d);
}

static void destroy(struct courier *c)
{
    for (uint64_t i = 0; i < c->domain_cap; i++)
        if (c->domains[i] != NULL)
            courier_remove(c->domains[i]);
    free(c->domains);
    timers_clear(&c->timers);
    free(c);
}

void courier_back(struct courier *c)
{
    c->under_way--;
}

void courier_leave(struct courier *c)
{
    if (!c->closing)
        set_timer(c);
    else if (c->under_way == 0 && atomic_load(&c->posts) == 0)
        destroy(c);
}

static struct err run_raise(struct store_txn *txn, void *arg)
{
    const struct courier *c = arg;
    return outbox_raise(txn, &c->options.outbox);
}

struct err courier_new(struct front_env *env, const struct courier_options *options,
                       struct courier **ret_courier)
{
    struct courier *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR(NO_MEMORY);
    c->env = env;
    c->options = *options;
    c->clock = env->clock;
    c->ready_last = &c->ready_first;
    c->looked_us = courier_now_us(c);
    if (c->options.backlog_rows == 0)
        c->options.backlog_rows = 50000;
    if (c->options.backlog_bytes == 0)
        c->options.backlog_bytes = 64 * 1048576;
    struct err err = front_inbox(env->front, options->loop, &c->inbox);
    if (err_is_ok(err)) {
        c->timer = hearth_timer_new(options->loop, on_timer, c);
        if (c->timer == NULL || !hearth_timer_set(c->timer, COURIER_LOOK_MS))
            err = ERR(NO_MEMORY);
    }
    if (err_is_ok(err))
        err = store_call(options->store, run_raise, c);
    if (!err_is_ok(err)) {
        hearth_timer_free(c->timer);
        free(c);
        return err;
    }
    *ret_courier = c;
    courier_wake(c); /* what was left from before */
    return ERR_OK;
}

void courier_free(struct courier *c)
{
    if (c == NULL)
        return;
    c->closing = true;
    hearth_timer_free(c->timer);
    c->timer = NULL;
    courier_leave(c);
}

/* ---- from other threads */

static void on_wake(void *arg)
{
    struct courier *c = arg;
    atomic_store(&c->woken, false); /* before the look: a later wake-up is a new one */
    atomic_fetch_sub(&c->posts, 1);
    look(c);
    courier_leave(c);
}

void courier_wake(struct courier *c)
{
    if (atomic_exchange(&c->woken, true))
        return;
    atomic_fetch_add(&c->posts, 1);
    if (!hearth_loop_post(c->options.loop, on_wake, c)) {
        atomic_fetch_sub(&c->posts, 1);
        atomic_store(&c->woken, false); /* the timer looks */
    }
}

struct contact {
    struct courier *courier;
    size_t len;
    char domain[DOMAIN_MAX_BYTES];
};

static void on_contact(void *arg)
{
    struct contact *contact = arg;
    struct courier *c = contact->courier;
    atomic_fetch_sub(&c->posts, 1);
    for (uint64_t i = 0; i < c->domain_cap && !c->closing; i++) {
        struct domain *d = c->domains[i];
        if (d != NULL &&
            bytes_equal(bytes_of(d->name, d->name_len), bytes_of(contact->domain, contact->len))) {
            uint64_t now_us = courier_now_us(c);
            if (d->forgiven_us == 0 || now_us >= d->forgiven_us + COURIER_CONTACT_US) {
                d->forgiven_us = now_us;
                d->forgiven = true;
                drain_step(d);
            }
            break;
        }
    }
    free(contact);
    courier_leave(c);
}

void courier_contact(struct courier *c, struct bytes domain)
{
    struct contact *contact = domain.len <= DOMAIN_MAX_BYTES ? malloc(sizeof *contact) : NULL;
    if (contact == NULL)
        return;
    contact->courier = c;
    contact->len = domain.len;
    memcpy(contact->domain, domain.data, domain.len);
    atomic_fetch_add(&c->posts, 1);
    if (!hearth_loop_post(c->options.loop, on_contact, contact)) {
        atomic_fetch_sub(&c->posts, 1);
        free(contact);
    }
}

/* ---- for the operator */

void courier_each(struct courier *c, void (*say)(void *to, const struct courier_domain *d),
                  void *to)
{
    uint64_t now_us = courier_now_us(c);
    for (uint64_t i = 0; i < c->domain_cap; i++) {
        const struct domain *d = c->domains[i];
        if (d == NULL || d->local)
            continue;
        uint64_t due_us = d->failures > 0 ? d->due_us : held_due_us(&d->held);
        const struct courier_domain one = {
            .name = bytes_of(d->name, d->name_len),
            .rows = d->waiting_rows,
            .bytes = d->waiting_bytes,
            .failures = d->failures,
            .due_s = due_us != UINT64_MAX && due_us > now_us
                         ? (uint32_t)((due_us - now_us + 999999) / 1000000)
                         : 0,
            .held = d->held.count,
        };
        say(to, &one);
    }
}

/* Every row of it that we know of was looked at, and none is left. */
static bool is_empty(const struct domain *d)
{
    return d->under_way == NULL && d->settling == 0 && !d->broken && d->held.count == 0 &&
           d->cursor >= d->newest;
}

bool courier_drop(struct courier *c, struct bytes domain)
{
    for (uint64_t i = 0; i < c->domain_cap && !c->closing; i++) {
        struct domain *d = c->domains[i];
        if (d == NULL || d->local || !bytes_equal(bytes_of(d->name, d->name_len), domain))
            continue;
        if (is_empty(d))
            return false;
        d->discarding = true;
        drain_step(d);
        return true;
    }
    return false;
}

struct courier_stats courier_stats(struct courier *c)
{
    return (struct courier_stats){.delivered = atomic_load(&c->delivered),
                                  .gone = atomic_load(&c->gone),
                                  .refused = atomic_load(&c->refused),
                                  .later = atomic_load(&c->later),
                                  .lost = atomic_load(&c->lost),
                                  .failures = atomic_load(&c->failures),
                                  .waiting = atomic_load(&c->waiting),
                                  .domains = atomic_load(&c->domain_count)};
}
