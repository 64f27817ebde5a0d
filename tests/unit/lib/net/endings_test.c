/* Every ending of a call, seen from both sides, in a world with a fake clock. */
#include "net/server.h"
#include "support/rpc/world.h"

static enum hearth_code keep(struct world *w, struct hearth_call *call,
                             const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)out;
    if (w->call == NULL)
        world_keep(w, call);
    w->bytes += in != NULL ? in->payload.len : 0;
    return HEARTH_LATER;
}

static enum hearth_code refuse(struct world *w, struct hearth_call *call,
                               const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)w;
    (void)in;
    (void)out;
    return hearth_call_fail(call, HEARTH_NOT_FOUND, "no %s: \xc3\xa9 100%%", "such thing");
}

static void begin(struct world *w, struct outcome *o, int row,
                  const struct hearth_call_options *options)
{
    world_init(w);
    w->handler = keep;
    world_start(w);
    world_call(w, row, 10, options, o);
    world_settle(w);
    assert_int_equal(w->calls > 0, 1);
    assert_int_equal(o->done, 0);
}

static void reply(struct world *w, size_t len)
{
    Bench__EchoReply out;
    bench__echo_reply__init(&out);
    out.payload.len = len;
    out.payload.data = calloc(1, len + 1);
    hearth_call_reply(w->call, &out.base);
    free(out.payload.data);
}

static void the_handler_fails(void **state)
{
    (void)state;
    for (int row = 0; row < WORLD_ROWS; row++) {
        struct world w;
        struct outcome o = {0};
        world_init(&w);
        w.handler = refuse;
        world_start(&w);
        world_call(&w, row, 10, NULL, &o);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_NOT_FOUND);
        assert_string_equal(o.message, "no such thing: \xc3\xa9 100%");
        world_end(&w);
    }
}

static void a_later_reply_arrives(void **state)
{
    (void)state;
    for (int row = WORLD_UNARY; row <= WORLD_CLIENT_STREAM; row++) {
        struct world w;
        struct outcome o = {0};
        begin(&w, &o, row, NULL);
        world_run_ms(&w, 500);
        reply(&w, 123);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_OK);
        assert_int_equal(o.bytes, 123);
        assert_int_equal(w.cancels, 0);
        assert_int_equal(w.releases, 1);
        world_end(&w);
    }
}

static void a_stream_is_finished_later(void **state)
{
    (void)state;
    for (int row = WORLD_SERVER_STREAM; row <= WORLD_BIDI; row++) {
        struct world w;
        struct outcome o = {0};
        begin(&w, &o, row, NULL);
        assert_int_equal(world_write(w.call, 7), 1);
        assert_int_equal(world_write(w.call, 8), 1);
        world_settle(&w);
        assert_int_equal(o.items, 2);
        assert_int_equal(o.headers, 1);
        hearth_call_finish(w.call, HEARTH_OK);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_OK);
        assert_int_equal(o.bytes, 15);
        assert_int_equal(w.releases, 1);
        assert_int_equal(w.cancels, 0);
        world_end(&w);
    }
}

/* The client gives up; the unary handler owns its call until it answers. */
static void the_client_cancels(void **state)
{
    (void)state;
    for (int row = 0; row < WORLD_ROWS; row++) {
        struct world w;
        struct outcome o = {0};
        begin(&w, &o, row, NULL);
        hearth_client_call_cancel(o.call);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_CANCELLED);
        world_settle(&w);
        assert_int_equal(w.cancels, 1);
        assert_int_equal(w.releases, row == WORLD_UNARY ? 0 : 1);
        if (row == WORLD_UNARY) {
            assert_true(hearth_call_is_cancelled(w.call));
            reply(&w, 1); /* nobody hears it, and it ends the call's life */
            assert_int_equal(w.releases, 1);
        }
        w.handler = NULL;
        assert_int_equal(world_echo(&w, 5), HEARTH_OK);
        world_end(&w);
    }
}

static void cancelled_before_anything_was_sent(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.handler = keep;
    world_start(&w);
    world_call(&w, WORLD_UNARY, 10, NULL, &o);
    hearth_client_call_cancel(o.call);
    hearth_client_call_cancel(o.call); /* twice is once */
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_CANCELLED);
    assert_int_equal(w.calls, 0);
    world_end(&w);
}

static void either_deadline_ends_it(void **state)
{
    (void)state;
    for (int row = 0; row < WORLD_ROWS; row++) {
        struct world w;
        struct outcome o = {0};
        struct hearth_call_options options = {.deadline_ms = 300};
        begin(&w, &o, row, &options);
        assert_in_range(hearth_call_deadline_left_ms(w.call), 1, 300);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_DEADLINE_EXCEEDED);
        assert_int_equal(o.done_us, 1300000);
        world_settle(&w);
        assert_int_equal(w.cancels, 1);
        if (row == WORLD_UNARY)
            hearth_call_fail(w.call, HEARTH_CANCELLED, "late");
        assert_int_equal(w.releases, 1);
        world_end(&w);
    }
}

static void the_servers_own_deadline(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.handler = keep;
    w.rows[WORLD_UNARY].deadline_ms = 200;
    world_start(&w);
    world_call(&w, WORLD_UNARY, 1, NULL, &o);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_DEADLINE_EXCEEDED);
    assert_string_equal(o.message, "deadline exceeded");
    assert_int_equal(w.cancels, 1);
    reply(&w, 1);
    assert_int_equal(w.releases, 1);
    world_end(&w);
}

static void the_connection_breaks(void **state)
{
    (void)state;
    for (int row = 0; row < WORLD_ROWS; row++) {
        struct world w;
        struct outcome o = {0};
        begin(&w, &o, row, NULL);
        pipe_cut_all(w.loop);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_UNAVAILABLE);
        world_settle(&w);
        assert_int_equal(w.cancels, 1);
        if (row == WORLD_UNARY)
            reply(&w, 1);
        assert_int_equal(w.releases, 1);
        world_end(&w);
    }
}

/* The server drains: what is under way ends well, what comes later finds nobody. */
static void a_drain_lets_calls_finish(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    begin(&w, &o, WORLD_UNARY, NULL);
    server_drain_begin(w.server);
    world_settle(&w);
    assert_false(server_is_empty(w.server));
    struct outcome late = {0};
    world_call(&w, WORLD_UNARY, 1, NULL, &late);
    assert_int_equal(world_wait(&w, &late, 1000), HEARTH_UNAVAILABLE);
    reply(&w, 9);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_OK);
    world_settle(&w);
    assert_true(server_is_empty(w.server));
    assert_null(w.loop->pipes.ends);
    world_end(&w);
}

static void a_server_that_goes_cancels(void **state)
{
    (void)state;
    for (int row = 0; row < WORLD_ROWS; row++) {
        struct world w;
        struct outcome o = {0};
        begin(&w, &o, row, NULL);
        server_drain_end(w.server);
        assert_int_equal(w.cancels, 1);
        if (row == WORLD_UNARY)
            reply(&w, 1);
        assert_int_equal(w.releases, 1);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_UNAVAILABLE);
        world_end(&w);
    }
}

/* Regression: on_over ran twice for a call that was cancelled while its end was held back. */
static void cancel_after_pause_and_end(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct world w;
        struct outcome o = {0};
        begin(&w, &o, WORLD_SERVER_STREAM, NULL);
        hearth_client_call_pause(o.call);
        world_write(w.call, 10);
        world_write(w.call, 10);
        hearth_call_finish(w.call, HEARTH_OK);
        world_settle(&w);
        assert_int_equal(o.done, 0);
        if (how > 0)
            hearth_client_call_cancel(o.call);
        if (how != 1)
            hearth_client_call_resume(o.call);
        assert_int_equal(world_wait(&w, &o, 1000), how == 0 ? HEARTH_OK : HEARTH_CANCELLED);
        assert_int_equal(o.items, how == 0 ? 2 : 0);
        world_settle(&w);
        world_end(&w);
    }
}

static void cancel_itself(struct outcome *o)
{
    hearth_client_call_cancel(o->call);
}

static void cancel_inside_on_message_of_an_ended_stream(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {.on_message = cancel_itself};
    begin(&w, &o, WORLD_SERVER_STREAM, NULL);
    hearth_client_call_pause(o.call);
    world_write(w.call, 10);
    world_write(w.call, 10);
    hearth_call_finish(w.call, HEARTH_OK);
    world_settle(&w);
    hearth_client_call_resume(o.call);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_CANCELLED);
    assert_int_equal(o.items, 1);
    world_settle(&w);
    world_end(&w);
}

static enum hearth_code eat_memory(struct world *w, struct hearth_call *call,
                                   const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)w;
    (void)in;
    out->payload.data = hearth_call_alloc(call, 1 << 20);
    assert_null(out->payload.data);
    return HEARTH_OK; /* careless: what it wanted to say is not there */
}

static void over_the_calls_memory(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.handler = eat_memory;
    w.rows[WORLD_UNARY].memory_bytes = 100000;
    world_start(&w);
    world_call(&w, WORLD_UNARY, 1, NULL, &o);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_RESOURCE_EXHAUSTED);
    assert_string_equal(o.message, "over the memory of one call");
    world_end(&w);
}

/* A stream that was reset counts until its handler has answered. */
static void resets_do_not_make_room(void **state)
{
    (void)state;
    enum { STREAMS = 4 };
    struct world w;
    struct outcome o[STREAMS] = {0}, last = {0};
    struct hearth_call *kept[STREAMS];
    world_init(&w);
    w.handler = keep;
    w.server_options.limits.streams = STREAMS;
    world_start(&w);
    for (int i = 0; i < STREAMS; i++) {
        w.call = NULL;
        world_call(&w, WORLD_UNARY, 1, NULL, &o[i]);
        world_settle(&w);
        kept[i] = w.call;
        assert_non_null(kept[i]);
        hearth_client_call_cancel(o[i].call);
        world_settle(&w);
    }
    assert_int_equal(w.calls, STREAMS);
    struct hearth_call_options once = {.no_retry = true};
    world_call(&w, WORLD_UNARY, 1, &once, &last);
    assert_int_equal(world_wait(&w, &last, 1000), HEARTH_UNAVAILABLE);
    assert_int_equal(w.calls, STREAMS);
    for (int i = 0; i < STREAMS; i++)
        hearth_call_fail(kept[i], HEARTH_CANCELLED, "late");
    w.handler = NULL;
    assert_int_equal(world_echo(&w, 1), HEARTH_OK);
    world_end(&w);
}

/* What was on its way when the server began to drain is served, not refused. */
static void a_call_that_crosses_the_drain(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    struct hearth_call_options once = {.no_retry = true};
    world_init(&w);
    world_start(&w);
    assert_int_equal(world_echo(&w, 10), HEARTH_OK);
    world_call(&w, WORLD_UNARY, 10, &once, &o);
    server_drain_begin(w.server);
    assert_int_equal(world_wait(&w, &o, 5000), HEARTH_OK);
    world_run_ms(&w, 2000);
    assert_true(server_is_empty(w.server));
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_crosses_the_drain),
        cmocka_unit_test(the_handler_fails),
        cmocka_unit_test(a_later_reply_arrives),
        cmocka_unit_test(a_stream_is_finished_later),
        cmocka_unit_test(the_client_cancels),
        cmocka_unit_test(cancelled_before_anything_was_sent),
        cmocka_unit_test(either_deadline_ends_it),
        cmocka_unit_test(the_servers_own_deadline),
        cmocka_unit_test(the_connection_breaks),
        cmocka_unit_test(a_drain_lets_calls_finish),
        cmocka_unit_test(a_server_that_goes_cancels),
        cmocka_unit_test(cancel_after_pause_and_end),
        cmocka_unit_test(cancel_inside_on_message_of_an_ended_stream),
        cmocka_unit_test(over_the_calls_memory),
        cmocka_unit_test(resets_do_not_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
