/* Listen: start, then items one way and acknowledgements the other (desk.h). */
#include "server/queue/desk.h"
#include "server/queue/job.h"
#include "server/queue/state.h"

/* Where a listener begins. */
struct starting {
    struct listener *l;
    uint64_t wanted, client;
    struct queue_state state;
};

static struct err run_start(struct store_txn *txn, void *arg)
{
    struct starting *s = arg;
    struct queue *q = s->l->desk->q;
    struct queue_client client;
    TRY(queue_client_by_id(txn, q, bytes_of(s->l->id, sizeof s->l->id), &client));
    s->client = client.row;
    queue_client_clear(&client);
    return queue_state_get(txn, q, s->client, &s->state);
}

static struct err start(struct starting *s, struct err result)
{
    struct listener *l = s->l;
    if (result.code == ERR_NOT_FOUND)
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(result);
    if (s->wanted > s->state.ratchet.sequence)
        return ERR(QUEUE_SEQUENCE); /* the client knows of more than we do: say so, loudly */
    uint64_t from = s->wanted > s->state.acked_end ? s->wanted : s->state.acked_end;
    desk_start(l, s->client, from, s->state.delivered_end);
    desk_look(l);
    desk_read(l->desk);
    if (l->ack_up_to != 0 || s->state.active_day < queue_now_s(l->desk->q) / QUEUE_DAY_S)
        desk_acknowledge(l);
    return ERR_OK;
}

static void start_done(void *arg, struct err result)
{
    struct starting *s = arg;
    struct listener *l = s->l;
    struct queue *q = l->desk->q;
    l->starting = false;
    if (l->call != NULL) {
        struct err err = start(s, result);
        if (!err_is_ok(err))
            desk_end_listener(l, err);
    }
    listener_unref(l);
    queue_state_clear(&s->state);
    bytes_wipe(s, sizeof *s); /* ME4 */
    free(s);
    queue_unref(q);
}

static struct err begin(struct queue *q, struct hearth_call *call, uint64_t from)
{
    const struct front_caller *caller = front_caller(call);
    struct desk *desk;
    struct listener *l;
    TRY(desk_of(q->desks, hearth_call_loop(call), &desk));
    struct starting *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR(NO_MEMORY);
    struct err err = desk_add(desk, call, caller->id, &l);
    if (!err_is_ok(err)) {
        free(s);
        return err;
    }
    s->l = l;
    s->wanted = from;
    struct store_work work = {
        .principal = caller->principal, .cost = 1, .run = run_start, .done = start_done, .arg = s};
    err = queue_read(q, desk->inbox, &work);
    if (!err_is_ok(err)) {
        free(s);
        return err; /* the call ends and takes the listener along */
    }
    queue_ref(q);
    l->starting = true;
    listener_ref(l);
    return ERR_OK;
}

enum hearth_code queue_listen_call(struct hearth_call *call, const Hearth__V1__ListenRequest *in,
                                   void *self)
{
    struct listener *l = hearth_call_state(call);
    if (in == NULL)
        return HEARTH_OK;
    bool is_start = in->step_case == HEARTH__V1__LISTEN_REQUEST__STEP_START;
    bool is_ack = in->step_case == HEARTH__V1__LISTEN_REQUEST__STEP_ACK_UP_TO;
    if (is_start == (l != NULL) || is_ack != (l != NULL))
        return front_fail(call, ERR(QUEUE_STEP));
    if (is_start) {
        struct err err = begin(self, call, in->start->from_sequence);
        return err_is_ok(err) ? HEARTH_LATER : front_fail(call, err);
    }
    if (in->ack_up_to > l->ack_up_to) {
        l->ack_up_to = in->ack_up_to;
        if (l->started)
            desk_acknowledge(l);
    }
    return HEARTH_LATER;
}
