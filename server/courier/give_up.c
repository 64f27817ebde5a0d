/* F3: a domain's backlog is bounded. Counted now and then while the domain is behind; where it is
 * over a bound the oldest application messages go, down to nine tenths, and are reported. */
#include <stdlib.h>

#include "server/courier/inside.h"

struct count_job {
    struct domain *domain;
    uint64_t rows, bytes;
};

static struct err map_count(struct stmt *row, void *arg)
{
    struct count_job *job = arg;
    job->rows = stmt_u64(row, 0);
    job->bytes = stmt_u64(row, 1);
    return stmt_row_check(row);
}

static struct err run_count(struct store_txn *txn, void *arg)
{
    struct count_job *job = arg;
    const struct domain *d = job->domain;
    struct stmt *s = stmt_use(txn, d->courier->options.outbox.statements + OUTBOX_COUNT);
    stmt_bind_u64(s, 1, outbox_row_id(d->id, 0));
    stmt_bind_u64(s, 2, outbox_row_id(d->id + 1, 0));
    return stmt_first(s, map_count, job);
}

static void on_counted(void *arg, struct err result)
{
    struct count_job *job = arg;
    struct domain *d = job->domain;
    struct courier *c = d->courier;
    courier_back(c);
    d->counting = false;
    if (err_is_ok(result)) {
        courier_waiting(d, job->rows, job->bytes);
        d->given_up = 0;
        d->gave_all = false;
        drain_step(d);
    }
    free(job);
    courier_leave(c);
}

void give_up_count(struct domain *d)
{
    uint64_t now_us = courier_now_us(d->courier);
    if (d->counting || d->dropping ||
        (d->counted_us != 0 && now_us < d->counted_us + COURIER_COUNT_US))
        return;
    struct count_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return;
    job->domain = d;
    d->counting =
        err_is_ok(courier_read(d->courier, domain_principal(d), run_count, on_counted, job));
    if (d->counting)
        d->counted_us = now_us;
    else
        free(job);
}

static struct err run_give_up(struct store_txn *txn, void *arg)
{
    struct parcel *p = arg;
    TRY(batch_read(txn, &p->courier->options.outbox, &p->batch));
    return parcel_drop(txn, p);
}

static void on_given_up(void *arg, struct err result)
{
    struct parcel *p = arg;
    struct domain *d = p->domain;
    struct courier *c = p->courier;
    courier_back(c);
    d->under_way = NULL;
    if (err_is_ok(result)) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < p->batch.count; i++)
            bytes += p->batch.rows[i].bytes;
        atomic_fetch_add(&c->lost, p->batch.count);
        courier_waiting(d, d->waiting_rows > p->batch.count ? d->waiting_rows - p->batch.count : 0,
                        d->waiting_bytes > bytes ? d->waiting_bytes - bytes : 0);
        d->given_up = p->batch.last;
    }
    if (err_is_ok(result) && p->batch.end)
        d->discarding = false;
    /* The rest are commits and Welcomes, until it is counted again. */
    d->gave_all = !err_is_ok(result) || p->batch.end;
    parcel_free(p);
    drain_step(d);
    courier_leave(c);
}

bool give_up_start(struct domain *d)
{
    struct courier *c = d->courier;
    uint64_t rows = c->options.backlog_rows, bytes = c->options.backlog_bytes;
    if (d->waiting_rows > rows || d->waiting_bytes > bytes)
        d->giving_up = true;
    else if (d->waiting_rows <= rows / 10 * 9 && d->waiting_bytes <= bytes / 10 * 9)
        d->giving_up = false;
    if (!d->discarding && (!d->giving_up || d->gave_all))
        return false;
    struct parcel *p = parcel_new(d);
    if (p == NULL)
        return false;
    p->lost = true;
    p->batch.application = !d->discarding;
    p->batch.most = COURIER_GIVE_UP_ROWS;
    p->batch.after = d->discarding ? 0 : d->given_up;
    if (!err_is_ok(courier_write(c, domain_principal(d), 2 * COURIER_GIVE_UP_ROWS, run_give_up,
                                 on_given_up, p))) {
        parcel_free(p);
        return false;
    }
    d->under_way = p;
    return true;
}
