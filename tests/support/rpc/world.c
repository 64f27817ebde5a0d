#include "support/rpc/world.h"

#include <stdio.h>

/* ---- server ---- */

static enum hearth_code run(world_handler *handler, struct world *w, struct hearth_call *call,
                            const ProtobufCMessage *in, ProtobufCMessage *out)
{
    Bench__EchoReply *reply = (Bench__EchoReply *)out;
    const Bench__EchoRequest *request = (const Bench__EchoRequest *)in;
    w->calls++;
    if (handler != NULL)
        return handler(w, call, request, reply);
    if (hearth_call_endpoint(call)->shape != HEARTH_UNARY)
        return HEARTH_UNIMPLEMENTED;
    reply->payload = request->payload;
    return HEARTH_OK;
}

static enum hearth_code invoke(struct hearth_call *call, const ProtobufCMessage *in,
                               ProtobufCMessage *out, const void *service, void *self)
{
    struct world *w = self;
    (void)service;
    return run(w->handler, w, call, in, out);
}

static enum hearth_code open_stream(struct hearth_call *call, const void *service, void *self)
{
    struct world *w = self;
    (void)service;
    return w->opener != NULL ? w->opener(w, call, NULL, NULL) : HEARTH_LATER;
}

int world_write(struct hearth_call *call, size_t len)
{
    Bench__EchoReply item;
    bench__echo_reply__init(&item);
    item.payload.len = len;
    item.payload.data = calloc(1, len + 1);
    assert_non_null(item.payload.data);
    int result = hearth_call_write(call, &item.base);
    free(item.payload.data);
    return result;
}

static void count_cancel(struct hearth_call *call, void *arg)
{
    struct world *w = arg;
    (void)call;
    w->cancels++;
}

static void count_release(void *state)
{
    struct world *w = state;
    w->releases++;
}

void world_keep(struct world *w, struct hearth_call *call)
{
    w->call = call;
    hearth_call_on_cancel(call, count_cancel, w);
    hearth_call_set_state(call, w, count_release);
}

/* ---- life ---- */

void world_init(struct world *w)
{
    static const char *const paths[] = {"/t.T/Unary", "/t.T/ClientStream", "/t.T/ServerStream",
                                        "/t.T/Bidi"};
    *w = (struct world){.clock = {.now_us = 1000000}};
    rng_seeded_init(&w->seeded, 1);
    w->rng = rng_of_seeded(&w->seeded);
    for (int i = 0; i < WORLD_ROWS; i++) {
        w->rows[i] = (struct hearth_endpoint){
            .path = paths[i],
            .shape = (enum hearth_shape)i,
            .request_bytes = 1 << 20,
            .response_bytes = 1 << 20,
            .request = &bench__echo_request__descriptor,
            .response = &bench__echo_reply__descriptor,
            .invoke = invoke,
            .open = open_stream,
        };
    }
    w->service =
        (struct hearth_service){.name = "t.T", .endpoints = w->rows, .endpoint_count = WORLD_ROWS};
    w->server_options.no_health = true;
    w->loop = loop_new_stepped(&w->clock, &w->rng);
    assert_non_null(w->loop);
}

void world_start_server(struct world *w)
{
    w->server = hearth_server_new(&w->server_options);
    assert_non_null(w->server);
    assert_true(hearth_server_add(w->server, &w->service, NULL, w));
    assert_true(hearth_server_listen(w->server, "pipe:test", NULL));
    assert_true(hearth_server_start_on(w->server, w->loop));
}

void world_stop_server(struct world *w)
{
    hearth_server_free(w->server);
    w->server = NULL;
}

void world_start(struct world *w)
{
    world_start_server(w);
    memcpy(w->client_rows, w->rows, sizeof w->rows);
    w->channel_options.loop = w->loop;
    w->channel = hearth_channel_new("pipe:test", &w->channel_options);
    assert_non_null(w->channel);
}

void world_end(struct world *w)
{
    hearth_channel_free(w->channel);
    hearth_server_free(w->server);
    hearth_loop_free(w->loop);
}

void world_run_ms(struct world *w, uint64_t ms)
{
    loop_run_until(w->loop, w->clock.now_us + ms * 1000);
}

void world_settle(struct world *w)
{
    while (loop_step(w->loop))
        ;
}

/* ---- client ---- */

static void on_headers(struct hearth_client_call *call, void *arg)
{
    struct outcome *o = arg;
    assert_ptr_equal(call, o->call);
    o->headers++;
}

static void on_message(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg)
{
    struct outcome *o = arg;
    const Bench__EchoReply *reply = (const Bench__EchoReply *)item;
    assert_ptr_equal(call, o->call);
    o->items++;
    o->bytes += reply->payload.len;
    if (o->on_message != NULL)
        o->on_message(o);
}

static void on_writable(struct hearth_client_call *call, void *arg)
{
    struct outcome *o = arg;
    assert_ptr_equal(call, o->call);
    o->writables++;
}

static void on_over(struct outcome *o, const struct hearth_status *status)
{
    o->done++;
    o->call = NULL;
    o->code = status->code;
    o->done_us = o->world->clock.now_us;
    (void)snprintf(o->message, sizeof o->message, "%s",
                   status->message != NULL ? status->message : "");
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    (void)call;
    on_over(arg, status);
}

static void on_unary_done(const struct hearth_status *status, const ProtobufCMessage *out,
                          void *arg)
{
    struct outcome *o = arg;
    if (out != NULL) {
        o->items++;
        o->bytes += ((const Bench__EchoReply *)out)->payload.len;
    }
    assert_true((out != NULL) == (status->code == HEARTH_OK));
    on_over(o, status);
}

static const struct hearth_stream_events events = {on_headers, on_message, on_writable, on_done};

static void fill(Bench__EchoRequest *in, size_t len)
{
    bench__echo_request__init(in);
    in->payload.len = len;
    in->payload.data = calloc(1, len + 1);
    assert_non_null(in->payload.data);
}

void world_open(struct world *w, int row, const struct hearth_call_options *options,
                struct outcome *o)
{
    o->world = w;
    o->call = hearth_channel_open(w->channel, &w->client_rows[row], options, &events, o);
    assert_non_null(o->call);
}

int outcome_write(struct outcome *o, size_t len)
{
    Bench__EchoRequest in;
    if (o->call == NULL)
        return -1;
    fill(&in, len);
    int result = hearth_client_call_write(o->call, &in.base);
    free(in.payload.data);
    return result;
}

void world_call(struct world *w, int row, size_t len, const struct hearth_call_options *options,
                struct outcome *o)
{
    o->world = w;
    if (w->client_rows[row].shape != HEARTH_UNARY) {
        world_open(w, row, options, o);
        (void)outcome_write(o, len);
        if (o->call != NULL)
            hearth_client_call_half_close(o->call);
        return;
    }
    Bench__EchoRequest in;
    fill(&in, len);
    o->call =
        hearth_channel_start(w->channel, &w->client_rows[row], options, &in.base, on_unary_done, o);
    free(in.payload.data);
    assert_non_null(o->call);
}

bool world_try(struct world *w, int row, const struct hearth_call_options *options,
               const Bench__EchoRequest *in, struct outcome *o)
{
    const struct hearth_endpoint *endpoint = &w->client_rows[row];
    o->world = w;
    if (endpoint->shape == HEARTH_UNARY) {
        o->call = hearth_channel_start(w->channel, endpoint, options, &in->base, on_unary_done, o);
        return o->call != NULL;
    }
    o->call = hearth_channel_open(w->channel, endpoint, options, &events, o);
    if (o->call == NULL)
        return false;
    (void)hearth_client_call_write(o->call, &in->base);
    hearth_client_call_half_close(o->call);
    return true;
}

enum hearth_code world_wait(struct world *w, struct outcome *o, uint64_t ms)
{
    uint64_t until_us = w->clock.now_us + ms * 1000;
    while (o->done == 0 && w->clock.now_us < until_us) {
        uint64_t due_us = timers_next_due_us(&w->loop->env.timers);
        if (!loop_step(w->loop))
            w->clock.now_us = due_us < until_us ? due_us : until_us;
    }
    if (o->done != 1)
        fail_msg("the call ended %u times", o->done);
    return o->code;
}

enum hearth_code world_echo(struct world *w, size_t len)
{
    struct outcome o = {0};
    world_call(w, WORLD_UNARY, len, NULL, &o);
    enum hearth_code code = world_wait(w, &o, 60000);
    if (code == HEARTH_OK)
        assert_int_equal(o.bytes, len);
    return code;
}
