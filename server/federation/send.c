/* The courier's way to a peer: one signed Deliver. */
#include <stdio.h>
#include <stdlib.h>

#include "server/federation/inside.h"

enum { BATCH_ID_BYTES = 16, PAYLOAD_ID_BYTES = 16 };
/* federation.proto: what would fail there for its size is refused here */
enum { SEALED_MOST = 4259840, REF_LEAST = 64, REF_MOST = 512 };

struct sending {
    struct reach reach; /* first */
    struct peer *peer;  /* held */
    struct hearth_channel *channel;
    const struct courier_batch_row *rows;
    size_t count;
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes);
    void *arg;
    enum queue_outcome outcomes[]; /* count; those that are not 0 were not sent */
};

static void end(struct sending *s, struct err err, const char *text)
{
    struct federation *f = s->peer->federation;
    federation_lock(f);
    if (err_is_ok(err)) {
        s->peer->why[0] = '\0';
        s->peer->reached_us = federation_now_us(f);
    } else {
        peer_say(s->peer->why, err_text(err), text);
    }
    peer_put(s->peer);
    federation_unlock(f);
    s->done(s->arg, err, s->outcomes);
    free(s);
}

/* ---- the answer */

static enum queue_outcome outcome_of(Hearth__V1__DeliverOutcome outcome)
{
    switch (outcome) {
    case HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_OK:
        return QUEUE_OK;
    case HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_GONE:
        return QUEUE_GONE;
    case HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_REFUSED:
        return QUEUE_REFUSED;
    default:
        return QUEUE_LATER; /* values of a later version, too */
    }
}

static struct err take_outcomes(struct sending *s, const Hearth__V1__DeliverResponse *out)
{
    size_t at = 0;
    for (size_t i = 0; i < s->count; i++)
        at += s->outcomes[i] == 0;
    if (at != out->n_outcomes)
        return ERR(FEDERATION_ANSWER);
    at = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->outcomes[i] == 0)
            s->outcomes[i] = outcome_of(out->outcomes[at++]);
    return ERR_OK;
}

/* Who could not be reached answers, if only that it has to fetch our keys first: so it is there, as
 * its certificate says, and is not to wait for what its absence had us wait. Once for each absence:
 * who always answers no is asked ever more rarely. */
static void note_back(struct peer *peer, bool unreached)
{
    const struct federation_options *o = &peer->federation->options;
    if (peer->away && !unreached && o->contact != NULL && !peer->federation->stopped)
        o->contact(o->contact_self, bytes_str(peer->domain));
    peer->away = unreached;
}

static void on_answer(const struct hearth_status *status, const Hearth__V1__DeliverResponse *out,
                      void *arg)
{
    struct sending *s = arg;
    bool unreached = out == NULL && is_unreached(status->code);
    note_back(s->peer, unreached);
    if (out != NULL) {
        end(s, take_outcomes(s, out), NULL);
        return;
    }
    const char *text = status->message != NULL ? status->message : hearth_code_name(status->code);
    char said[PEER_WHY_BYTES]; /* "this homeserver" in it is the other one */
    (void)snprintf(said, sizeof said, "%s%s", unreached ? "" : "it says: ", text);
    if (unreached && !s->peer->federation->stopped)
        peer_unreach(s->peer, s->channel);
    end(s, ERR(FEDERATION_PEER), said);
}

/* ---- the request */

struct request {
    Hearth__V1__DeliverRequest message;
    Hearth__V1__DeliverRow *rows, **row_list;
    Hearth__V1__DeliverPayload *payloads, **payload_list;
    uint8_t (*ids)[PAYLOAD_ID_BYTES];
    uint8_t id[BATCH_ID_BYTES];
};

static void request_clear(struct request *q)
{
    free(q->rows);
    free(q->row_list);
    free(q->payloads);
    free(q->payload_list);
    free(q->ids);
}

static ProtobufCBinaryData view(struct bytes b)
{
    return (ProtobufCBinaryData){b.len, (uint8_t *)(uintptr_t)b.data};
}

/* The same in each repetition: a number of the origin's. */
static void payload_id(uint64_t number, uint8_t id[PAYLOAD_ID_BYTES])
{
    memset(id, 0, PAYLOAD_ID_BYTES);
    for (int i = 0; i < 8; i++)
        id[PAYLOAD_ID_BYTES - 1 - i] = (uint8_t)(number >> (8 * i));
}

static void add_row(struct request *q, const struct courier_batch_row *in, uint64_t *last)
{
    size_t p = q->message.n_payloads;
    if (p == 0 || *last != in->payload_id) { /* rows of one payload lie beside each other */
        hearth__v1__deliver_payload__init(&q->payloads[p]);
        payload_id(in->payload_id, q->ids[p]);
        q->payloads[p].payload_id = view(bytes_of(q->ids[p], PAYLOAD_ID_BYTES));
        q->payloads[p].sealed = view(in->payload);
        q->payload_list[p] = &q->payloads[p];
        q->message.n_payloads = ++p;
        *last = in->payload_id;
    }
    Hearth__V1__DeliverRow *row = &q->rows[q->message.n_rows];
    hearth__v1__deliver_row__init(row);
    row->sealed_reference = view(in->sealed_ref);
    row->payload = (uint32_t)(p - 1);
    row->sequence = in->sequence;
    row->notify = in->notify;
    row->quiet = in->quiet;
    row->control = in->control;
    q->row_list[q->message.n_rows++] = row;
}

static bool fits(const struct courier_batch_row *row)
{
    return row->payload.len > 0 && row->payload.len <= SEALED_MOST &&
           row->sealed_ref.len >= REF_LEAST && row->sealed_ref.len <= REF_MOST;
}

/* The rows are views: the channel has serialised them when start returns. */
static struct err request_make(struct sending *s, struct request *q)
{
    uint64_t last = 0;
    *q = (struct request){.rows = calloc(s->count, sizeof *q->rows),
                          .row_list = calloc(s->count, sizeof *q->row_list),
                          .payloads = calloc(s->count, sizeof *q->payloads),
                          .payload_list = calloc(s->count, sizeof *q->payload_list),
                          .ids = calloc(s->count, sizeof *q->ids)};
    if (q->rows == NULL || q->row_list == NULL || q->payloads == NULL || q->payload_list == NULL ||
        q->ids == NULL)
        return ERR(NO_MEMORY);
    hearth__v1__deliver_request__init(&q->message);
    TRY(rng_fill(s->peer->federation->env->rng, q->id, sizeof q->id));
    q->message.batch_id = view(bytes_of(q->id, sizeof q->id));
    q->message.rows = q->row_list;
    q->message.payloads = q->payload_list;
    for (size_t i = 0; i < s->count; i++) {
        s->outcomes[i] = fits(&s->rows[i]) ? (enum queue_outcome)0 : QUEUE_REFUSED;
        if (s->outcomes[i] == 0)
            add_row(q, &s->rows[i], &last);
    }
    return ERR_OK;
}

/* Nobody here speaks with that domain: for good, as far as these rows go. */
static void refuse_all(struct sending *s)
{
    for (size_t i = 0; i < s->count; i++)
        s->outcomes[i] = QUEUE_REFUSED;
    end(s, ERR_OK, NULL);
}

static void ready(struct reach *reach, struct peer *peer, struct err result)
{
    struct sending *s = (struct sending *)(void *)reach;
    struct request q = {.rows = NULL};
    if (result.code == ERR_FEDERATION_REFUSED) {
        refuse_all(s);
        return;
    }
    peer->away |= !err_is_ok(result); /* nobody knows where it is */
    if (err_is_ok(result))
        result = request_make(s, &q);
    bool any = err_is_ok(result) && q.message.n_rows > 0;
    if (any) {
        s->channel = peer->channel;
        const struct hearth_call_options options = {
            .deadline_ms = CALL_MS, .no_retry = true, .signer = signer_of(&peer->signing)};
        if (hearth_federation_deliver_start(peer->channel, &options, &q.message, on_answer, s) ==
            NULL) {
            result = ERR(NO_MEMORY);
            any = false;
        }
    }
    request_clear(&q);
    if (!any)
        end(s, result, NULL);
}

struct err send_batch(void *federation, struct bytes domain, const struct courier_batch_row *rows,
                      size_t count, struct inbox *inbox,
                      void (*done)(void *arg, struct err result,
                                   const enum queue_outcome *outcomes),
                      void *arg)
{
    struct federation *f = federation;
    (void)inbox; /* its loop is ours */
    struct sending *s = calloc(1, sizeof *s + count * sizeof s->outcomes[0]);
    if (s == NULL)
        return ERR(NO_MEMORY);
    *s = (struct sending){
        .reach.ready = ready, .rows = rows, .count = count, .done = done, .arg = arg};
    federation_lock(f);
    bool valid = err_is_ok(domain_check(domain, f->env->development));
    s->peer = valid ? peer_get(f, domain) : NULL;
    if (s->peer != NULL)
        s->peer->known = true; /* one of our users put it there */
    federation_unlock(f);
    if (s->peer == NULL) {
        for (size_t i = 0; i < count && !valid; i++)
            s->outcomes[i] = QUEUE_REFUSED;
        if (!valid)
            done(arg, ERR_OK, s->outcomes);
        free(s);
        return valid ? ERR(FEDERATION_BUSY) : ERR_OK;
    }
    peer_reach(s->peer, &s->reach);
    return ERR_OK;
}
