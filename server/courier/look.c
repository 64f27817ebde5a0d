/* Finding domains with new rows: one read of an index, however many domains there are. */
#include <stdlib.h>

#include "server/courier/inside.h"

enum { LOOK_DOMAINS = 64 };

struct found {
    uint64_t id, newest;
    uint8_t prf[OUTBOX_PRF_BYTES];
    struct buf name;
};

struct look_job {
    struct courier *courier;
    uint64_t after, after_id;
    struct found found[LOOK_DOMAINS];
    size_t count;
};

static void job_free(struct look_job *job)
{
    for (size_t i = 0; i < job->count; i++)
        buf_clear(&job->found[i].name);
    free(job);
}

static struct err map_found(struct stmt *row, void *arg)
{
    struct look_job *job = arg;
    struct found *f = &job->found[job->count];
    *f = (struct found){.id = stmt_u64(row, 0)};
    stmt_fixed(row, 1, f->prf, sizeof f->prf);
    struct bytes sealed = stmt_blob(row, 2);
    f->newest = stmt_u64(row, 3);
    TRY(stmt_row_check(row));
    job->count++;
    struct err err = at_rest_open(&f->name, job->courier->options.outbox.key,
                                  bytes_of(f->prf, sizeof f->prf), sealed);
    if (err.code == ERR_CRYPTO_TAG)
        return ERR_OK; /* damaged: it has no name, and its rows are refused */
    return err;
}

static struct err run_look(struct store_txn *txn, void *arg)
{
    struct look_job *job = arg;
    struct stmt *s = stmt_use(txn, job->courier->options.outbox.statements + OUTBOX_NEW);
    stmt_bind_u64(s, 1, job->after);
    stmt_bind_u64(s, 2, job->after_id);
    stmt_bind_u64(s, 3, LOOK_DOMAINS);
    return stmt_each(s, map_found, job);
}

static bool make_room(struct courier *c, uint64_t id)
{
    if (id < c->domain_cap)
        return true;
    if (id > OUTBOX_DOMAIN_MAX)
        return false;
    uint64_t cap = c->domain_cap == 0 ? 16 : c->domain_cap;
    while (cap <= id)
        cap *= 2;
    struct domain **at = realloc(c->domains, cap * sizeof(struct domain *));
    if (at == NULL)
        return false;
    for (uint64_t i = c->domain_cap; i < cap; i++)
        at[i] = NULL;
    c->domains = at;
    c->domain_cap = cap;
    return true;
}

static void on_due(struct timer *timer)
{
    char *at = (char *)timer - offsetof(struct domain, timer);
    drain_step((struct domain *)(void *)at);
}

/* NULL: out of memory. */
static struct domain *domain_of(struct courier *c, const struct found *f)
{
    if (!make_room(c, f->id))
        return NULL;
    if (c->domains[f->id] != NULL)
        return c->domains[f->id];
    struct domain *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    d->courier = c;
    d->id = f->id;
    memcpy(d->prf, f->prf, sizeof d->prf);
    d->name_len = f->name.len <= sizeof d->name ? f->name.len : 0;
    if (d->name_len > 0)
        memcpy(d->name, f->name.data, d->name_len);
    d->local = bytes_equal(bytes_str(c->env->domain), bytes_of(d->name, d->name_len));
    d->timer.fire = on_due;
    c->domains[f->id] = d;
    atomic_fetch_add(&c->domain_count, 1);
    return d;
}

static void on_looked(void *arg, struct err result)
{
    struct look_job *job = arg;
    struct courier *c = job->courier;
    courier_back(c);
    c->looking = false;
    bool more = err_is_ok(result) && job->count == LOOK_DOMAINS;
    for (size_t i = 0; err_is_ok(result) && i < job->count && !c->closing; i++) {
        const struct found *f = &job->found[i];
        struct domain *d = domain_of(c, f);
        if (d == NULL || d->dropping) { /* seen again by the next look */
            more = false;
            break;
        }
        c->seen = f->newest;
        c->seen_id = f->id;
        d->newest = f->newest;
        if (d->failures > 0 || d->held.count > 0 || d->under_way != NULL)
            give_up_count(d);
        drain_step(d);
    }
    job_free(job);
    if (more || c->look_again)
        look(c);
    courier_leave(c);
}

void look(struct courier *c)
{
    if (c->closing)
        return;
    c->look_again = c->looking;
    if (c->looking)
        return;
    struct look_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return; /* the timer looks again */
    job->courier = c;
    job->after = c->seen;
    job->after_id = c->seen_id;
    c->looking = err_is_ok(courier_read(c, 0, run_look, on_looked, job));
    if (!c->looking)
        job_free(job);
}

/* ---- domains without rows */

struct forget_job {
    struct domain *domain;
    uint64_t changes;
};

static struct err run_forget(struct store_txn *txn, void *arg)
{
    struct forget_job *job = arg;
    const struct domain *d = job->domain;
    struct stmt *s = stmt_use(txn, d->courier->options.outbox.statements + OUTBOX_DROP_DOMAIN);
    stmt_bind_u64(s, 1, d->id);
    stmt_bind_u64(s, 2, d->newest);
    return stmt_run(s, &job->changes);
}

static void on_forgotten(void *arg, struct err result)
{
    struct forget_job *job = arg;
    struct domain *d = job->domain;
    struct courier *c = d->courier;
    courier_back(c);
    d->dropping = false;
    /* Where the row is still there it has newer rows, and a look brings them. */
    if (err_is_ok(result) && job->changes == 1)
        courier_remove(d);
    free(job);
    look(c);
    courier_leave(c);
}

void look_forget(struct domain *d)
{
    struct forget_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return; /* stays, which does no harm */
    job->domain = d;
    d->dropping =
        err_is_ok(courier_write(d->courier, domain_principal(d), 1, run_forget, on_forgotten, job));
    if (!d->dropping)
        free(job);
}
