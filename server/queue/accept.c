/* queue_accept() and its two steps: from the courier's rows to items, outcomes and wake-ups. */
#include "server/queue/accept.h"

#include "server/queue/desk.h"
#include "server/queue/job.h"

void accept_drop_pushes(struct accept *a)
{
    while (a->pushes != NULL) {
        struct accept_push *push = a->pushes;
        a->pushes = push->next;
        bytes_wipe(push, sizeof *push);
        free(push);
    }
}

static void accept_free(struct accept *a)
{
    accept_drop_pushes(a);
    struct queue *q = a->q;
    free(a->rows);
    free(a->outcomes);
    free(a);
    queue_unref(q);
}

/* What was committed is told; the rest may come again. */
static void finish(struct accept *a, struct err result)
{
    for (size_t i = 0; i < a->count; i++)
        a->outcomes[a->rows[i].index] = a->rows[i].outcome != 0 ? a->rows[i].outcome : QUEUE_LATER;
    a->done(a->arg, result, a->outcomes);
    accept_free(a);
}

static bool wants_push(const struct accept_row *row)
{
    return row->push != NULL && !row->in->quiet && (row->push->always || row->in->notify);
}

/* After the commit: listeners first, then whoever is not listening, once however many rows came.
 * Rows are in the order of their clients. */
static void wake(struct accept *a)
{
    uint64_t woken = 0, told = 0;
    bool listening = false;
    for (size_t i = a->chunk_from; i < a->chunk_to; i++) {
        const struct accept_row *row = &a->rows[i];
        if (!row->stored)
            continue;
        if (row->client != woken)
            listening = desks_wake(a->q->desks, row->client);
        woken = row->client;
        if (listening || row->client == told || !wants_push(row))
            continue;
        told = row->client;
        a->q->options.notify(a->q->options.notify_self,
                             bytes_of(row->push->token, row->push->token_len),
                             bytes_of(row->push->key, sizeof row->push->key));
    }
}

static void start_chunk(struct accept *a);

static struct err run_chunk(struct store_txn *txn, void *arg)
{
    struct accept *a = arg;
    return accept_append(txn, a);
}

static void chunk_done(void *arg, struct err result)
{
    struct accept *a = arg;
    if (!err_is_ok(result)) {
        /* not committed: outcomes of this chunk don't hold. Later rows of the same references must
         * not overtake these, so the rest waits too. */
        for (size_t i = a->chunk_from; i < a->count; i++)
            a->rows[i].outcome = 0;
        finish(a, a->chunk_from == 0 ? result : ERR_OK);
        return;
    }
    wake(a);
    a->chunk_from = a->chunk_to;
    start_chunk(a);
}

/* The next rows that have something to append. */
static void start_chunk(struct accept *a)
{
    while (a->chunk_from < a->count && a->rows[a->chunk_from].outcome != 0)
        a->chunk_from++;
    if (a->chunk_from == a->count) {
        finish(a, ERR_OK);
        return;
    }
    a->chunk_to =
        a->chunk_from + ACCEPT_CHUNK_ROWS < a->count ? a->chunk_from + ACCEPT_CHUNK_ROWS : a->count;
    struct store_work work = {.principal = a->principal,
                              .cost = (uint32_t)(a->chunk_to - a->chunk_from),
                              .run = run_chunk,
                              .done = chunk_done,
                              .arg = a};
    struct err err = queue_write(a->q, a->inbox, &work);
    if (!err_is_ok(err))
        finish(a, a->chunk_from == 0 ? err : ERR_OK);
}

static struct err run_check(struct store_txn *txn, void *arg)
{
    struct accept *a = arg;
    return accept_check(txn, a);
}

static void check_done(void *arg, struct err result)
{
    struct accept *a = arg;
    void (*checked)(void *, struct err) = a->checked;
    void *told = a->arg;
    if (checked != NULL) {
        if (!err_is_ok(result))
            accept_free(a);
        checked(told, result);
        return;
    }
    if (!err_is_ok(result)) {
        for (size_t i = 0; i < a->count; i++)
            a->rows[i].outcome = 0;
        finish(a, result);
        return;
    }
    start_chunk(a);
}

/* `how` says who is told, and of what. */
static struct err start_check(struct queue *q, const struct accept *how, struct bytes origin,
                              const struct queue_row *rows, struct accept **ret_accept)
{
    size_t count = how->count;
    if (count == 0 || count > QUEUE_ACCEPT_ROWS_MOST || origin.len == 0)
        return ERR(ARGUMENT);
    struct accept *a = malloc(sizeof *a);
    if (a == NULL)
        return ERR(NO_MEMORY);
    *a = *how;
    a->q = q;
    a->now_s = queue_now_s(q);
    a->rows = calloc(count, sizeof *a->rows);
    a->outcomes = calloc(count, sizeof *a->outcomes);
    queue_ref(q);
    struct err err = ERR(NO_MEMORY);
    if (a->rows == NULL || a->outcomes == NULL)
        goto fail;
    for (size_t i = 0; i < count; i++) {
        a->rows[i].in = &rows[i];
        a->rows[i].index = i;
    }
    queue_prf(q, "origin", origin, bytes_of(NULL, 0), a->origin);
    a->principal = queue_principal(q, "origin", origin);
    a->foreign = !bytes_equal(origin, bytes_str(q->env->domain));
    struct store_work work = {.principal = a->principal,
                              .cost = (uint32_t)(count < STORE_COST_MAX ? count : STORE_COST_MAX),
                              .run = run_check,
                              .done = check_done,
                              .arg = a};
    err = queue_read(q, a->inbox, &work);
    if (err_is_ok(err)) {
        if (ret_accept != NULL)
            *ret_accept = a;
        return ERR_OK;
    }
fail:
    accept_free(a);
    return err;
}

struct err queue_accept(struct queue *q, struct bytes origin, const struct queue_row *rows,
                        size_t count, struct inbox *inbox,
                        void (*done)(void *arg, struct err result,
                                     const enum queue_outcome *outcomes),
                        void *arg)
{
    const struct accept how = {.inbox = inbox, .done = done, .arg = arg, .count = count};
    return start_check(q, &how, origin, rows, NULL);
}

struct err queue_accept_check(struct queue *q, struct bytes origin, const struct queue_row *rows,
                              size_t count, struct inbox *inbox,
                              void (*checked)(void *arg, struct err result), void *arg,
                              struct accept **ret_accept)
{
    const struct accept how = {.inbox = inbox, .checked = checked, .arg = arg, .count = count};
    return start_check(q, &how, origin, rows, ret_accept);
}

void queue_accept_append(struct accept *a,
                         void (*done)(void *arg, struct err result,
                                      const enum queue_outcome *outcomes),
                         void *arg)
{
    a->done = done;
    a->arg = arg;
    start_chunk(a);
}

void queue_accept_drop(struct accept *a)
{
    accept_free(a);
}
