/* Listening: items come by themselves, and are acknowledged on the same stream. */
#include <stdlib.h>

#include "support/failing.h"
#include "support/house/resident_inside.h"

enum { SLICE_MS = 40, HELD = 4096 };

struct listening {
    struct hearth_client_call *call; /* NULL: over */
    Hearth__V1__QueueItem *items[HELD];
    size_t count, taken;
    bool drained;
    enum hearth_code code;
};

static void on_message(struct hearth_client_call *call, const Hearth__V1__ListenResponse *item,
                       void *arg)
{
    struct listening *l = arg;
    (void)call;
    if (item->event_case == HEARTH__V1__LISTEN_RESPONSE__EVENT_DRAINED) {
        l->drained = true;
        return;
    }
    assert_int_equal(item->event_case, HEARTH__V1__LISTEN_RESPONSE__EVENT_ITEM);
    assert_true(l->count < HELD);
    test_pause_failing();
    size_t len = hearth__v1__queue_item__get_packed_size(item->item);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    (void)hearth__v1__queue_item__pack(item->item, bytes);
    l->items[l->count] = hearth__v1__queue_item__unpack(NULL, len, bytes);
    assert_non_null(l->items[l->count++]);
    free(bytes);
    test_resume_failing();
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct listening *l = arg;
    (void)call;
    l->call = NULL;
    l->code = status->code;
}

static void start(struct resident *r, struct listening *l)
{
    static const struct hearth_queue_listen_events events = {.on_message = on_message,
                                                             .on_done = on_done};
    Hearth__V1__ListenStart from = HEARTH__V1__LISTEN_START__INIT;
    Hearth__V1__ListenRequest first = HEARTH__V1__LISTEN_REQUEST__INIT;
    struct hearth_call_options options = {.signer = caller_signer(&r->client), .no_retry = true};
    from.from_sequence = r->seen;
    first.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_START;
    first.start = &from;
    l->call = hearth_queue_listen_start(r->channel, &options, &events, l);
    assert_non_null(l->call);
    (void)hearth_queue_listen_push(l->call, &first);
}

/* Outside of the loop's callbacks, since what is in an item may want further calls. */
static void take(struct resident *r, struct listening *l)
{
    for (; l->taken < l->count; l->taken++) {
        resident_item(r, l->items[l->taken]);
        hearth__v1__queue_item__free_unpacked(l->items[l->taken], NULL);
    }
    if (l->call == NULL || r->greedy || r->seen < 2 || r->seen - 1 <= r->acked)
        return;
    Hearth__V1__ListenRequest ack = HEARTH__V1__LISTEN_REQUEST__INIT;
    ack.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_ACK_UP_TO;
    ack.ack_up_to = r->seen - 1;
    (void)hearth_queue_listen_push(l->call, &ack);
}

void resident_listen(struct resident *r, uint64_t ms)
{
    struct listening *l = calloc(1, sizeof *l);
    assert_non_null(l);
    start(r, l);
    for (uint64_t slice = 0; slice < ms; slice += SLICE_MS) {
        house_run_ms(r->house, SLICE_MS);
        take(r, l);
        if (l->call != NULL)
            continue;
        if (!resident_is_indefinite(r, l->code))
            fail_msg("Listen: %s", hearth_code_name(l->code));
        r->retries++;
        l->count = l->taken = 0;
        start(r, l);
    }
    if (l->call != NULL)
        hearth_client_call_cancel(l->call);
    while (l->call != NULL)
        house_run_ms(r->house, 1);
    take(r, l);
    free(l);
}
