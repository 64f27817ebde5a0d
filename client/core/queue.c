/* Fetching: Dequeue until nothing is left, acknowledging what is stored. */
#include "client/core/queue.h"

#include <stdlib.h>

#include "client/core/op.h"
#include "client/core/queue_inside.h"
#include "client/core/task.h"

enum { BATCH = 64, LANES_MOST = 64, LINGER_MS = 400, DELAY_FIRST_MS = 1000, DELAY_MOST_MS = 60000 };

struct fetching {
    struct core *core;
    struct hearth_timer *timer; /* begins and repeats */
    struct api_call *call;      /* NULL: none under way */
    struct offers *offers;      /* NULL: none under way */
    bool drained;               /* this round: nothing was left */
    uint64_t next;              /* number that the call under way waits for */
    bool offers_heard;
    unsigned tries; /* rounds in vain */
    uint64_t round;
    /* who waits, since which round */
    struct {
        struct hearth_op *op;
        uint64_t since;
    } ops[LANES_MOST];
    size_t op_count;
    struct {
        uint8_t lane[16];
        uint64_t since;
    } lanes[LANES_MOST];
    size_t lane_count;
};

uint32_t queue_delay_ms(struct core *c, unsigned tries)
{
    uint8_t coin = 0;
    uint32_t ms = tries >= 6 ? DELAY_MOST_MS : (uint32_t)DELAY_FIRST_MS << tries;
    struct err err = rng_fill(c->rng, &coin, 1);
    (void)err; /* then there is no jitter */
    return ms + ms / 1024 * coin;
}

static bool is_wanted(const struct fetching *f)
{
    return f->op_count + f->lane_count > 0;
}

static void again(struct fetching *f, uint32_t ms)
{
    (void)hearth_timer_set(f->timer, ms); /* made with the struct, and always set */
}

/* ---- ends */

static void end_ops(struct fetching *f, const struct hearth_error *error, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->op_count; i++) {
        if (all || f->ops[i].since < f->round)
            op_end(f->ops[i].op, error);
        else
            f->ops[kept++] = f->ops[i];
    }
    f->op_count = kept;
}

/* Those who asked before this round began know now what came before. */
static void round_over(struct fetching *f)
{
    size_t kept = 0;
    bool woken = false;
    f->tries = 0;
    end_ops(f, &(struct hearth_error){.result = HEARTH_DONE}, false);
    for (size_t i = 0; i < f->lane_count; i++) {
        if (f->lanes[i].since < f->round) {
            task_wake(f->core, f->lanes[i].lane);
            woken = true;
        } else {
            f->lanes[kept++] = f->lanes[i];
        }
    }
    f->lane_count = kept;
    if (woken)
        (void)hearth_timer_set(f->core->soon, 0);
}

static void maybe_over(struct fetching *f)
{
    if (f->drained && f->offers_heard)
        round_over(f);
    if (f->call == NULL && f->offers == NULL && is_wanted(f))
        again(f, 0);
}

/* An op ends with the first failure; lanes wait on, since their tasks can't go on without. */
static void round_failed(struct fetching *f, const struct hearth_error *error)
{
    offers_close(f->offers);
    f->offers = NULL;
    end_ops(f, error, true);
    if (f->lane_count > 0)
        again(f, queue_delay_ms(f->core, f->tries++));
}

static void round_failed_err(struct fetching *f, struct err err)
{
    struct hearth_error error;
    core_error_of(err, &error);
    round_failed(f, &error);
}

/* ---- Dequeue */

static void dequeue(struct fetching *f);

static void on_batch(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct fetching *f = arg;
    const Hearth__V1__DequeueResponse *in = (const void *)out;
    f->call = NULL;
    if (status->code != HEARTH_OK || in == NULL) {
        struct hearth_error error;
        core_error_of_status(status, &error);
        round_failed(f, &error);
        return;
    }
    uint64_t next = f->next;
    struct err err = ERR_OK;
    for (size_t i = 0; i < in->n_items && err_is_ok(err); i++)
        err = queue_take(f->core, in->items[i]);
    if (err_is_ok(err))
        err = queue_next(f->core, &next);
    if (!err_is_ok(err)) {
        round_failed_err(f, err);
        return;
    }
    bool moved = next > f->next; /* what comes again is the same, and must not keep us busy */
    f->drained |= in->left == 0 || !moved;
    if (moved && (in->left > 0 || next > 1)) /* item 0 is not acknowledged before the next */
        dequeue(f);                          /* the rest, or the acknowledgement alone */
    if (f->drained)
        maybe_over(f);
}

static void dequeue(struct fetching *f)
{
    struct core *c = f->core;
    const struct account *a = &c->account;
    Hearth__V1__DequeueRequest in = HEARTH__V1__DEQUEUE_REQUEST__INIT;
    uint8_t purpose[16];
    struct err err = a->registered ? queue_next(c, &f->next) : ERR(WRONG_STATE);
    core_purpose("queue", bytes_of(NULL, 0), purpose);
    struct api_to to = {
        .domain = a->domain,
        .purpose = purpose,
        .caller = {.kind = REQUEST_QUEUE_CLIENT,
                   .id = bytes_of(a->queue_client_id, sizeof a->queue_client_id),
                   .key = &a->queue_client_key},
    };
    in.ack_up_to = f->next > 0 ? f->next - 1 : 0;
    in.most = BATCH;
    if (err_is_ok(err))
        err = api_start(c->api, &to, api_endpoint("Queue", "Dequeue"), &in.base, on_batch, f,
                        &f->call);
    if (!err_is_ok(err))
        round_failed_err(f, err);
}

/* ---- rounds */

static void offers_done(struct offers *offers, void *arg)
{
    struct fetching *f = arg;
    offers_close(offers);
    f->offers = NULL;
    f->offers_heard = true;
    maybe_over(f);
}

static void begin_round(struct fetching *f)
{
    f->round++;
    f->drained = f->offers_heard = false;
    /* who listens hears offers anyway */
    if (f->core->listener != NULL || f->op_count == 0 ||
        !err_is_ok(offers_open(f->core, LINGER_MS, offers_done, f, &f->offers)))
        f->offers_heard = true;
    dequeue(f);
}

static void on_timer(void *arg)
{
    struct fetching *f = arg;
    (void)hearth_timer_set(f->timer, UINT32_MAX / 2); /* stays set: so it can't fail */
    if (is_wanted(f) && f->offers == NULL && f->call == NULL)
        begin_round(f);
}

static struct err fetching_of(struct core *c, struct fetching **ret)
{
    if (!c->account.registered)
        return ERR(WRONG_STATE);
    if (c->fetching == NULL) {
        struct fetching *f = calloc(1, sizeof *f);
        if (f == NULL)
            return ERR(NO_MEMORY);
        f->core = c;
        f->timer = hearth_timer_new(c->loop, on_timer, f);
        if (f->timer == NULL || !hearth_timer_set(f->timer, UINT32_MAX / 2)) {
            hearth_timer_free(f->timer);
            free(f);
            return ERR(NO_MEMORY);
        }
        c->fetching = f;
    }
    *ret = c->fetching;
    return ERR_OK;
}

/* Where a round is under way, the next begins when it is over: it does not count for who asks now.
 */
static void join(struct fetching *f)
{
    if (f->call == NULL && f->offers == NULL)
        again(f, 0);
}

struct err queue_sync(struct core *c, struct hearth_op *op)
{
    struct fetching *f;
    TRY(fetching_of(c, &f));
    if (f->op_count == LANES_MOST)
        return ERR(TOO_LARGE);
    f->ops[f->op_count].op = op;
    f->ops[f->op_count++].since = f->round;
    f->tries = 0;
    join(f);
    return ERR_OK;
}

struct err queue_drain_then_wake(struct core *c, const uint8_t lane[16])
{
    struct fetching *f;
    TRY(fetching_of(c, &f));
    for (size_t i = 0; i < f->lane_count; i++) {
        if (memcmp(f->lanes[i].lane, lane, 16) == 0) {
            f->lanes[i].since = f->round;
            return ERR_OK;
        }
    }
    if (f->lane_count == LANES_MOST)
        return ERR(TOO_LARGE);
    memcpy(f->lanes[f->lane_count].lane, lane, 16);
    f->lanes[f->lane_count++].since = f->round;
    join(f);
    return ERR_OK;
}

void queue_stop(struct core *c)
{
    struct fetching *f = c->fetching;
    listener_close(c);
    if (f == NULL)
        return;
    if (f->call != NULL)
        api_cancel(f->call);
    offers_close(f->offers);
    hearth_timer_free(f->timer);
    c->fetching = NULL;
    free(f);
}
