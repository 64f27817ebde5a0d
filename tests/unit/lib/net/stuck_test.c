/* Calls that end while something is held back: messages that a handler has not taken, output that
 * nobody reads. */
#include "support/rpc/world.h"

/* ---- a handler that pauses, and ends the call at a message that was held ---- */

static enum hearth_code pause_then_end(struct world *w, struct hearth_call *call,
                                       const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)out;
    w->bytes += in != NULL ? in->payload.len : 0;
    if (w->call == NULL) {
        world_keep(w, call);
        hearth_call_pause(call);
        return HEARTH_LATER;
    }
    return HEARTH_OUT_OF_RANGE;
}

static void the_end_comes_at_a_held_message(void **state)
{
    (void)state;
    for (size_t more = 1; more <= 3; more++) {
        struct world w;
        struct outcome o = {0};
        world_init(&w);
        w.handler = pause_then_end;
        world_start(&w);
        world_open(&w, WORLD_BIDI, NULL, &o);
        for (size_t i = 0; i < 1 + more; i++)
            (void)outcome_write(&o, 100);
        world_settle(&w);
        assert_int_equal(w.bytes, 100);
        hearth_call_resume(w.call);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_OUT_OF_RANGE);
        assert_int_equal(w.bytes, 200);
        assert_int_equal(w.releases, 1);
        assert_int_equal(world_echo(&w, 10), HEARTH_OUT_OF_RANGE); /* the connection lives */
        assert_int_equal(w.loop->pipes.connections, 1);
        world_end(&w);
    }
}

/* ---- an interceptor that thinks, and then refuses what it thought about ---- */

static enum hearth_code think(struct hearth_call *call, const uint8_t *bytes, size_t len,
                              size_t number, void *self)
{
    struct world *w = self;
    (void)bytes, (void)len;
    if (number == 0)
        world_keep(w, call);
    return number == 0 ? HEARTH_LATER : HEARTH_PERMISSION_DENIED;
}

static enum hearth_code take_all(struct world *w, struct hearth_call *call,
                                 const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)call, (void)out;
    w->bytes += in != NULL ? in->payload.len : 0;
    return HEARTH_LATER;
}

static void an_interceptor_refuses_a_held_message(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    struct hearth_interceptor interceptor = {.on_message = think, .self = &w};
    w.server_options.interceptors = &interceptor;
    w.server_options.interceptor_count = 1;
    w.handler = take_all;
    world_start(&w);
    world_open(&w, WORLD_CLIENT_STREAM, NULL, &o);
    for (size_t i = 0; i < 4; i++)
        (void)outcome_write(&o, 100);
    world_settle(&w);
    assert_int_equal(w.bytes, 0);
    hearth_call_continue(w.call, HEARTH_OK);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_PERMISSION_DENIED);
    assert_int_equal(w.bytes, 100);
    world_end(&w);
}

/* ---- a server that takes connections, opens all windows, and reads nothing ---- */

/* together more than a pipe holds and the transport takes */
enum { STUCK_CALLS = 5 };

struct deaf {
    struct pipe_listener listener;
    struct pipe_end *end;
};

static void hear_nothing(struct pipe_end *end, bool readable, bool writable)
{
    (void)end, (void)readable, (void)writable;
}

static void take_connection(struct pipe_listener *listener, struct pipe_end *end)
{
    static const uint8_t greeting[] = {
        0, 0, 6, 4, 0, 0, 0, 0, 0, 0,    4,    0x7f, 0xff, 0xff, 0xff, /* SETTINGS: windows */
        0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0x00, 0x00 /* WINDOW_UPDATE */};
    struct deaf *deaf = (struct deaf *)(void *)listener;
    size_t sent = 0;
    end->on_event = hear_nothing;
    deaf->end = end;
    assert_int_equal(pipe_write(end, greeting, sizeof greeting, &sent), PIPE_OK);
}

static void open_deaf(struct world *w, struct deaf *deaf)
{
    world_init(w);
    *deaf = (struct deaf){.listener.on_accept = take_connection};
    assert_int_equal(pipe_listen(w->loop, &deaf->listener, "test").code, 0);
    memcpy(w->client_rows, w->rows, sizeof w->rows);
    w->channel_options.loop = w->loop;
    w->channel = hearth_channel_new("pipe:test", &w->channel_options);
    assert_non_null(w->channel);
}

static void close_deaf(struct world *w, struct deaf *deaf)
{
    hearth_channel_free(w->channel);
    w->channel = NULL;
    pipe_close(deaf->end);
    pipe_unlisten(w->loop, &deaf->listener);
    world_end(w);
}

static void deadlines_hold_when_output_is_stuck(void **state)
{
    (void)state;
    for (int row = 0; row < WORLD_ROWS; row++) {
        struct world w;
        struct deaf deaf;
        struct outcome o[STUCK_CALLS] = {{0}};
        struct hearth_call_options options = {.deadline_ms = 1000};
        open_deaf(&w, &deaf);
        for (size_t i = 0; i < STUCK_CALLS; i++)
            world_call(&w, row, 200000, &options, &o[i]);
        for (size_t i = 0; i < STUCK_CALLS; i++) {
            if (world_wait(&w, &o[i], 2000) != HEARTH_DEADLINE_EXCEEDED)
                fail_msg("%s: %s", hearth_code_name(o[i].code), o[i].message);
            assert_true(o[i].done_us < 1000000 + 1100000);
        }
        close_deaf(&w, &deaf);
    }
}

static void cancelling_holds_when_output_is_stuck(void **state)
{
    (void)state;
    struct world w;
    struct deaf deaf;
    struct outcome o[STUCK_CALLS] = {{0}};
    open_deaf(&w, &deaf);
    for (size_t i = 0; i < STUCK_CALLS; i++)
        world_call(&w, WORLD_BIDI, 200000, NULL, &o[i]);
    world_settle(&w);
    for (size_t i = 0; i < STUCK_CALLS; i++)
        hearth_client_call_cancel(o[i].call);
    world_settle(&w);
    for (size_t i = 0; i < STUCK_CALLS; i++) {
        assert_int_equal(o[i].done, 1);
        assert_int_equal(o[i].code, HEARTH_CANCELLED);
    }
    close_deaf(&w, &deaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_comes_at_a_held_message),
        cmocka_unit_test(an_interceptor_refuses_a_held_message),
        cmocka_unit_test(deadlines_hold_when_output_is_stuck),
        cmocka_unit_test(cancelling_holds_when_output_is_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
