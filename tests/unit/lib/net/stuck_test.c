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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_comes_at_a_held_message),
        cmocka_unit_test(an_interceptor_refuses_a_held_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
