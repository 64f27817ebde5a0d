/* The pipe itself, and the plainest calls over it. */
#include "support/rpc/world.h"

static void a_call_crosses(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_start(&w);
    static const size_t sizes[] = {0, 1, 100, 16384, 65536, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_int_equal(world_echo(&w, sizes[i]), HEARTH_OK);
    assert_int_equal(w.loop->pipes.connections, 1);
    assert_int_equal(w.clock.now_us, 1000000); /* no time passed */
    world_end(&w);
}

static void blocking_calls_turn_the_loop(void **state)
{
    (void)state;
    struct world w;
    Bench__EchoRequest in;
    ProtobufCMessage *out;
    bench__echo_request__init(&in);
    world_init(&w);
    world_start(&w);
    assert_int_equal(
        hearth_channel_call(w.channel, &w.rows[WORLD_UNARY], NULL, &in.base, &out, NULL),
        HEARTH_OK);
    protobuf_c_message_free_unpacked(out, NULL);
    world_end(&w);
}

static void pieces_and_delay_change_nothing_but_time(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1000};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct world w;
        world_init(&w);
        w.loop->pipes.faults =
            (struct pipe_faults){.piece_bytes = pieces[i], .delay_us = 5000, .room_bytes = 100};
        world_start(&w);
        assert_int_equal(world_echo(&w, 1000), HEARTH_OK);
        assert_true(w.clock.now_us >= 1000000 + 2 * 5000);
        world_end(&w);
    }
}

static enum hearth_code stream_items(struct world *w, struct hearth_call *call,
                                     const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)out;
    (void)w;
    for (size_t i = 0; in != NULL && i < 10; i++)
        world_write(call, in->payload.len);
    return HEARTH_OK;
}

/* Whatever the byte at which the connection breaks: the call ends once, and as UNAVAILABLE unless
 * its answer was there already; the next one succeeds over a new connection. */
static void check_cut(int row, enum pipe_way way, uint64_t *ret_bytes)
{
    uint64_t total = UINT64_MAX;
    for (uint64_t k = 1; k <= total; k++) {
        struct world w;
        struct outcome o = {0};
        world_init(&w);
        w.handler = row == WORLD_UNARY ? NULL : stream_items;
        w.loop->pipes.faults.cut_after[way] = k;
        world_start(&w);
        struct hearth_call_options options = {.no_retry = true};
        world_call(&w, row, 50, &options, &o);
        world_settle(&w);
        bool was_cut = w.loop->pipes.ends == NULL;
        assert_int_equal(o.done, 1);
        if (o.code != HEARTH_OK)
            assert_int_equal(o.code, HEARTH_UNAVAILABLE);
        if (!was_cut) {
            assert_int_equal(o.code, HEARTH_OK);
            total = k; /* beyond the last byte */
        }
        w.loop->pipes.faults = (struct pipe_faults){0};
        w.handler = NULL;
        /* the connection that is there may have its cut still before it */
        pipe_cut_all(w.loop);
        world_settle(&w);
        struct outcome again = {0};
        struct hearth_call_options patient = {.wait_for_ready = true};
        world_call(&w, WORLD_UNARY, 10, &patient, &again);
        assert_int_equal(world_wait(&w, &again, 5000), HEARTH_OK);
        world_end(&w);
    }
    *ret_bytes = total;
}

static void cut_at_each_byte(void **state)
{
    (void)state;
    uint64_t bytes[2];
    for (int row = WORLD_UNARY; row <= WORLD_SERVER_STREAM; row += WORLD_SERVER_STREAM) {
        check_cut(row, PIPE_TO_SERVER, &bytes[0]);
        check_cut(row, PIPE_TO_CLIENT, &bytes[1]);
        assert_true(bytes[0] > 150 && bytes[1] > 100);
    }
}

static void nobody_listens_then_somebody_does(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_start(&w);
    world_stop_server(&w);
    assert_int_equal(world_echo(&w, 1), HEARTH_UNAVAILABLE);
    world_start_server(&w);
    struct outcome o = {0};
    struct hearth_call_options patient = {.wait_for_ready = true};
    world_call(&w, WORLD_UNARY, 1, &patient, &o);
    assert_int_equal(world_wait(&w, &o, 5000), HEARTH_OK);
    world_end(&w);
}

/* As a server that is full does it: the client must not ask again and again at once. */
static void a_connection_dropped_at_birth_backs_off(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.loop->pipes.faults.cut_after[PIPE_TO_CLIENT] = 1;
    world_start(&w);
    struct hearth_call_options patient = {.wait_for_ready = true};
    world_call(&w, WORLD_UNARY, 10, &patient, &o);
    world_run_ms(&w, 60000);
    assert_in_range(w.loop->pipes.connections, 2, 10);
    world_end(&w);
    assert_int_equal(o.done, 1);
    assert_int_equal(o.code, HEARTH_CANCELLED);
}

static void names_are_taken_once(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_start(&w);
    struct hearth_server *other = hearth_server_new(NULL);
    assert_true(hearth_server_listen(other, "pipe:test", NULL));
    assert_false(hearth_server_start_on(other, w.loop));
    hearth_server_free(other);
    assert_int_equal(world_echo(&w, 1), HEARTH_OK);
    world_end(&w);
}

static void a_channel_freed_in_a_callback(struct outcome *o)
{
    hearth_channel_free(o->world->channel);
    o->world->channel = NULL;
}

static void the_channel_may_go_inside_a_callback(void **state)
{
    (void)state;
    struct world w;
    struct outcome first = {.on_message = a_channel_freed_in_a_callback};
    struct outcome second = {0};
    world_init(&w);
    w.handler = stream_items;
    world_start(&w);
    world_call(&w, WORLD_SERVER_STREAM, 10, NULL, &first);
    world_call(&w, WORLD_SERVER_STREAM, 10, NULL, &second);
    world_settle(&w);
    assert_int_equal(first.done, 1);
    assert_int_equal(second.done, 1);
    assert_int_equal(w.loop->env.timers.count, 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_crosses),
        cmocka_unit_test(blocking_calls_turn_the_loop),
        cmocka_unit_test(pieces_and_delay_change_nothing_but_time),
        cmocka_unit_test(cut_at_each_byte),
        cmocka_unit_test(nobody_listens_then_somebody_does),
        cmocka_unit_test(a_connection_dropped_at_birth_backs_off),
        cmocka_unit_test(names_are_taken_once),
        cmocka_unit_test(the_channel_may_go_inside_a_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
