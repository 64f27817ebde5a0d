/* Group commit: every waiting transaction in a savepoint of its own, one commit for all. */
#include "store/inside.h"

/* Fails all that have not failed of their own. */
static void fail_rest(struct job *jobs, struct err err)
{
    for (struct job *job = jobs; job != NULL; job = job->next)
        if (err_is_ok(job->result))
            job->result = err;
}

/* The engine gave up the whole group before it was committed: nothing of it holds. */
static void give_up(struct conn *c, struct job *jobs, struct err err, struct group_outcome *out)
{
    fail_rest(jobs, err);
    struct err undone = c->driver->rollback(c->handle);
    if (store_is_fatal(err))
        out->fatal = err;
    else if (!err_is_ok(undone) || c->driver->in_transaction(c->handle))
        out->fatal = ERR(INTERNAL);
    out->disk_full = err.code == ERR_STORE_FULL;
}

/* Sets job->result. The returned error is the engine's, and ends the group. */
static struct err run_one(struct conn *c, struct job *job, bool alone)
{
    if (!alone)
        TRY(c->driver->savepoint(c->handle));
    struct store_txn txn = txn_of(c, true);
    struct err err = job->work.run(&txn, job->work.arg);
    txn_end(&txn);
    struct err engine = {txn.failure};
    if (err_is_ok(err))
        err = engine;
    if (store_is_fatal(engine))
        return engine;
    if (!c->driver->in_transaction(c->handle)) /* it may do that when memory or disk ends */
        return err_is_ok(engine) ? ERR(INTERNAL) : engine;
    job->result = err;
    if (alone)
        return ERR_OK;
    return err_is_ok(err) ? c->driver->release(c->handle) : c->driver->rollback_to(c->handle);
}

/* What a failed COMMIT says for certain is that nothing was committed; of any other failure nobody
 * knows, because the log may hold the whole group by now. */
static bool surely_not_committed(struct err err)
{
    return err.code == ERR_STORE_FULL || err.code == ERR_STORE_BUSY ||
           err.code == ERR_STORE_CONSTRAINT || err.code == ERR_STORE_INTERRUPTED;
}

static void commit(struct conn *c, const struct clock *clock, struct job *jobs,
                   struct group_outcome *out)
{
    uint64_t from = clock_monotonic_us(clock);
    struct err err = c->driver->commit(c->handle);
    out->commit_us = clock_monotonic_us(clock) - from;
    if (err_is_ok(err)) {
        out->committed = true;
    } else if (surely_not_committed(err)) {
        give_up(c, jobs, err, out);
    } else {
        out->fatal = err;
        fail_rest(jobs, ERR(STORE_UNCERTAIN));
        struct err undone = c->driver->rollback(c->handle); /* only to let go of locks */
        (void)undone;
    }
}

void group_run(struct conn *c, const struct clock *clock, struct job *jobs,
               struct group_outcome *ret_outcome)
{
    struct group_outcome out = {0};
    bool alone = jobs->next == NULL; /* then the group's own rollback does for a savepoint */
    for (struct job *job = jobs; job != NULL; job = job->next)
        job->result = ERR_OK;
    struct err err = c->driver->begin(c->handle, true);
    bool anything = false;
    for (struct job *job = jobs; job != NULL && err_is_ok(err); job = job->next) {
        err = run_one(c, job, alone);
        anything = anything || err_is_ok(job->result);
    }
    if (!err_is_ok(err))
        give_up(c, jobs, err, &out);
    else if (anything)
        commit(c, clock, jobs, &out);
    else
        give_up(c, jobs, ERR_OK, &out);
    for (struct job *job = jobs; job != NULL; job = job->next) {
        bool kept = err_is_ok(job->result);
        out.kept += kept;
        out.failed += !kept;
        out.rows += kept ? job->work.cost : 0;
    }
    *ret_outcome = out;
}
