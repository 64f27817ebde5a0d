/* Each allocation of ours in a call's whole life failed once in turn: nothing crashes, every call
 * ends exactly once, nothing leaks, and afterwards the same server and channel serve. Not those of
 * nghttp2: 1.52 itself runs into an assertion when some of them fail (nghttp2_outbound_item_free).
 */
#include "support/failing.h"
#include "support/rpc/world.h"

static enum hearth_code some_of_each(struct world *w, struct hearth_call *call,
                                     const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)w;
    if (in == NULL)
        return HEARTH_OK;
    (void)hearth_call_add_header(call, "x-head", "1", 1);
    (void)hearth_call_add_trailer(call, "x-tail-bin", "\0\1", 2);
    if (out != NULL) {
        out->payload.len = in->payload.len;
        out->payload.data = hearth_call_alloc(call, in->payload.len);
        if (out->payload.data == NULL)
            return HEARTH_RESOURCE_EXHAUSTED;
        return hearth_call_endpoint(call)->shape == HEARTH_UNARY ? HEARTH_OK : HEARTH_LATER;
    }
    Bench__EchoReply item;
    bench__echo_reply__init(&item);
    item.payload = in->payload;
    for (int i = 0; i < 3; i++) {
        if (hearth_call_write(call, &item.base) < 0)
            return HEARTH_CANCELLED;
    }
    return HEARTH_OK;
}

/* A call of the row, whose n-th allocation fails. False: it has no more than n. */
static bool fail_nth(int row, long n, bool connected)
{
    struct world w;
    struct outcome o = {.world = &w};
    Bench__EchoRequest in;
    uint8_t payload[300] = {1};
    bench__echo_request__init(&in);
    in.payload.len = sizeof payload;
    in.payload.data = payload;
    world_init(&w);
    w.handler = some_of_each;
    world_start(&w);
    if (connected)
        assert_int_equal(world_echo(&w, 1), HEARTH_OK);

    struct hearth_metadata metadata = {"x-some-bin", "abc", 3};
    struct hearth_call_options options = {
        .metadata = &metadata, .metadata_count = 1, .deadline_ms = 60000, .no_retry = true};
    test_fail_own_allocation(n);
    bool began = world_try(&w, row, &options, &in, &o);
    world_settle(&w);
    bool failed = test_allocation_failed();
    /* the deadline ends what a lost frame left waiting; a server's keepalive finds it before */
    world_run_ms(&w, 61000);
    assert_int_equal(o.done, began ? 1 : 0);
    if (!failed)
        assert_int_equal(o.code, HEARTH_OK);

    struct hearth_call_options patient = {.wait_for_ready = true};
    struct outcome again = {0};
    world_call(&w, WORLD_UNARY, 10, &patient, &again);
    if (world_wait(&w, &again, 60000) != HEARTH_OK) {
        /* it may have begun on a connection that was broken already; not twice */
        again = (struct outcome){0};
        world_call(&w, WORLD_UNARY, 10, &patient, &again);
        assert_int_equal(world_wait(&w, &again, 60000), HEARTH_OK);
    }
    world_end(&w);
    return failed;
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    for (int connected = 0; connected < 2; connected++) {
        for (int row = 0; row < WORLD_ROWS; row++) {
            long n = 0, live;
            (void)fail_nth(row, -1, connected); /* what is made once is made */
            do {
                live = test_live_allocations();
                n++;
            } while (fail_nth(row, n - 1, connected) && test_live_allocations() == live);
            assert_int_equal(test_live_allocations(), live);
            print_message("row %d, %s: %ld allocations failed in turn\n", row,
                          connected ? "connected" : "not connected", n);
            assert_true(n > 5);
        }
    }
}

/* The making of loops, servers and channels. */
static void making_fails(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct clock_fake clock = {.now_us = 1};
    for (long n = -1;; n++) {
        long live = test_live_allocations();
        test_fail_own_allocation(n);
        struct hearth_loop *loop = loop_new_stepped(&clock, NULL);
        struct hearth_server *server = hearth_server_new(NULL);
        bool ok = loop != NULL && server != NULL && hearth_server_listen(server, "pipe:a", NULL) &&
                  hearth_server_listen(server, "127.0.0.1:0", NULL);
        if (ok)
            (void)hearth_server_start_on(server, loop); /* a socket on a stepped loop: refused */
        struct hearth_channel_options options = {.loop = loop};
        struct hearth_channel *channel =
            loop != NULL ? hearth_channel_new("pipe:a", &options) : NULL;
        struct hearth_loop *real = hearth_loop_new(NULL);
        bool failed = test_allocation_failed();
        hearth_loop_free(real);
        hearth_channel_free(channel);
        hearth_server_free(server);
        hearth_loop_free(loop);
        if (n >= 0) /* the first time makes what stays */
            assert_int_equal(test_live_allocations(), live);
        if (!failed && n >= 0) {
            assert_non_null(channel);
            assert_non_null(real);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(making_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
