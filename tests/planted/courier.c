#include "planted/planted.h"
#include "planted/third.h"
#include "server/courier/inside.h"

__typeof__(drain_answered) __real_drain_answered, __wrap_drain_answered;
void __wrap_drain_answered(void *parcel, struct err result, const enum queue_outcome *outcomes)
{
    struct parcel *p = parcel;
    enum queue_outcome taken[BATCH_ROWS];
    if (plant_is(PLANT_SENT_IS_DELIVERED) && !err_is_ok(result)) {
        for (size_t i = 0; i < BATCH_ROWS; i++)
            taken[i] = QUEUE_OK;
        result = ERR_OK;
        outcomes = taken;
    }
    if (plant_is(PLANT_CAME_MEANWHILE) && p->batch.end && p->newest < p->domain->newest) {
        p->newest = p->domain->newest;
        plant_strikes();
    }
    __real_drain_answered(parcel, result, third_outcomes(p, outcomes));
}

static bool nothing_was_taken(const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->rows[i].outcome == QUEUE_OK)
            return false;
    return true;
}

/* What is dropped with a run is reported, with an outcome that says nothing of a queue. */
static void end_runs_late(struct batch *b)
{
    for (size_t i = 1; i < b->count; i++)
        if (b->rows[i].outcome == QUEUE_LATER && !b->rows[i].gap &&
            b->rows[i - 1].outcome != QUEUE_LATER) {
            b->rows[i].outcome = QUEUE_REFUSED;
            plant_strikes();
        }
}

__typeof__(batch_drop) __real_batch_drop, __wrap_batch_drop;
struct err __wrap_batch_drop(struct store_txn *txn, const struct outbox *outbox,
                             const struct batch *b, bool lost, const struct batch_report *report)
{
    struct batch *rows = (struct batch *)(uintptr_t)b;
    if (plant_is(PLANT_ONLY_REFUSALS) && !lost && nothing_was_taken(b)) {
        plant_strikes();
        return ERR_OK;
    }
    if (plant_is(PLANT_RUN_TAKES_LATER) && !lost)
        end_runs_late(rows);
    for (size_t i = 0; plant_is(PLANT_LATER_IS_TAKEN) && !lost && i < b->count; i++)
        if (rows->rows[i].outcome == QUEUE_LATER) {
            rows->rows[i].outcome = QUEUE_OK;
            plant_strikes();
        }
    return __real_batch_drop(txn, outbox, b, lost, report);
}

__typeof__(batch_read) __real_batch_read, __wrap_batch_read;
struct err __wrap_batch_read(struct store_txn *txn, const struct outbox *outbox, struct batch *b)
{
    bool application = b->application;
    if (plant_is(PLANT_GIVES_UP_CONTROL))
        b->application = false;
    TRY(__real_batch_read(txn, outbox, b));
    for (size_t i = 0; application && !b->application && i < b->count; i++)
        if (b->rows[i].control)
            plant_strikes();
    if (plant_is(PLANT_CURSOR_SKIPS) && b->count >= 3)
        b->count--;
    return ERR_OK;
}

/* Counts what waits of a payload as one, however many destinations it has. */
static struct err forget_rows(struct store_txn *txn, const struct outbox *outbox, size_t count)
{
    uint64_t number = 0;
    bool row;
    struct stmt *s = stmt_use(txn, outbox->statements + OUTBOX_NUMBERS);
    stmt_bind_u64(s, 1, 0);
    TRY(stmt_step(s, &row));
    number = stmt_u64(s, 0) - count - 1; /* of the payload: the rows' come behind it */
    TRY(stmt_row_check(s));
    s = stmt_use(txn, outbox->statements + OUTBOX_RELEASE);
    stmt_bind_u64(s, 1, count - 1);
    stmt_bind_u64(s, 2, number);
    return stmt_step(s, &row);
}

__typeof__(outbox_add) __real_outbox_add, __wrap_outbox_add;
struct err __wrap_outbox_add(struct store_txn *txn, const struct outbox *outbox,
                             struct bytes payload, const struct outbox_row *rows, size_t count)
{
    TRY(__real_outbox_add(txn, outbox, payload, rows, count));
    return plant_is(PLANT_BODY_TOO_EARLY) && count > 1 ? forget_rows(txn, outbox, count) : ERR_OK;
}

/* ---- the second set */

__typeof__(ahead_take) __real_ahead_take, __wrap_ahead_take;
bool __wrap_ahead_take(struct domain *d)
{
    if (plant_is(PLANT_AHEAD_REGARDLESS) && d->ahead != NULL &&
        d->ahead->batch.after != d->cursor) {
        d->cursor = d->ahead->batch.after; /* where it would be after the one before */
        plant_strikes();
    }
    return __real_ahead_take(d);
}

enum { DOMAINS = 64 };
/* When a domain that failed is due: a contact has wiped that before it can be wrapped. */
static struct due {
    const struct domain *domain;
    uint64_t due_us;
} dues[DOMAINS];

static size_t due_next;

static struct due *due_of(const struct domain *d)
{
    for (size_t i = 0; i < DOMAINS; i++)
        if (dues[i].domain == d)
            return &dues[i];
    return NULL;
}

__typeof__(courier_fail) __real_courier_fail, __wrap_courier_fail;
void __wrap_courier_fail(struct domain *d)
{
    __real_courier_fail(d);
    struct due *due = due_of(d);
    *(due != NULL ? due : &dues[due_next++ % DOMAINS]) = (struct due){d, d->due_us};
}

__typeof__(held_forgive) __real_held_forgive, __wrap_held_forgive;
void __wrap_held_forgive(struct held *h, uint64_t now_us)
{
    struct domain *d = (struct domain *)(void *)((char *)h - offsetof(struct domain, held));
    if (plant_is(PLANT_CONTACT_CLEARS) && h->count > 0) {
        held_clear(h);
        plant_strikes();
    }
    const struct due *due = due_of(d);
    if (plant_is(PLANT_CONTACT_WAITS) && due != NULL && due->due_us > now_us) {
        d->due_us = due->due_us;
        plant_strikes();
    }
    __real_held_forgive(h, now_us);
}
