/* Listening: one stream from our queue, made again when it ends; and those of our handles. */
#include <stdlib.h>

#include "client/core/event.h"
#include "client/core/queue_inside.h"

enum { FENCED_MS = 30000, LOST_MS = 60000, IDLE_MS = UINT32_MAX / 2 };

struct listener {
    struct core *core; /* NULL: stopped, goes with its call */
    struct hearth_client_call *call;
    struct hearth_timer *timer;
    struct offers *offers;
    uint64_t acked; /* last, on this call */
    unsigned tries;
    bool told_loss;
};

static void connect_later(struct listener *l, uint32_t ms)
{
    (void)hearth_timer_set(l->timer, ms); /* it is always set */
}

static void acknowledge(struct hearth_client_call *call, uint64_t up_to)
{
    Hearth__V1__ListenRequest ack = HEARTH__V1__LISTEN_REQUEST__INIT;
    ack.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_ACK_UP_TO;
    ack.ack_up_to = up_to;
    (void)hearth_client_call_write(call, &ack.base);
}

static void on_message(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg)
{
    struct listener *l = arg;
    const Hearth__V1__ListenResponse *in = (const void *)item;
    if (l->core == NULL)
        return;
    if (in->event_case == HEARTH__V1__LISTEN_RESPONSE__EVENT_PADDING)
        acknowledge(call, l->acked); /* once more: it is to look like an item from outside */
    if (in->event_case != HEARTH__V1__LISTEN_RESPONSE__EVENT_ITEM)
        return;
    l->tries = 0;
    struct err err = queue_take(l->core, in->item);
    if (!err_is_ok(err)) { /* it will come again */
        hearth_client_call_cancel(call);
        return;
    }
    if (in->item->sequence == 0)
        return; /* a number from which nothing is acknowledged */
    l->acked = in->item->sequence;
    acknowledge(call, l->acked);
}

static struct err tell_loss(struct core *c, struct db_txn *t, void *arg)
{
    (void)arg;
    struct hearth_event event = {.kind = HEARTH_EVENT_LOSS,
                                 .result = HEARTH_FAILED,
                                 .text = "the homeserver has lost items of our queue"};
    return event_tell(c, t, &event);
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct listener *l = arg;
    (void)call;
    l->call = NULL;
    if (l->core == NULL) {
        free(l);
        return;
    }
    if (status->code == HEARTH_OUT_OF_RANGE) {
        if (!l->told_loss)
            l->told_loss = err_is_ok(core_step(l->core, tell_loss, NULL));
        connect_later(l, LOST_MS);
    } else if (status->code == HEARTH_ABORTED) {
        connect_later(l, FENCED_MS); /* another program of this device listens */
    } else {
        connect_later(l, queue_delay_ms(l->core, l->tries++));
    }
}

static struct err connect(struct listener *l)
{
    static const struct hearth_stream_events events = {.on_message = on_message,
                                                       .on_done = on_done};
    const struct account *a = &l->core->account;
    Hearth__V1__ListenStart from = HEARTH__V1__LISTEN_START__INIT;
    Hearth__V1__ListenRequest first = HEARTH__V1__LISTEN_REQUEST__INIT;
    uint8_t purpose[16];
    TRY(queue_next(l->core, &from.from_sequence));
    l->acked = 0;
    core_purpose("queue", bytes_of(NULL, 0), purpose);
    struct api_to to = {
        .domain = a->domain,
        .purpose = purpose,
        .caller = {.kind = REQUEST_QUEUE_CLIENT,
                   .id = bytes_of(a->queue_client_id, sizeof a->queue_client_id),
                   .key = &a->queue_client_key},
    };
    TRY(api_open(l->core->api, &to, api_endpoint("Queue", "Listen"), &events, l, &l->call));
    first.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_START;
    first.start = &from;
    (void)hearth_client_call_write(l->call, &first.base);
    return ERR_OK;
}

static void on_timer(void *arg)
{
    struct listener *l = arg;
    (void)hearth_timer_set(l->timer, IDLE_MS); /* stays set: so it can't fail */
    if (!l->core->account.registered) {
        listener_close(l->core); /* the account was deleted */
        return;
    }
    if (l->call == NULL && !err_is_ok(connect(l)))
        connect_later(l, queue_delay_ms(l->core, l->tries++));
}

struct err queue_listen(struct core *c)
{
    if (!c->account.registered)
        return ERR(WRONG_STATE);
    if (c->listener != NULL)
        return ERR_OK;
    struct listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return ERR(NO_MEMORY);
    l->core = c;
    l->timer = hearth_timer_new(c->loop, on_timer, l);
    struct err err = l->timer != NULL && hearth_timer_set(l->timer, 0) ? ERR_OK : ERR(NO_MEMORY);
    if (err_is_ok(err))
        err = offers_open(c, 0, NULL, NULL, &l->offers);
    if (!err_is_ok(err)) {
        hearth_timer_free(l->timer);
        free(l);
        return err;
    }
    c->listener = l;
    return ERR_OK;
}

void queue_listen_stop(struct core *c)
{
    listener_close(c);
}

void listener_close(struct core *c)
{
    struct listener *l = c->listener;
    if (l == NULL)
        return;
    c->listener = NULL;
    hearth_timer_free(l->timer);
    offers_close(l->offers);
    l->core = NULL;
    if (l->call == NULL)
        free(l);
    else
        hearth_client_call_cancel(l->call);
}

void queue_handles_changed(struct core *c)
{
    if (c->listener != NULL)
        offers_look(c->listener->offers);
}
