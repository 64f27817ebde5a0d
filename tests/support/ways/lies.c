#include "support/ways/lies.h"

#include "base/rng.h"
#include "support/test.h"
#include "support/ways/kept_batch.h"

enum answer {
    ANSWER_TRULY,
    ANSWER_OK,
    ANSWER_GONE,
    ANSWER_REFUSED,
    ANSWER_LATER,
    ANSWER_ANYTHING,
    ANSWER_NONSENSE,
    ANSWERS
};
enum sending {
    SEND_TRULY,
    SEND_NOTHING,
    SEND_BACKWARDS,
    SEND_NUMBERED,
    SEND_OTHERWISE,
    SEND_MIXED,
    SEND_MADE_UP,
    SEND_TWICE,
    SEND_OLD,
    SEND_STOLEN,
    SENDINGS
};

static uint64_t roll(struct detour *d, uint64_t below)
{
    return rng_seeded_next(d->dice) % below;
}

/* ---- answers */

static enum queue_outcome outcome_of(struct detour *d, enum answer answer)
{
    static const enum queue_outcome any[] = {QUEUE_OK, QUEUE_GONE, QUEUE_REFUSED, QUEUE_LATER};
    switch (answer) {
    case ANSWER_GONE:
        return QUEUE_GONE;
    case ANSWER_REFUSED:
        return QUEUE_REFUSED;
    case ANSWER_LATER:
        return QUEUE_LATER;
    case ANSWER_ANYTHING:
        return any[roll(d, 4)];
    default:
        return QUEUE_OK;
    }
}

struct err lies_answer(struct detour *d, struct bytes domain, const struct courier_batch_row *rows,
                       size_t count, struct inbox *inbox,
                       void (*done)(void *arg, struct err result,
                                    const enum queue_outcome *outcomes),
                       void *arg)
{
    enum queue_outcome outcomes[BATCH_ROWS];
    enum answer answer = (enum answer)roll(d, ANSWERS);
    assert_true(count <= BATCH_ROWS);
    if (answer == ANSWER_TRULY)
        return d->route.deliver(d->route.self, domain, rows, count, inbox, done, arg);
    d->lied++;
    d->gone = answer == ANSWER_GONE;
    d->stuck |= answer == ANSWER_NONSENSE;
    if (answer == ANSWER_NONSENSE)
        return ERR(FEDERATION_BUSY); /* as whatever can't be read: nothing is known of any row */
    for (size_t i = 0; i < count; i++) {
        outcomes[i] = outcome_of(d, answer);
        d->told_gone |= outcomes[i] == QUEUE_GONE;
    }
    done(arg, ERR_OK, outcomes);
    return ERR_OK;
}

/* ---- sending */

static void scramble(struct detour *d, struct bytes view)
{
    for (size_t i = 0; i < view.len; i++)
        ((uint8_t *)(uintptr_t)view.data)[i] = (uint8_t)rng_seeded_next(d->dice);
}

static void spoil(struct detour *d, enum sending how, struct kept_batch *k)
{
    for (size_t i = 0; i < k->count; i++) {
        struct courier_batch_row *row = &k->rows[i], before = *row,
                                 *other = &k->rows[how == SEND_BACKWARDS ? k->count - 1 - i
                                                                         : roll(d, k->count)];
        switch (how) {
        case SEND_BACKWARDS:
            if (i < k->count / 2) {
                *row = *other;
                *other = before;
            }
            break;
        case SEND_NUMBERED:
            row->sequence = rng_seeded_next(d->dice) >> roll(d, 64);
            break;
        case SEND_OTHERWISE:
            scramble(d, row->payload);
            row->payload_id = rng_seeded_next(d->dice);
            row->control = roll(d, 2) == 0;
            break;
        case SEND_MIXED:
            row->sealed_ref = other->sealed_ref;
            other->sealed_ref = before.sealed_ref;
            break;
        case SEND_STOLEN:
            row->sequence += UINT64_C(1) << roll(d, 40);
            scramble(d, row->payload);
            break;
        case SEND_MADE_UP:
            if (roll(d, 2) == 0)
                scramble(d, row->sealed_ref);
            break;
        default:
            break;
        }
    }
}

static void on_spoiled(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct kept_batch *k = arg;
    if (k->done != NULL)
        k->done(k->arg, result, outcomes);
    kept_free(k);
}

/* Another batch in its place; done NULL: beside it, and nobody waits for it. */
static struct err give(struct detour *d, struct kept_batch *k, struct inbox *inbox,
                       void (*done)(void *arg, struct err result,
                                    const enum queue_outcome *outcomes),
                       void *arg)
{
    k->done = done;
    k->arg = arg;
    struct err err = d->route.deliver(d->route.self, bytes_str(k->domain), k->rows, k->count, inbox,
                                      on_spoiled, k);
    if (!err_is_ok(err))
        kept_free(k);
    return err;
}

struct err lies_send(struct detour *d, struct bytes domain, const struct courier_batch_row *rows,
                     size_t count, struct inbox *inbox,
                     void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes),
                     void *arg)
{
    enum queue_outcome all[BATCH_ROWS];
    enum sending how = (enum sending)roll(d, SENDINGS);
    struct err err;
    assert_true(count <= BATCH_ROWS);
    d->lied += how != SEND_TRULY;
    if (how == SEND_NOTHING) {
        for (size_t i = 0; i < count; i++)
            all[i] = QUEUE_OK;
        done(arg, ERR_OK, all);
        return ERR_OK;
    }
    if (how == SEND_TWICE || how == SEND_OLD) {
        if (how == SEND_OLD && d->stale != NULL) {
            detour_repeat(d);
        } else {
            err = give(d, kept_batch(domain, rows, count), NULL, NULL, NULL);
            (void)err; /* busy with the other one, mostly */
        }
        if (d->stale == NULL)
            d->stale = kept_batch(domain, rows, count);
    }
    if (how == SEND_STOLEN && d->stolen != NULL) {
        struct kept_batch *stolen = d->stolen;
        d->stolen = NULL;
        spoil(d, how, stolen);
        err = give(d, stolen, NULL, NULL, NULL);
        (void)err;
    }
    struct kept_batch *k = kept_batch(domain, rows, count);
    if (how != SEND_STOLEN)
        spoil(d, how, k);
    return give(d, k, inbox, done, arg);
}
