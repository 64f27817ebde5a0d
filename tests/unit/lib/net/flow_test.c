/* Flow control, pause and resume, caps, interceptors, metadata, in a world with a fake clock. */
#include "rpc/call.h"
#include "support/rpc/world.h"

static enum hearth_code take(struct world *w, struct hearth_call *call,
                             const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)out;
    if (w->call == NULL)
        world_keep(w, call);
    if (in == NULL)
        return HEARTH_OK;
    w->bytes += in->payload.len;
    return HEARTH_LATER;
}

static enum hearth_code take_and_pause(struct world *w, struct hearth_call *call,
                                       const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    hearth_call_pause(call);
    return take(w, call, in, out);
}

/* A paused handler stops the sender; what is held for it is at most the window. */
static void a_slow_handler_stops_the_sender(void **state)
{
    (void)state;
    enum { ITEM = 1000, MOST = 10000 };
    struct world w;
    struct outcome o = {0};
    size_t sent = 0;
    world_init(&w);
    w.handler = take_and_pause;
    world_start(&w);
    world_open(&w, WORLD_CLIENT_STREAM, NULL, &o);
    int more = 1;
    for (; sent < MOST && more == 1; sent++) {
        more = outcome_write(&o, ITEM);
        world_settle(&w);
    }
    assert_int_equal(more, 0);
    assert_in_range(w.call->held.len, 1, 65536);
    assert_true(w.call->held.cap <= 65536);
    /* the window and the client's own buffer, no more */
    assert_in_range(sent, 100, 140);
    assert_int_equal(w.bytes, ITEM);
    unsigned resumes = 0;
    while (w.bytes < sent * ITEM && resumes < MOST) {
        hearth_call_resume(w.call);
        world_settle(&w);
        resumes++;
    }
    assert_int_equal(resumes, sent - 1); /* one message each */
    assert_int_equal(o.writables, 1);
    hearth_client_call_half_close(o.call);
    hearth_call_resume(w.call);
    assert_int_equal(world_wait(&w, &o, 100), HEARTH_OK);
    world_end(&w);
}

static void count_writable(struct hearth_call *call, void *arg)
{
    struct world *w = arg;
    w->writables++;
    while (w->bytes < 3000000) {
        int result = world_write(call, 1000);
        w->bytes += 1000;
        if (result != 1)
            return;
    }
    hearth_call_finish(call, HEARTH_OK);
}

static enum hearth_code write_much(struct world *w, struct hearth_call *call,
                                   const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)out;
    if (in == NULL)
        return HEARTH_LATER;
    world_keep(w, call);
    hearth_call_on_writable(call, count_writable, w);
    count_writable(call, w);
    return HEARTH_LATER;
}

static enum hearth_code write_deaf(struct world *w, struct hearth_call *call,
                                   const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)out;
    if (in == NULL)
        return HEARTH_LATER;
    while (world_write(call, 1000) >= 0) {
        w->bytes += 1000;
        assert_true(w->bytes < 10000000);
    }
    return HEARTH_LATER;
}

/* A handler that does not listen to "wait" is ended before it has filled the memory. */
static void a_deaf_handler_is_ended(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.handler = write_deaf;
    w.channel_options.stream_window_bytes = 65536;
    world_start(&w);
    world_open(&w, WORLD_BIDI, NULL, &o);
    outcome_write(&o, 1);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_RESOURCE_EXHAUSTED);
    assert_in_range(w.bytes, 1000000, 3000000);
    world_end(&w);
}

/* A client that pauses stops the handler; nobody holds more than a window and a buffer. */
static void a_slow_client_stops_the_handler(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.handler = write_much;
    w.channel_options.stream_window_bytes = 65536;
    world_start(&w);
    world_open(&w, WORLD_BIDI, NULL, &o);
    hearth_client_call_pause(o.call);
    outcome_write(&o, 1);
    world_settle(&w);
    assert_int_equal(o.items, 0);
    assert_in_range(outbox_waiting(&w.call->out), 60000, 70000);
    assert_in_range(w.bytes, 100000, 140000);
    hearth_client_call_resume(o.call);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_OK);
    assert_int_equal(o.bytes, 3000000);
    assert_true(w.writables > 20);
    world_end(&w);
}

/* One that never reads is cut after a while, and so is its memory. */
static void one_who_never_reads_is_given_up(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.handler = write_much;
    w.channel_options.stream_window_bytes = 65536;
    w.server_options.limits.unread_ms = 3000;
    world_start(&w);
    world_open(&w, WORLD_BIDI, NULL, &o);
    hearth_client_call_pause(o.call);
    outcome_write(&o, 1);
    world_run_ms(&w, 2900);
    assert_int_equal(w.cancels, 0);
    world_run_ms(&w, 2200);
    assert_int_equal(w.cancels, 1);
    assert_int_equal(w.releases, 1);
    if (o.call != NULL)
        hearth_client_call_resume(o.call);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_CANCELLED);
    world_end(&w);
}

/* A body that dawdles. */
static void slow_bodies_are_ended(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.rows[WORLD_CLIENT_STREAM].shape = HEARTH_UNARY;
    w.server_options.limits.slow_body_ms = 2000;
    world_start(&w);
    w.client_rows[WORLD_CLIENT_STREAM].shape = HEARTH_CLIENT_STREAM; /* so that it can dawdle */
    world_open(&w, WORLD_CLIENT_STREAM, NULL, &o);
    world_run_ms(&w, 1500);
    assert_int_equal(o.done, 0);
    assert_int_equal(world_wait(&w, &o, 3000), HEARTH_DEADLINE_EXCEEDED);
    assert_int_equal(w.calls, 0);
    world_end(&w);
}

/* EchoRequest of n payload bytes takes n + 1 + its length varint. */
static size_t packed(size_t payload)
{
    return payload == 0 ? 0 : payload + (payload < 128 ? 2 : payload < 16384 ? 3 : 4);
}

static void caps_hold_to_the_byte(void **state)
{
    (void)state;
    enum { PAYLOAD = 5000 };
    for (int over = -1; over <= 1; over++) {
        struct world w;
        struct outcome o = {0};
        world_init(&w);
        w.rows[WORLD_UNARY].request_bytes = (uint32_t)packed(PAYLOAD);
        world_start(&w);
        w.client_rows[WORLD_UNARY].request_bytes = 1 << 20; /* a client that doesn't care */
        world_call(&w, WORLD_UNARY, (size_t)(PAYLOAD + over), NULL, &o);
        enum hearth_code want = over > 0 ? HEARTH_RESOURCE_EXHAUSTED : HEARTH_OK;
        assert_int_equal(world_wait(&w, &o, 1000), want);
        world_end(&w);
    }
    for (int over = -1; over <= 1; over++) {
        struct world w;
        struct outcome o = {0};
        world_init(&w);
        world_start(&w);
        struct hearth_call_options options = {.max_recv_bytes = (uint32_t)packed(PAYLOAD)};
        world_call(&w, WORLD_UNARY, (size_t)(PAYLOAD + over), &options, &o);
        enum hearth_code want = over > 0 ? HEARTH_RESOURCE_EXHAUSTED : HEARTH_OK;
        assert_int_equal(world_wait(&w, &o, 1000), want);
        world_end(&w);
    }
}

/* ---- interceptors ---- */

struct guard {
    enum hearth_code on_headers, on_message;
    unsigned headers, messages, ends;
    enum hearth_code ended_with;
    struct hearth_call *thinking;
    bool at_once; /* says "continue" before it says "later" */
    enum hearth_code verdict;
};

static enum hearth_code guard_headers(struct hearth_call *call, void *self)
{
    struct guard *g = self;
    (void)call;
    g->headers++;
    return g->on_headers;
}

static enum hearth_code guard_message(struct hearth_call *call, const uint8_t *bytes, size_t len,
                                      size_t number, void *self)
{
    struct guard *g = self;
    assert_int_equal(number, g->messages);
    assert_true(len == 0 || bytes != NULL);
    g->messages++;
    if (g->on_message == HEARTH_LATER)
        g->thinking = call;
    if (g->at_once)
        hearth_call_continue(call, g->verdict);
    return g->on_message;
}

static void guard_end(struct hearth_call *call, enum hearth_code code, void *self)
{
    struct guard *g = self;
    (void)call;
    g->ends++;
    g->ended_with = code;
}

static void guarded(struct world *w, struct guard *g, struct hearth_interceptor out[1])
{
    world_init(w);
    out[0] = (struct hearth_interceptor){
        .on_headers = guard_headers, .on_message = guard_message, .on_end = guard_end, .self = g};
    w->server_options.interceptors = out;
    w->server_options.interceptor_count = 1;
    world_start(w);
}

static void interceptors_refuse(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        struct world w;
        struct guard g = {0};
        struct hearth_interceptor i[1];
        if (which == 1)
            g.on_headers = HEARTH_UNAUTHENTICATED;
        if (which == 2)
            g.on_message = HEARTH_PERMISSION_DENIED;
        guarded(&w, &g, i);
        enum hearth_code want = which == 0   ? HEARTH_OK
                                : which == 1 ? HEARTH_UNAUTHENTICATED
                                             : HEARTH_PERMISSION_DENIED;
        assert_int_equal(world_echo(&w, 10), want);
        assert_int_equal(w.calls, which == 0 ? 1 : 0);
        assert_int_equal(g.headers, 1);
        assert_int_equal(g.messages, which == 1 ? 0 : 1);
        assert_int_equal(g.ends, 1);
        assert_int_equal(g.ended_with, want);
        world_end(&w);
    }
}

enum { GO_ON, REFUSE, CANCEL_THEN_GO_ON, DEADLINE_THEN_GO_ON, CUT_THEN_GO_ON, WAYS };

static void interceptors_think(void **state)
{
    (void)state;
    static const enum hearth_code want[WAYS] = {HEARTH_OK, HEARTH_ABORTED, HEARTH_CANCELLED,
                                                HEARTH_DEADLINE_EXCEEDED, HEARTH_UNAVAILABLE};
    for (int row = WORLD_UNARY; row <= WORLD_CLIENT_STREAM; row++) {
        for (int way = 0; way < WAYS; way++) {
            struct world w;
            struct guard g = {.on_message = HEARTH_LATER};
            struct hearth_interceptor i[1];
            struct outcome o = {0};
            struct hearth_call_options options = {.deadline_ms = 1000};
            guarded(&w, &g, i);
            w.handler = row == WORLD_UNARY ? NULL : take;
            world_call(&w, row, 10, &options, &o);
            world_settle(&w);
            assert_non_null(g.thinking);
            assert_int_equal(w.calls, 0);
            if (way == CANCEL_THEN_GO_ON)
                hearth_client_call_cancel(o.call);
            else if (way == DEADLINE_THEN_GO_ON)
                world_run_ms(&w, 1000);
            else if (way == CUT_THEN_GO_ON)
                pipe_cut_all(w.loop);
            world_settle(&w);
            assert_int_equal(g.ends, 0); /* it is held */
            hearth_call_continue(g.thinking, way == REFUSE ? HEARTH_ABORTED : HEARTH_OK);
            assert_int_equal(world_wait(&w, &o, 1000), want[way]);
            world_settle(&w);
            assert_int_equal(g.ends, 1);
            assert_int_equal(w.calls, way == GO_ON ? (row == WORLD_UNARY ? 1 : 2) : 0);
            world_end(&w);
        }
    }
}

static void an_interceptor_that_knows_at_once(void **state)
{
    (void)state;
    static const enum hearth_code verdicts[] = {HEARTH_OK, HEARTH_PERMISSION_DENIED};
    for (int i = 0; i < 2; i++) {
        struct world w;
        struct guard g = {.on_message = HEARTH_LATER, .at_once = true, .verdict = verdicts[i]};
        struct hearth_interceptor interceptor[1];
        guarded(&w, &g, interceptor);
        assert_int_equal(world_echo(&w, 10), verdicts[i]);
        assert_int_equal(w.calls, verdicts[i] == HEARTH_OK ? 1 : 0);
        world_end(&w);
    }
}

/* ---- metadata ---- */

static enum hearth_code give_back(struct world *w, struct hearth_call *call,
                                  const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    const uint8_t *value;
    size_t len;
    (void)w;
    (void)in;
    (void)out;
    for (size_t n = 0; hearth_call_metadata(call, "x-raw-bin", n, &value, &len); n++)
        assert_true(hearth_call_add_trailer(call, "y-raw-bin", value, len));
    if (hearth_call_metadata(call, "x-text", 0, &value, &len))
        assert_true(hearth_call_add_header(call, "y-text", value, len));
    assert_false(hearth_call_add_header(call, "Upper", "x", 1));
    assert_false(hearth_call_add_header(call, "grpc-status", "0", 1));
    assert_false(hearth_call_add_header(call, "content-type", "x", 1));
    assert_false(hearth_call_add_header(call, "line", "a\nb", 3));
    size_t added = 0;
    while (hearth_call_add_trailer(call, "many", "1", 1))
        added++;
    assert_in_range(added, 10, 20);
    return HEARTH_OK;
}

static void metadata_goes_both_ways(void **state)
{
    (void)state;
    struct world w;
    struct hearth_status status;
    ProtobufCMessage *out = NULL;
    Bench__EchoRequest in;
    const uint8_t *value;
    size_t len;
    uint8_t raw[256];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)i;
    struct hearth_metadata metadata[] = {{"x-raw-bin", raw, sizeof raw},
                                         {"x-raw-bin", "", 0},
                                         {"x-raw-bin", raw, 1},
                                         {"x-text", "  some text ", 12}};
    struct hearth_call_options options = {.metadata = metadata, .metadata_count = 4};
    bench__echo_request__init(&in);
    world_init(&w);
    w.handler = give_back;
    world_start(&w);
    assert_int_equal(
        hearth_channel_call(w.channel, &w.rows[WORLD_UNARY], &options, &in.base, &out, &status),
        HEARTH_OK);
    assert_true(hearth_status_metadata(&status, "y-raw-bin", 0, &value, &len));
    assert_int_equal(len, sizeof raw);
    assert_memory_equal(value, raw, sizeof raw);
    assert_true(hearth_status_metadata(&status, "y-raw-bin", 1, &value, &len));
    assert_int_equal(len, 0);
    assert_true(hearth_status_metadata(&status, "y-raw-bin", 2, &value, &len));
    assert_int_equal(len, 1);
    assert_false(hearth_status_metadata(&status, "y-raw-bin", 3, &value, &len));
    assert_true(hearth_status_metadata(&status, "y-text", 0, &value, &len));
    assert_int_equal(len, 9);
    assert_memory_equal(value, "some text", 9);
    hearth_status_clear(&status);
    protobuf_c_message_free_unpacked(out, NULL);
    world_end(&w);
}

static void too_much_metadata_is_refused(void **state)
{
    (void)state;
    char text[9000];
    memset(text, 'a', sizeof text);
    for (size_t len = 7000; len <= 9000; len += 1000) {
        struct world w;
        struct outcome o = {0};
        struct hearth_metadata metadata = {"x-long", text, len};
        struct hearth_call_options options = {.metadata = &metadata, .metadata_count = 1};
        world_init(&w);
        world_start(&w);
        world_call(&w, WORLD_UNARY, 1, &options, &o);
        assert_int_equal(world_wait(&w, &o, 1000),
                         len > 7000 ? HEARTH_RESOURCE_EXHAUSTED : HEARTH_OK);
        assert_int_equal(world_echo(&w, 1), HEARTH_OK);
        world_end(&w);
    }
}

static void unfit_metadata_is_named_as_such(void **state)
{
    (void)state;
    static const struct hearth_metadata unfit[] = {{"X-Upper", "v", 1},
                                                   {"x-value", "a\nb", 3},
                                                   {"grpc-status", "0", 1},
                                                   {"te", "gzip", 4},
                                                   {"", "v", 1}};
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        for (int row = 0; row < WORLD_ROWS; row++) {
            struct world w;
            struct outcome o = {0};
            struct hearth_call_options options = {.metadata = &unfit[i], .metadata_count = 1};
            world_init(&w);
            world_start(&w);
            world_call(&w, row, 1, &options, &o);
            assert_int_equal(world_wait(&w, &o, 1000), HEARTH_INVALID_ARGUMENT);
            assert_non_null(strstr(o.message, "metadata"));
            assert_int_equal(w.calls, 0);
            world_end(&w);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_handler_stops_the_sender),
        cmocka_unit_test(a_slow_client_stops_the_handler),
        cmocka_unit_test(a_deaf_handler_is_ended),
        cmocka_unit_test(one_who_never_reads_is_given_up),
        cmocka_unit_test(slow_bodies_are_ended),
        cmocka_unit_test(caps_hold_to_the_byte),
        cmocka_unit_test(interceptors_refuse),
        cmocka_unit_test(interceptors_think),
        cmocka_unit_test(an_interceptor_that_knows_at_once),
        cmocka_unit_test(metadata_goes_both_ways),
        cmocka_unit_test(too_much_metadata_is_refused),
        cmocka_unit_test(unfit_metadata_is_named_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
