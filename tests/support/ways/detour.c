#include "support/ways/detour.h"

#include "support/test.h"
#include "support/ways/kept_batch.h"
#include "support/ways/lies.h"

/* ---- putting off */

struct putting_off {
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes);
    void *arg;
    size_t taken, count;
};

static void on_taken(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct putting_off *p = arg;
    enum queue_outcome all[BATCH_ROWS];
    for (size_t i = 0; i < p->count; i++)
        all[i] = i < p->taken && err_is_ok(result) ? outcomes[i] : QUEUE_LATER;
    p->done(p->arg, result, all);
    free(p);
}

static struct err put_off(struct detour *d, struct bytes domain,
                          const struct courier_batch_row *rows, size_t count, struct inbox *inbox,
                          void (*done)(void *arg, struct err result,
                                       const enum queue_outcome *outcomes),
                          void *arg)
{
    struct putting_off *p = malloc(sizeof *p);
    assert_non_null(p);
    *p = (struct putting_off){done, arg, count / 2, count};
    if (p->taken == 0) {
        on_taken(p, ERR_OK, NULL);
        return ERR_OK;
    }
    struct err err = d->route.deliver(d->route.self, domain, rows, p->taken, inbox, on_taken, p);
    if (!err_is_ok(err))
        free(p);
    return err;
}

/* ---- theft */

struct watching {
    struct detour *thief;
    struct kept_batch *batch;
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes);
    void *arg;
};

/* References that nobody has used yet would be whose uses them first. */
static void on_watched(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct watching w = *(struct watching *)arg;
    free(arg);
    bool taken = err_is_ok(result);
    for (size_t i = 0; i < w.batch->count && taken; i++)
        taken = outcomes[i] == QUEUE_OK;
    if (taken && w.thief->stolen == NULL)
        w.thief->stolen = w.batch;
    else
        kept_free(w.batch);
    w.done(w.arg, result, outcomes);
}

static struct err watched(struct detour *d, struct bytes domain,
                          const struct courier_batch_row *rows, size_t count, struct inbox *inbox,
                          void (*done)(void *arg, struct err result,
                                       const enum queue_outcome *outcomes),
                          void *arg)
{
    struct watching *w = malloc(sizeof *w);
    assert_non_null(w);
    *w = (struct watching){d->thief, kept_batch(domain, rows, count), done, arg};
    struct err err = d->route.deliver(d->route.self, domain, rows, count, inbox, on_watched, w);
    if (!err_is_ok(err)) {
        kept_free(w->batch);
        free(w);
    }
    return err;
}

/* ---- on the way */

static struct err deliver(void *self, struct bytes domain, const struct courier_batch_row *rows,
                          size_t count, struct inbox *inbox,
                          void (*done)(void *arg, struct err result,
                                       const enum queue_outcome *outcomes),
                          void *arg)
{
    struct detour *d = self;
    struct courier_batch_row *ours = (struct courier_batch_row *)(uintptr_t)rows;
    d->batches++;
    if (d->liar != NULL && bytes_equal(domain, bytes_str(d->liar)))
        return lies_answer(d, domain, rows, count, inbox, done, arg);
    if (d->held_up && d->stuck)
        return ERR(FEDERATION_BUSY);
    if (d->believed && d->gone) {
        enum queue_outcome all[BATCH_ROWS];
        for (size_t i = 0; i < count; i++)
            all[i] = QUEUE_GONE;
        d->gone = false;
        done(arg, ERR_OK, all);
        return ERR_OK;
    }
    if (d->lies)
        return lies_send(d, domain, rows, count, inbox, done, arg);
    if (d->stale == NULL && !d->no_stale)
        d->stale = kept_batch(domain, rows, count);
    for (size_t i = 0; i < count && d->numbered; i++)
        ours[i].sequence = ++d->number;
    for (size_t i = 0; i < count / 2 && d->backwards; i++) {
        struct courier_batch_row row = ours[i];
        ours[i] = ours[count - 1 - i];
        ours[count - 1 - i] = row;
    }
    if (d->put_off_one_in != 0 && d->batches % d->put_off_one_in == 0)
        return put_off(d, domain, rows, count, inbox, done, arg);
    if (d->thief != NULL && d->thief->stolen == NULL)
        return watched(d, domain, rows, count, inbox, done, arg);
    return d->route.deliver(d->route.self, domain, rows, count, inbox, done, arg);
}

struct courier_route detour_route(struct detour *d, struct courier_route to)
{
    d->route = to;
    return (struct courier_route){deliver, d};
}

static void on_repeated(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    (void)result; /* nobody waits for it: the courier was answered long ago */
    (void)outcomes;
    kept_free(arg);
}

void detour_repeat(struct detour *d)
{
    struct kept_batch *s = d->stale;
    d->stale = NULL;
    if (s != NULL && !err_is_ok(d->route.deliver(d->route.self, bytes_str(s->domain), s->rows,
                                                 s->count, NULL, on_repeated, s)))
        kept_free(s);
}

void detour_clear(struct detour *d)
{
    kept_free(d->stale);
    kept_free(d->stolen);
    d->stale = d->stolen = NULL;
}
