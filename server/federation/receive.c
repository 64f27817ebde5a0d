/* Deliver: a peer's batch into our own queues, and nowhere else. */
#include <stdlib.h>

#include "server/federation/inside.h"

/* The request is gone when its call is cancelled, and the queue service reads on. */
struct receiving {
    struct federation *federation;
    struct peer *peer;        /* held */
    struct hearth_call *call; /* NULL: cancelled */
    struct buf bytes;
    size_t count;
    struct queue_row rows[];
};

static void done_with(struct federation *f, struct peer *peer)
{
    federation_lock(f);
    peer->receiving = false;
    peer_put(peer);
    federation_unlock(f);
}

static void end(struct receiving *r)
{
    done_with(r->federation, r->peer);
    buf_clear(&r->bytes);
    free(r);
}

static Hearth__V1__DeliverOutcome outcome_of(enum queue_outcome outcome)
{
    switch (outcome) {
    case QUEUE_OK:
        return HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_OK;
    case QUEUE_GONE:
        return HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_GONE;
    case QUEUE_REFUSED:
        return HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_REFUSED;
    default:
        return HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_LATER;
    }
}

static void on_accepted(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct receiving *r = arg;
    size_t refused = 0;
    for (size_t i = 0; i < r->count; i++)
        refused += outcomes[i] == QUEUE_REFUSED;
    peer_refused(r->peer, refused);
    if (r->call != NULL) {
        Hearth__V1__DeliverResponse out;
        hearth__v1__deliver_response__init(&out);
        out.outcomes = hearth_call_alloc(r->call, r->count * sizeof *out.outcomes);
        if (out.outcomes == NULL && err_is_ok(result))
            result = ERR(NO_MEMORY);
        for (size_t i = 0; i < r->count && err_is_ok(result); i++) {
            out.outcomes[i] = outcome_of(outcomes[i]);
            if (outcomes[i] == QUEUE_LATER)
                out.retry_after_s = 1;
        }
        out.n_outcomes = r->count;
        if (err_is_ok(result))
            hearth_federation_deliver_reply(r->call, &out);
        else
            (void)front_fail(r->call, result);
    }
    end(r);
}

static void on_cancel(struct hearth_call *call, void *arg)
{
    struct receiving *r = arg;
    r->call = NULL;
    (void)hearth_call_fail(call, HEARTH_CANCELLED, "cancelled");
}

/* The rows with copies of what they point to; each payload once. ERR_ARGUMENT: a row names a
 * payload that is not there. */
static struct err copy_rows(struct receiving *r, const Hearth__V1__DeliverRequest *in)
{
    size_t len = 0, at = 0;
    if (in->n_payloads == 0) /* the row's rules say so too */
        return ERR(ARGUMENT);
    for (size_t i = 0; i < in->n_payloads; i++)
        len += in->payloads[i]->sealed.len;
    for (size_t i = 0; i < in->n_rows; i++) {
        if (in->rows[i]->payload >= in->n_payloads)
            return ERR(ARGUMENT);
        len += in->rows[i]->sealed_reference.len;
    }
    size_t *starts = calloc(in->n_payloads, sizeof *starts);
    uint8_t *room = buf_extend(&r->bytes, len);
    if (starts == NULL || room == NULL) {
        free(starts);
        return ERR(NO_MEMORY);
    }
    for (size_t i = 0; i < in->n_payloads; i++) {
        starts[i] = at;
        memcpy(room + at, in->payloads[i]->sealed.data, in->payloads[i]->sealed.len);
        at += in->payloads[i]->sealed.len;
    }
    for (size_t i = 0; i < in->n_rows; i++) {
        const Hearth__V1__DeliverRow *row = in->rows[i];
        memcpy(room + at, row->sealed_reference.data, row->sealed_reference.len);
        r->rows[i] =
            (struct queue_row){.sealed_ref = bytes_of(room + at, row->sealed_reference.len),
                               .payload = bytes_of(room + starts[row->payload],
                                                   in->payloads[row->payload]->sealed.len),
                               .sequence = row->sequence,
                               .notify = row->notify,
                               .quiet = row->quiet,
                               .control = row->control};
        at += row->sealed_reference.len;
    }
    free(starts);
    return ERR_OK;
}

/* One batch of a peer at a time: a reference must not be in two (queue.h). */
static struct err begin(struct federation *f, struct bytes domain, struct peer **ret_peer,
                        uint32_t *ret_wait_s)
{
    struct err err = ERR(FEDERATION_BUSY);
    federation_lock(f);
    uint64_t now_us = federation_now_us(f);
    struct peer *peer = peer_get(f, domain);
    *ret_wait_s = 1;
    if (peer != NULL && (peer->receiving || peer->put_off_us > now_us)) {
        if (peer->put_off_us > now_us)
            *ret_wait_s = (uint32_t)((peer->put_off_us - now_us + 999999) / 1000000);
        peer_put(peer);
    } else if (peer != NULL) {
        peer->receiving = true;
        peer->known = true;
        peer->heard_us = now_us;
        *ret_peer = peer;
        err = ERR_OK;
    }
    federation_unlock(f);
    return err;
}

static enum hearth_code start(struct receiving *r, const Hearth__V1__DeliverRequest *in)
{
    struct federation *f = r->federation;
    struct hearth_call *call = r->call;
    const struct front_caller *caller = front_caller(call);
    struct inbox *inbox = NULL;
    struct err err = copy_rows(r, in);
    if (err.code == ERR_ARGUMENT)
        peer_malformed(r->peer);
    if (err_is_ok(err))
        err = front_inbox(f->env->front, hearth_call_loop(call), &inbox);
    if (err_is_ok(err)) {
        hearth_call_on_cancel(call, on_cancel, r);
        err = queue_accept(f->options.queue, caller->id, r->rows, r->count, inbox, on_accepted, r);
    }
    if (err_is_ok(err))
        return HEARTH_LATER;
    enum hearth_code code = front_fail(call, err);
    end(r);
    return code;
}

enum hearth_code receive_deliver(struct hearth_call *call, const Hearth__V1__DeliverRequest *in,
                                 Hearth__V1__DeliverResponse *out, void *federation)
{
    struct federation *f = federation;
    const struct front_caller *caller = front_caller(call);
    struct peer *peer = NULL;
    (void)out;
    if (!caller->verified)
        return stranger_deliver(f, call, in);
    if (f->options.contact != NULL)
        f->options.contact(f->options.contact_self, caller->id);
    uint32_t wait_s;
    struct err err = begin(f, caller->id, &peer, &wait_s);
    if (!err_is_ok(err))
        return front_fail_later(call, err, wait_s);
    enum hearth_code code = peer_charge(peer, call, in);
    struct receiving *r =
        code == HEARTH_OK ? calloc(1, sizeof *r + in->n_rows * sizeof r->rows[0]) : NULL;
    if (r == NULL) {
        done_with(f, peer);
        return code == HEARTH_OK ? front_fail(call, ERR(NO_MEMORY)) : code;
    }
    r->federation = f;
    r->peer = peer;
    r->call = call;
    r->count = in->n_rows;
    return start(r, in);
}

enum hearth_code receive_probe(struct hearth_call *call, const Hearth__V1__ProbeRequest *in,
                               Hearth__V1__ProbeResponse *out, void *federation)
{
    struct federation *f = federation;
    const struct front_caller *caller = front_caller(call);
    if (!caller->verified)
        return front_fail(call, ERR(FRONT_UNAUTHENTICATED));
    if (f->options.contact != NULL)
        f->options.contact(f->options.contact_self, caller->id);
    federation_lock(f);
    struct peer *peer = peer_get(f, caller->id);
    if (peer != NULL) {
        peer->heard_us = federation_now_us(f);
        if (in->dial_back)
            peer_want_keys(peer);
        out->dials = peer->fetches;
        out->dial_error = hearth_call_printf(call, "%s", peer->fetch_why);
        peer_put(peer);
    }
    federation_unlock(f);
    out->time_ms = clock_unix_ms(f->env->clock);
    return peer != NULL && out->dial_error != NULL ? HEARTH_OK : front_fail(call, ERR(NO_MEMORY));
}
