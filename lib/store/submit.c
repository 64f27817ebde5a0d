/* How work gets in. */
#include <stdlib.h>

#include "store/inside.h"

/* Lock held. */
static struct err admit(struct store *s, struct job *job, bool write)
{
    if (!err_is_ok(s->stopped) || s->closing)
        return ERR(STORE_STOPPED);
    if (!write) {
        TRY(sched_push(&s->reads, &job->entry));
        (void)pthread_cond_signal(s->reader_count != 0 ? &s->reader_wake : &s->writer_wake);
        return ERR_OK;
    }
    if (s->disk.low && !job->work.frees)
        return ERR(STORE_LOW_DISK);
    TRY(sched_push(&s->writes, &job->entry));
    s->stats.submitted++;
    if (s->writes.waiting > s->stats.waiting_most)
        s->stats.waiting_most = s->writes.waiting;
    if (s->writes.waiting == 1)
        (void)pthread_cond_signal(&s->writer_wake);
    return ERR_OK;
}

static struct err submit(struct store *s, struct inbox *inbox, const struct store_work *work,
                         bool write)
{
    if (work->run == NULL || work->cost == 0 || work->cost > STORE_COST_MAX)
        return ERR(ARGUMENT);
    struct job *job = malloc(sizeof *job);
    if (job == NULL)
        return ERR(NO_MEMORY);
    *job = (struct job){
        .entry = {.principal = work->principal, .cost = work->cost}, .inbox = inbox, .work = *work};
    store_lock(s);
    struct err err = admit(s, job, write);
    if (!err_is_ok(err))
        s->stats.refused++;
    store_unlock(s);
    if (!err_is_ok(err))
        free(job);
    return err;
}

struct err store_submit(struct store *s, struct inbox *inbox, const struct store_work *work)
{
    return submit(s, inbox, work, true);
}

struct err store_read(struct store *s, struct inbox *inbox, const struct store_work *work)
{
    return submit(s, inbox, work, false);
}

/* Somebody who waits for one job. */
struct waiter {
    struct err (*run)(struct store_txn *txn, void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    struct err result;
};

static struct err waiter_run(struct store_txn *txn, void *arg)
{
    struct waiter *w = arg;
    return w->run(txn, w->arg);
}

static void waiter_done(void *arg, struct err result)
{
    struct waiter *w = arg;
    (void)pthread_mutex_lock(&w->lock);
    w->result = result;
    w->done = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}

static struct err call(struct store *s, struct err (*run)(struct store_txn *, void *), void *arg,
                       bool write, bool frees)
{
    struct waiter w = {.run = run,
                       .arg = arg,
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .wake = PTHREAD_COND_INITIALIZER};
    struct store_work work = {
        .cost = 1, .frees = frees, .run = waiter_run, .done = waiter_done, .arg = &w};
    TRY(submit(s, NULL, &work, write));
    (void)pthread_mutex_lock(&w.lock);
    while (!w.done) {
        if (s->options.mode == STORE_INLINE) {
            (void)pthread_mutex_unlock(&w.lock);
            (void)store_turn(s);
            (void)pthread_mutex_lock(&w.lock);
        } else {
            (void)pthread_cond_wait(&w.wake, &w.lock);
        }
    }
    (void)pthread_mutex_unlock(&w.lock);
    (void)pthread_mutex_destroy(&w.lock);
    (void)pthread_cond_destroy(&w.wake);
    return w.result;
}

struct err store_call(struct store *s, struct err (*run)(struct store_txn *, void *), void *arg)
{
    return call(s, run, arg, true, true);
}

struct err store_call_growing(struct store *s, struct err (*run)(struct store_txn *, void *),
                              void *arg)
{
    return call(s, run, arg, true, false);
}

struct err store_call_read(struct store *s, struct err (*run)(struct store_txn *, void *),
                           void *arg)
{
    return call(s, run, arg, false, true);
}
