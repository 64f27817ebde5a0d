#include "planted/planted.h"
#include "server/courier/inside.h"

__typeof__(drain_answered) __real_drain_answered, __wrap_drain_answered;
void __wrap_drain_answered(void *parcel, struct err result, const enum queue_outcome *outcomes)
{
    enum queue_outcome taken[BATCH_ROWS];
    if (plant_is(PLANT_SENT_IS_DELIVERED) && !err_is_ok(result)) {
        for (size_t i = 0; i < BATCH_ROWS; i++)
            taken[i] = QUEUE_OK;
        result = ERR_OK;
        outcomes = taken;
    }
    __real_drain_answered(parcel, result, outcomes);
}

__typeof__(batch_drop) __real_batch_drop, __wrap_batch_drop;
struct err __wrap_batch_drop(struct store_txn *txn, const struct outbox *outbox,
                             const struct batch *b, bool lost, const struct batch_report *report)
{
    struct batch *rows = (struct batch *)(uintptr_t)b;
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
    TRY(__real_batch_read(txn, outbox, b));
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
