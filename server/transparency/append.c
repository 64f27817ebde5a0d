/* Versions that other services bring: taken in by a transaction, told when a signed epoch has them.
 *
 * An append goes: its receipt is asked for (read), since it may be a repeat, and most are -> else
 * it is offered (write) -> its receipt is asked for -> told; or, when the version is in no signed
 * epoch yet, onto the list of those who wait, and is asked for again after the next signature. It
 * is on the list before the receipt is asked for the first time, or the signature in between would
 * pass it by. */
#include <stdlib.h>

#include "server/transparency/service.h"

struct append {
    struct transparency *t; /* a reference */
    struct append *next;
    struct bytes label, value;
    uint32_t version;
    struct inbox *inbox;
    void (*done)(void *arg, struct err result, const struct transparency_receipt *receipt);
    void *arg;
    struct buf checkpoint, proof;
    struct kt_ready *ready; /* what the epoch will need; NULL: not made */
    /* guarded by t->lock */
    bool offered;       /* or is about to be */
    bool busy;          /* a job of the store has it */
    bool again;         /* a signature came meanwhile */
    uint64_t woken_for; /* the signature it was woken for last */
};

static void tell(struct append *a, struct err result)
{
    struct transparency *t = a->t;
    const struct transparency_receipt receipt = {buf_view(&a->checkpoint), buf_view(&a->proof)};
    (void)pthread_mutex_lock(&t->lock);
    struct append **at = &t->waiting;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    (void)pthread_mutex_unlock(&t->lock);
    a->done(a->arg, result, &receipt);
    buf_clear(&a->checkpoint);
    buf_clear(&a->proof);
    free(a->ready);
    free(a);
    transparency_unref(t);
}

/* ---- the receipt */

/* On the readers' threads, of which there are several; the writer's is one. */
static struct err make_ready(struct append *a, struct store_txn *txn)
{
    if (a->ready != NULL)
        return ERR_OK;
    struct kt_ready *ready = malloc(sizeof *ready);
    if (ready == NULL)
        return ERR(NO_MEMORY);
    struct err err = kt_ready_make(a->t->options.log, txn, a->label, a->version, ready);
    if (err_is_ok(err))
        a->ready = ready;
    else
        free(ready);
    return err;
}

static struct err run_receipt(struct store_txn *txn, void *arg)
{
    struct append *a = arg;
    struct kt_log_at at;
    struct err has = kt_log_has(a->t->options.log, txn, a->label, a->version, a->value);
    if (has.code == ERR_NOT_FOUND)
        TRY(make_ready(a, txn));
    TRY(has);
    struct kt_source source = kt_log_source(a->t->options.log, txn, &at);
    uint64_t size;
    a->checkpoint.len = a->proof.len = 0;
    TRY(source.checkpoint(source.self, &a->checkpoint, &size));
    struct err err = kt_prove_update(&source, 1, a->label, a->version, &a->proof);
    if (err.code != ERR_TLOG_GONE)
        return err;
    a->checkpoint.len = a->proof.len = 0; /* so old that there is no receipt any more */
    return ERR_OK;
}

static void ask(struct append *a);
static void offer(struct append *a);

static void receipt_done(void *arg, struct err result)
{
    struct append *a = arg;
    struct transparency *t = a->t;
    (void)pthread_mutex_lock(&t->lock);
    bool closing = t->closing, offer_it = !a->offered, again = a->again || offer_it;
    a->again = false;
    a->offered = true;
    a->busy = again;
    (void)pthread_mutex_unlock(&t->lock);
    if (result.code != ERR_NOT_FOUND)
        tell(a, result);
    else if (closing)
        tell(a, ERR(STORE_STOPPED));
    else if (!err_is_ok(transparency_held(t)))
        tell(a, ERR(TLOG_HELD)); /* why is the operator's to know */
    else if (offer_it)
        offer(a);
    else if (again)
        ask(a);
}

/* a->busy is set. */
static void ask(struct append *a)
{
    const struct store_work work = {
        .cost = STORE_COST_MAX / 2, .run = run_receipt, .done = receipt_done, .arg = a};
    struct transparency *t = a->t;
    struct err err = store_read(t->store, a->inbox, &work);
    if (err_is_ok(err))
        return;
    (void)pthread_mutex_lock(&t->lock);
    bool closing = t->closing;
    a->busy = a->again = false; /* too much is waiting: the next signature asks again */
    (void)pthread_mutex_unlock(&t->lock);
    if (closing)
        tell(a, err);
}

/* Those who wait and were not woken for this signature yet, one at a time, since ask() locks. */
static struct append *next_to_wake(struct transparency *t, uint64_t signature)
{
    struct append *found = NULL;
    (void)pthread_mutex_lock(&t->lock);
    for (struct append *a = t->waiting; a != NULL && found == NULL; a = a->next) {
        if (a->woken_for == signature)
            continue;
        a->woken_for = signature;
        a->again = a->busy;
        if (!a->busy) {
            a->busy = true;
            found = a;
        }
    }
    (void)pthread_mutex_unlock(&t->lock);
    return found;
}

void append_wake(struct transparency *t)
{
    (void)pthread_mutex_lock(&t->lock);
    uint64_t signature = ++t->signatures;
    (void)pthread_mutex_unlock(&t->lock);
    for (struct append *a = next_to_wake(t, signature); a != NULL; a = next_to_wake(t, signature))
        ask(a);
}

/* ---- taking in */

static struct err run_offer(struct store_txn *txn, void *arg)
{
    const struct append *a = arg;
    const struct kt_log *log = a->t->options.log;
    uint64_t epoch;
    TRY(kt_log_offer(log, txn, a->label, a->version, a->value, &epoch));
    return epoch == 0 && a->ready != NULL ? kt_ready_put(log, txn, a->label, a->ready) : ERR_OK;
}

static void offered(void *arg, struct err result)
{
    struct append *a = arg;
    if (!err_is_ok(result)) {
        tell(a, result);
        return;
    }
    sequencer_wake(a->t);
    ask(a);
}

static void offer(struct append *a)
{
    const struct store_work work = {
        .cost = LADDER_MAX / 4,
        .frees = true, /* what it belongs to is committed: S2 was asked there */
        .run = run_offer,
        .done = offered,
        .arg = a};
    struct err err = store_submit(a->t->store, a->inbox, &work);
    if (!err_is_ok(err))
        tell(a, err);
}

void transparency_append(struct transparency *t, struct bytes label, uint32_t version,
                         struct bytes value, struct hearth_loop *loop,
                         void (*done)(void *arg, struct err result,
                                      const struct transparency_receipt *receipt),
                         void *arg)
{
    static const struct transparency_receipt none;
    struct append *a = calloc(1, sizeof *a);
    if (a == NULL) {
        done(arg, ERR(NO_MEMORY), &none);
        return;
    }
    transparency_ref(t);
    *a = (struct append){.t = t,
                         .label = label,
                         .value = value,
                         .version = version,
                         .done = done,
                         .arg = arg,
                         .busy = true};
    const struct store_work work = {
        .cost = STORE_COST_MAX / 2, .run = run_receipt, .done = receipt_done, .arg = a};
    (void)pthread_mutex_lock(&t->lock);
    a->next = t->waiting;
    t->waiting = a;
    (void)pthread_mutex_unlock(&t->lock);
    struct err err = front_inbox(t->env->front, loop, &a->inbox);
    if (err_is_ok(err))
        err = store_read(t->store, a->inbox, &work);
    if (!err_is_ok(err))
        tell(a, err);
}
