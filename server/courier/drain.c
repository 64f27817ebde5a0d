/* A domain's rows: read, sent, taken away. */
#include <stdlib.h>

#include "server/courier/inside.h"

enum { SETTLING_MAX = 4 };

struct parcel *parcel_new(struct domain *d)
{
    struct parcel *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->courier = d->courier;
    p->domain = d;
    p->newest = d->newest;
    p->batch.domain = d->id;
    p->batch.most = d->courier->options.batch_rows;
    p->batch.today = outbox_day(clock_unix_ms(d->courier->clock));
    return p;
}

void parcel_free(struct parcel *p)
{
    if (p == NULL)
        return;
    if (p->checked)
        queue_accept_drop(p->accept);
    batch_clear(&p->batch);
    free(p);
}

struct err parcel_drop(struct store_txn *txn, void *parcel)
{
    struct parcel *p = parcel;
    const struct courier_options *o = &p->courier->options;
    struct batch_report report = {o->refused, o->refused_self};
    return batch_drop(txn, &o->outbox, &p->batch, p->lost, &report);
}

/* ---- taking away */

static void on_settled(void *arg, struct err result)
{
    struct parcel *p = arg;
    struct domain *d = p->domain;
    struct courier *c = p->courier;
    courier_back(c);
    if (d->under_way == p)
        d->under_way = NULL;
    d->settling--;
    if (!err_is_ok(result)) {
        d->broken = true;
        courier_fail(d);
    } else if (p->lost) {
        atomic_fetch_add(&c->lost, p->batch.count);
    }
    parcel_free(p);
    drain_step(d);
    courier_leave(c);
}

/* Takes the parcel over. */
static void settle(struct parcel *p)
{
    struct domain *d = p->domain;
    d->settling++;
    if (err_is_ok(
            courier_write(p->courier, domain_principal(d), BATCH_ROWS, parcel_drop, on_settled, p)))
        return;
    d->settling--;
    d->broken = true;
    if (d->under_way == p)
        d->under_way = NULL;
    parcel_free(p);
    courier_fail(d);
}

/* ---- slots */

static bool doubted(const struct domain *d)
{
    return !d->answered || d->failures > 0;
}

static void slot_leave(struct domain *d)
{
    struct courier *c = d->courier;
    if (!d->in_slot)
        return;
    d->in_slot = false;
    c->slots--;
    if (d->doubted_slot)
        c->doubted_slots--;
}

static bool slot_enter(struct domain *d)
{
    struct courier *c = d->courier;
    if (d->local || d->in_slot)
        return true;
    if (c->slots < COURIER_SLOTS && (!doubted(d) || c->doubted_slots < COURIER_DOUBTED_SLOTS)) {
        d->in_slot = true;
        d->doubted_slot = doubted(d);
        c->slots++;
        if (d->doubted_slot)
            c->doubted_slots++;
        return true;
    }
    if (!d->ready) {
        d->ready = true;
        d->next_ready = NULL;
        *c->ready_last = d;
        c->ready_last = &d->next_ready;
    }
    return false;
}

void drain_ready(struct courier *c)
{
    struct domain *d = c->ready_first;
    c->ready_first = NULL;
    c->ready_last = &c->ready_first;
    while (d != NULL) {
        struct domain *next = d->next_ready;
        d->ready = false;
        drain_step(d);
        d = next;
    }
}

/* ---- sending */

static void finish(struct parcel *p)
{
    struct domain *d = p->domain;
    d->cursor = p->batch.last;
    if (!p->batch.end)
        return;
    if (d->cursor < p->newest)
        d->cursor = p->newest; /* the rows behind were taken away already */
    held_passed(&d->held, d->pass_us);
}

/* What one row's reference says about those that follow. False: no room to remember. */
static bool heed(struct domain *d, const struct batch *b, const struct batch_row *row)
{
    struct courier *c = d->courier;
    if (row->outcome != QUEUE_LATER && d->held.count == 0)
        return true;
    uint8_t ref[OUTBOX_PRF_BYTES];
    outbox_ref_prf(&c->options.outbox, batch_ref(b, row), ref);
    if (row->outcome == QUEUE_LATER) {
        if (!held_has(&d->held, ref, courier_now_us(c))) /* once for a batch */
            return held_add(&d->held, ref, courier_backoff(d), c->env->rng, courier_now_us(c));
    } else if (!held_has(&d->held, ref, courier_now_us(c))) {
        held_remove(&d->held, ref);
    }
    return true;
}

/* True: some rows are to be taken away. */
static bool take_outcomes(struct parcel *p, const enum queue_outcome *outcomes)
{
    struct courier *c = p->courier;
    struct domain *d = p->domain;
    bool any = p->batch.count > p->sent; /* damaged ones */
    bool room = true;
    atomic_fetch_add(&c->lost, p->batch.damaged);
    for (size_t i = 0; i < p->sent; i++) {
        struct batch_row *row = &p->batch.rows[p->index[i]];
        row->outcome = outcomes[i];
        if (row->outcome == QUEUE_OK)
            atomic_fetch_add(&c->delivered, 1);
        else if (row->outcome == QUEUE_GONE)
            atomic_fetch_add(&c->gone, 1);
        else if (row->outcome == QUEUE_REFUSED)
            atomic_fetch_add(&c->refused, 1);
        else
            row->outcome = QUEUE_LATER;
        if (row->outcome == QUEUE_LATER) {
            atomic_fetch_add(&c->later, 1);
            ahead_discard(d); /* it may have rows of the same reference */
        }
        any = any || row->outcome != QUEUE_LATER;
        room = heed(d, &p->batch, row) && room;
    }
    if (!room) { /* so many references say later that the domain does */
        held_clear(&d->held);
        d->broken = true;
        courier_fail(d);
    }
    return any;
}

void drain_answered(void *parcel, struct err result, const enum queue_outcome *outcomes)
{
    struct parcel *p = parcel;
    struct domain *d = p->domain;
    struct courier *c = p->courier;
    courier_back(c);
    d->under_way = NULL;
    slot_leave(d);
    if (c->closing || !err_is_ok(result)) {
        d->answered = false;
        courier_fail(d);
        parcel_free(p);
    } else {
        uint32_t failures = d->failures;
        d->answered = true;
        finish(p);
        if (take_outcomes(p, outcomes)) {
            if (d->failures == failures)
                d->failures = 0; /* who only says later has not got over it */
            settle(p);
        } else {
            parcel_free(p);
        }
        if (d->failures > 0 || d->held.count > 0)
            give_up_count(d);
    }
    drain_step(d);
    drain_ready(c);
    courier_leave(c);
}

static void send(struct parcel *p)
{
    for (size_t i = 0; i < p->batch.count; i++)
        if (p->batch.rows[i].outcome == QUEUE_LATER)
            p->index[p->sent++] = i;
    struct courier *c = p->courier;
    if (p->sent == 0 && ahead_give_up(p))
        return; /* damaged rows are taken away in their turn */
    c->under_way++;
    if (p->sent == 0)
        drain_answered(p, ERR_OK, NULL);
    else if (err_is_ok(route_send(p)))
        return;
    else if (ahead_give_up(p))
        courier_back(c);
    else
        drain_answered(p, ERR(CANCELLED), NULL);
}

/* ---- reading */

static bool leave_out(void *self, const uint8_t ref[OUTBOX_PRF_BYTES])
{
    const struct domain *d = self;
    return held_has(&d->held, ref, d->pass_us);
}

static struct err run_read(struct store_txn *txn, void *arg)
{
    struct parcel *p = arg;
    return batch_read(txn, &p->courier->options.outbox, &p->batch);
}

void drain_read(void *arg, struct err result)
{
    struct parcel *p = arg;
    struct domain *d = p->domain;
    struct courier *c = p->courier;
    bool rows = err_is_ok(result) && !c->closing && p->batch.count > 0;
    courier_back(c);
    if ((!rows || p->batch.expired || p->discarded) && ahead_give_up(p)) {
        courier_leave(c); /* what it was read for is done in its turn */
        return;
    }
    if (rows) {
        p->lost = p->batch.expired;
        if (p->lost)
            settle(p); /* stays under way: it would be read again */
        else
            send(p);
        courier_leave(c);
        return;
    }
    d->under_way = NULL;
    slot_leave(d);
    if (err_is_ok(result))
        finish(p);
    else
        courier_fail(d);
    parcel_free(p);
    drain_step(d);
    drain_ready(c);
    courier_leave(c);
}

struct err drain_start_read(struct parcel *p)
{
    return courier_read(p->courier, domain_principal(p->domain), run_read, drain_read, p);
}

static void start_read(struct domain *d)
{
    d->forget_us = 0;
    if (ahead_take(d))
        return;
    struct parcel *p = parcel_new(d);
    if (p != NULL) {
        p->batch.after = d->cursor;
        p->batch.leave_out = d->held.count > 0 ? leave_out : NULL;
        p->batch.self = d;
        d->under_way = p;
        if (err_is_ok(drain_start_read(p)))
            return;
        d->under_way = NULL;
        parcel_free(p);
    }
    slot_leave(d);
    courier_fail(d);
}

/* ---- what is to be done */

static void begin_pass(struct domain *d)
{
    d->cursor = 0;
    d->pass_us = courier_now_us(d->courier);
}

static void rest(struct domain *d)
{
    if (d->held.count > 0) {
        courier_arm(d, held_due_us(&d->held));
        return;
    }
    if (d->settling > 0)
        return;
    courier_waiting(d, 0, 0);
    d->counted_us = 0;
    if (d->local || d->counting)
        return;
    uint64_t now_us = courier_now_us(d->courier);
    if (d->forget_us ==
        0) /* who has answered is trusted for a while, and must not queue for slots */
        d->forget_us = now_us + (d->answered ? COURIER_TRUST_US : 0);
    if (now_us < d->forget_us)
        courier_arm(d, d->forget_us);
    else
        look_forget(d);
}

void drain_step(struct domain *d)
{
    struct courier *c = d->courier;
    uint64_t now_us = courier_now_us(c);
    if (c->closing || d->under_way != NULL || d->dropping)
        return;
    if (d->forgiven) {
        d->forgiven = false;
        d->failures = 0;
        d->due_us = 0;
        held_forgive(&d->held, now_us);
    }
    if (d->settling >= SETTLING_MAX || (d->broken && d->settling > 0))
        return; /* on_settled comes here again */
    if (d->broken) {
        d->broken = false;
        begin_pass(d);
    }
    if (give_up_start(d)) {
        ahead_discard(d);
        return;
    }
    if (now_us < d->due_us) {
        courier_arm(d, d->due_us);
        return;
    }
    if (held_due_us(&d->held) <= now_us) {
        if (d->settling > 0)
            return;
        begin_pass(d);
    }
    if (d->cursor >= d->newest)
        rest(d);
    else if (slot_enter(d))
        start_read(d);
}
