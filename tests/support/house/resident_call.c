/* Calls of a client: signed, waited for, repeated. */
#include <stdio.h>

#include "support/failing.h"
#include "support/house/resident.h"

/* Tries 50 ms apart: a minute, since a homeserver that was killed on a busy machine can take many
 * seconds to serve again. */
enum { TRIES = 1200, PATIENCE_MS = 60000 };

ProtobufCBinaryData resident_data(struct bytes view)
{
    return (ProtobufCBinaryData){view.len, (uint8_t *)(uintptr_t)view.data};
}

void resident_random(struct resident *r, void *out, size_t len)
{
    assert_ok(rng_fill(&r->house->rng, out, len));
}

void resident_id(struct resident *r, struct resident_id *id)
{
    resident_random(r, id->bytes, sizeof id->bytes);
    hearth__v1__idempotency__init(&id->message);
    id->message.id = resident_data(bytes_of(id->bytes, sizeof id->bytes));
}

static const struct hearth_endpoint *endpoint_of(const struct hearth_service *service,
                                                 const char *method)
{
    char path[100];
    (void)snprintf(path, sizeof path, "/%s/%s", service->name, method);
    for (size_t i = 0; i < service->endpoint_count; i++)
        if (strcmp(service->endpoints[i].path, path) == 0)
            return &service->endpoints[i];
    fail_msg("no method %s", method);
    return NULL;
}

static ProtobufCMessage *copy_of(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    (void)protobuf_c_message_pack(message, bytes);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, len, bytes);
    assert_non_null(copy);
    free(bytes);
    return copy;
}

/* For whoever kills the server: is there a call under way that changes something? */
static void count_writing(const struct resident_request *q, int by)
{
    bool reads =
        strstr(q->endpoint->path, "/Get") != NULL || strstr(q->endpoint->path, "/Dequeue") != NULL;
    if (q->resident->house->writing != NULL && !reads)
        atomic_fetch_add(q->resident->house->writing, (unsigned)by);
}

static void on_done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct resident_request *q = arg;
    struct hearth_status *last = &q->resident->last;
    test_pause_failing();
    hearth_status_clear(last);
    q->done = true;
    count_writing(q, -1);
    q->code = last->code = status->code;
    if (status->message != NULL)
        last->message = strdup(status->message);
    if (out != NULL)
        q->out = copy_of(out);
    test_resume_failing();
}

static void wait_for(struct resident *r, const bool *done)
{
    struct house *h = r->house->first; /* whose clock it is */
    uint64_t until_us = h->fake.now_us + PATIENCE_MS * UINT64_C(1000);
    while (!*done) { /* calls have a deadline: outside, too, this ends */
        if (house_step(h))
            continue;
        uint64_t due_us = timers_next_due_us(&h->loop->env.timers);
        assert_true(due_us < until_us); /* else it never ends */
        if (due_us > h->fake.now_us)
            h->fake.now_us = due_us;
    }
}

bool resident_is_indefinite(const struct resident *r, enum hearth_code code)
{
    return code == HEARTH_UNAVAILABLE || code == HEARTH_CANCELLED ||
           code == HEARTH_DEADLINE_EXCEEDED ||
           (code == HEARTH_RESOURCE_EXHAUSTED && r->house->scarce);
}

static struct hearth_channel *channel_to(struct resident *r, struct house *to)
{
    char target[64];
    size_t i = 0;
    if (to == r->house)
        return r->channel;
    while (i < RESIDENT_ABROAD && r->abroad[i].house != NULL && r->abroad[i].house != to)
        i++;
    assert_true(i < RESIDENT_ABROAD);
    if (r->abroad[i].house == NULL) {
        r->abroad[i].house = to;
        house_target(to, r->number, target);
        house_enter(to, target, &r->abroad[i].channel);
    }
    return r->abroad[i].channel;
}

static void start(struct resident_request *q)
{
    struct hearth_call_options options = {.no_retry = true, .deadline_ms = 30000};
    if (q->caller != NULL)
        options.signer = caller_signer(q->caller);
    q->done = false;
    count_writing(q, 1);
    assert_non_null(hearth_channel_start(channel_to(q->resident, q->to), q->endpoint, &options,
                                         q->in, on_done, q));
}

void resident_begin(struct resident *r, struct house *to, struct caller *caller,
                    const struct hearth_service *service, const char *method,
                    const ProtobufCMessage *in, struct resident_request *q)
{
    *q = (struct resident_request){
        .resident = r, .to = to, .caller = caller, .endpoint = endpoint_of(service, method)};
    q->in = copy_of(in);
    start(q);
}

/* The answer was lost on its way: what was done was done. */
static bool is_missed(struct resident_request *q)
{
    struct house *first = q->resident->house->first;
    if (first->miss_one_in == 0 || q->code != HEARTH_OK ||
        rng_seeded_next(&first->seeded) % first->miss_one_in != 0)
        return false;
    if (q->out != NULL)
        protobuf_c_message_free_unpacked(q->out, NULL);
    q->out = NULL;
    return true;
}

enum hearth_code resident_end(struct resident_request *q, ProtobufCMessage **out)
{
    struct resident *r = q->resident;
    int tries = 0;
    wait_for(r, &q->done);
    while (resident_is_indefinite(r, q->code) || is_missed(q)) {
        if (++tries == TRIES)
            fail_msg("%s: no definite answer, the last was %s", q->endpoint->path,
                     r->last.message != NULL ? r->last.message : "");
        r->retries++;
        house_run_ms(r->house, 50);
        start(q);
        wait_for(r, &q->done);
    }
    protobuf_c_message_free_unpacked(q->in, NULL);
    if (out != NULL)
        *out = q->out;
    else if (q->out != NULL)
        protobuf_c_message_free_unpacked(q->out, NULL);
    return q->code;
}

enum hearth_code resident_call_at(struct resident *r, struct house *to, struct caller *caller,
                                  const struct hearth_service *service, const char *method,
                                  const ProtobufCMessage *in, ProtobufCMessage **out)
{
    struct resident_request q;
    resident_begin(r, to, caller, service, method, in, &q);
    return resident_end(&q, out);
}

enum hearth_code resident_call(struct resident *r, struct caller *caller,
                               const struct hearth_service *service, const char *method,
                               const ProtobufCMessage *in, ProtobufCMessage **out)
{
    return resident_call_at(r, r->house, caller, service, method, in, out);
}
