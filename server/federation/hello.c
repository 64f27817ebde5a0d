/* At the start: peers that we knew before are told that we are there, by a signed call. What waits
 * for us at theirs is due then, rather than when their backoff ends. A peer that can't verify it
 * now, because it has to fetch our keys first, is greeted a few times more: its fetch may have met
 * our life before this one, and then nothing else would tell it that we are back. */
#include <stdlib.h>

#include "server/federation/inside.h"

enum { HELLOS_AT_ONCE = 16, HELLO_MS = 10000, AGAIN_MS = 3000, TRIES = 4 };

struct hello {
    struct reach reach; /* first */
    struct peer *peer;  /* held */
    struct hearth_channel *channel;
    unsigned tries;
    /* it waits to come again, and takes no room meanwhile */
    struct hearth_timer *timer; /* owned; NULL: it has not waited yet */
    struct hello *next_waiting, **waiting_at;
};

static void next(struct federation *f);

static void release(struct hello *h)
{
    struct federation *f = h->peer->federation;
    federation_lock(f);
    peer_put(h->peer);
    federation_unlock(f);
    hearth_timer_free(h->timer);
    free(h);
}

static void end(struct hello *h)
{
    struct federation *f = h->peer->federation;
    f->hellos--;
    release(h);
    next(f);
}

static void leave_waiting(struct hello *h)
{
    *h->waiting_at = h->next_waiting;
    if (h->next_waiting != NULL)
        h->next_waiting->waiting_at = h->waiting_at;
}

static void on_again(void *arg)
{
    struct hello *h = arg;
    struct federation *f = h->peer->federation;
    if (f->hellos >= HELLOS_AT_ONCE && hearth_timer_set(h->timer, AGAIN_MS))
        return;
    leave_waiting(h);
    f->hellos++;
    peer_reach(h->peer, &h->reach);
}

/* Each wait is twice as long as the one before. False: not any more. */
static bool come_again(struct hello *h)
{
    struct federation *f = h->peer->federation;
    if (f->stopped || h->tries >= TRIES)
        return false;
    if (h->timer == NULL)
        h->timer = hearth_timer_new(f->options.loop, on_again, h);
    if (h->timer == NULL || !hearth_timer_set(h->timer, (uint32_t)AGAIN_MS << (h->tries - 1)))
        return false;
    h->next_waiting = f->hellos_waiting;
    if (h->next_waiting != NULL)
        h->next_waiting->waiting_at = &h->next_waiting;
    h->waiting_at = &f->hellos_waiting;
    f->hellos_waiting = h;
    f->hellos--;
    next(f);
    return true;
}

static void on_answer(const struct hearth_status *status, const Hearth__V1__ProbeResponse *out,
                      void *arg)
{
    struct hello *h = arg;
    struct federation *f = h->peer->federation;
    (void)out;
    if (!f->stopped && is_unreached(status->code))
        peer_unreach(h->peer, h->channel);
    if (status->code != HEARTH_ABORTED || !come_again(h))
        end(h);
}

static void ready(struct reach *reach, struct peer *peer, struct err result)
{
    struct hello *h = (struct hello *)(void *)reach;
    const Hearth__V1__ProbeRequest in = HEARTH__V1__PROBE_REQUEST__INIT;
    const struct hearth_call_options options = {
        .deadline_ms = HELLO_MS, .no_retry = true, .signer = signer_of(&peer->signing)};
    h->channel = peer->channel;
    h->tries++;
    if (!err_is_ok(result) ||
        hearth_federation_probe_start(peer->channel, &options, &in, on_answer, h) == NULL)
        end(h);
}

/* Under the lock. */
static struct peer *to_greet(struct federation *f)
{
    for (; f->greet_slot < PEER_SLOTS; f->greet_slot++)
        for (struct peer *p = f->slots[f->greet_slot]; p != NULL; p = p->next)
            if (p->greet) {
                p->greet = false;
                return p;
            }
    return NULL;
}

/* False: there is nobody, or no room. */
static bool greet_one(struct federation *f)
{
    struct hello *h = NULL;
    federation_lock(f);
    struct peer *peer = !f->stopped && f->hellos < HELLOS_AT_ONCE ? to_greet(f) : NULL;
    if (peer != NULL)
        h = calloc(1, sizeof *h);
    if (h != NULL) {
        h->reach.ready = ready;
        h->peer = peer;
        peer->refs++;
        f->hellos++;
    }
    federation_unlock(f);
    if (h != NULL)
        peer_reach(peer, &h->reach);
    return h != NULL;
}

/* As many as there is room for. What ends at once comes here again, from inside. */
static void next(struct federation *f)
{
    if (f->greeting)
        return;
    f->greeting = true;
    while (greet_one(f))
        continue;
    f->greeting = false;
}

static void on_loop(void *arg)
{
    next(arg);
}

void federation_hello(struct federation *f)
{
    if (!hearth_loop_post(f->options.loop, on_loop, f))
        return; /* they come by themselves, later */
}

void hello_stop(struct federation *f)
{
    struct hello *h = f->hellos_waiting;
    f->hellos_waiting = NULL;
    while (h != NULL) {
        struct hello *next_waiting = h->next_waiting;
        release(h);
        h = next_waiting;
    }
}
