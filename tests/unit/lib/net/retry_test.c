/* Retries, backoff, reconnection, keepalive and the limits of time, under a fake clock. */
#include "support/rpc/world.h"

static enum hearth_code keep(struct world *w, struct hearth_call *call,
                             const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)in;
    (void)out;
    world_keep(w, call);
    return HEARTH_LATER;
}

static enum hearth_code unavailable_twice(struct world *w, struct hearth_call *call,
                                          const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    out->payload = in->payload;
    return w->calls <= 2 ? hearth_call_fail(call, HEARTH_UNAVAILABLE, "not yet") : HEARTH_OK;
}

static void check_retry(bool idempotent, bool no_retry, enum hearth_code want, unsigned want_calls)
{
    struct world w;
    struct outcome o = {0};
    struct hearth_call_options options = {.no_retry = no_retry};
    world_init(&w);
    w.handler = unavailable_twice;
    w.rows[WORLD_UNARY].idempotent = idempotent;
    world_start(&w);
    world_call(&w, WORLD_UNARY, 10, &options, &o);
    assert_int_equal(world_wait(&w, &o, 10000), want);
    assert_int_equal(w.calls, want_calls);
    assert_true((w.clock.now_us > 1000000) == (want_calls > 1));
    world_end(&w);
}

static void unavailable_is_tried_again_where_it_may(void **state)
{
    (void)state;
    check_retry(true, false, HEARTH_OK, 3);
    check_retry(false, false, HEARTH_UNAVAILABLE, 1);
    check_retry(true, true, HEARTH_UNAVAILABLE, 1);
}

static enum hearth_code always_unavailable(struct world *w, struct hearth_call *call,
                                           const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)w;
    (void)in;
    (void)out;
    return hearth_call_fail(call, HEARTH_UNAVAILABLE, "never");
}

static void attempts_are_counted(void **state)
{
    (void)state;
    for (uint32_t attempts = 1; attempts <= 5; attempts++) {
        struct world w;
        struct outcome o = {0};
        world_init(&w);
        w.handler = always_unavailable;
        w.rows[WORLD_UNARY].idempotent = true;
        w.channel_options.attempts = attempts;
        world_start(&w);
        world_call(&w, WORLD_UNARY, 10, NULL, &o);
        assert_int_equal(world_wait(&w, &o, 60000), HEARTH_UNAVAILABLE);
        assert_int_equal(w.calls, attempts);
        world_end(&w);
    }
}

/* Regression: retries were counted by streams begun, and to a server that is away none begins. */
static void a_server_that_stays_away_ends_retries(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.handler = keep;
    w.rows[WORLD_UNARY].idempotent = true;
    world_start(&w);
    world_call(&w, WORLD_UNARY, 10, NULL, &o);
    world_settle(&w);
    struct hearth_call *kept = w.call;
    hearth_call_fail(kept, HEARTH_UNAVAILABLE, "going");
    world_settle(&w);
    world_stop_server(&w);
    assert_int_equal(world_wait(&w, &o, 60000), HEARTH_UNAVAILABLE);
    world_end(&w);
}

/* GOAWAY: the call that was not looked at moves to the next connection, whatever its kind. */
static void a_refused_stream_moves_on(void **state)
{
    (void)state;
    struct world w;
    struct outcome first = {0}, second = {0};
    world_init(&w);
    w.handler = keep;
    w.server_options.limits.streams = 1;
    world_start(&w);
    world_call(&w, WORLD_UNARY, 10, NULL, &first);
    world_call(&w, WORLD_UNARY, 10, NULL, &second); /* before SETTINGS said that one is all */
    world_settle(&w);
    assert_int_equal(w.calls, 1);
    hearth_call_fail(w.call, HEARTH_ABORTED, "first");
    assert_int_equal(world_wait(&w, &first, 1000), HEARTH_ABORTED);
    world_run_ms(&w, 1000);
    assert_int_equal(w.calls, 2);
    hearth_call_fail(w.call, HEARTH_ABORTED, "second");
    assert_int_equal(world_wait(&w, &second, 1000), HEARTH_ABORTED);
    world_end(&w);
}

static struct pipe_end *taken;

static void take_end(struct pipe_listener *listener, struct pipe_end *end)
{
    (void)listener;
    taken = end;
}

/* A request that waits for room inside nghttp2 when GOAWAY comes never left us: it moves on, though
 * it may not be repeated. */
static void goaway_before_the_request_left(void **state)
{
    (void)state;
    static const uint8_t settings_goaway[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7,
                                              0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    struct world w;
    struct outcome first = {0}, second = {0};
    struct pipe_listener stranger = {.on_accept = take_end};
    uint8_t sink[4096];
    size_t n;
    world_init(&w);
    w.loop->pipes.faults.room_bytes = 2000;
    world_start(&w);
    world_stop_server(&w);
    assert_ok(pipe_listen(w.loop, &stranger, "test"));
    world_call(&w, WORLD_UNARY, 50000, NULL, &first);
    world_settle(&w);
    world_call(&w, WORLD_UNARY, 10, NULL, &second);
    world_settle(&w);
    assert_int_equal(pipe_write(taken, settings_goaway, sizeof settings_goaway, &n), PIPE_OK);
    world_settle(&w);
    pipe_unlisten(w.loop, &stranger);
    w.loop->pipes.faults = (struct pipe_faults){0};
    world_start_server(&w);
    for (int i = 0; i < 100; i++) {
        while (pipe_read(taken, sink, sizeof sink, &n) == PIPE_OK)
            ;
        world_settle(&w);
    }
    assert_int_equal(world_wait(&w, &second, 5000), HEARTH_OK);
    assert_int_equal(first.done, 0); /* its stream is the server's to answer */
    pipe_close(taken);
    assert_int_equal(world_wait(&w, &first, 5000), HEARTH_UNAVAILABLE);
    world_end(&w);
}

static void more_calls_than_streams_queue(void **state)
{
    (void)state;
    enum { CALLS = 200 };
    struct world w;
    struct outcome o[CALLS] = {0};
    world_init(&w);
    w.server_options.limits.streams = 3;
    world_start(&w);
    assert_int_equal(world_echo(&w, 1), HEARTH_OK);
    for (int i = 0; i < CALLS; i++)
        world_call(&w, WORLD_UNARY, 10, NULL, &o[i]);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(world_wait(&w, &o[i], 1000), HEARTH_OK);
    assert_int_equal(w.calls, CALLS + 1);
    world_end(&w);
}

/* doc/connection-backoff.md: 1 s, then 1.6 times as long, up to the bound, a fifth of jitter. */
static void backoff_grows(void **state)
{
    (void)state;
    static const uint64_t want_ms[] = {1000, 1600, 2560, 4096, 5000, 5000};
    struct world w;
    struct outcome o = {0};
    struct hearth_call_options patient = {.wait_for_ready = true};
    world_init(&w);
    w.channel_options.backoff_max_ms = 5000;
    w.loop->pipes.faults.cut_after[PIPE_TO_CLIENT] = 1;
    world_start(&w);
    world_call(&w, WORLD_UNARY, 10, &patient, &o);
    uint64_t last_us = w.clock.now_us, made = 1;
    world_settle(&w);
    assert_int_equal(w.loop->pipes.connections, 1);
    for (size_t i = 0; i < sizeof want_ms / sizeof *want_ms; i++) {
        while (w.loop->pipes.connections == made)
            world_run_ms(&w, 10);
        uint64_t ms = (w.clock.now_us - last_us) / 1000;
        assert_in_range(ms, want_ms[i] * 8 / 10 - 10, want_ms[i] * 12 / 10 + 20);
        last_us = w.clock.now_us;
        made++;
    }
    w.loop->pipes.faults.cut_after[PIPE_TO_CLIENT] = 0;
    assert_int_equal(world_wait(&w, &o, 10000), HEARTH_OK);
    world_end(&w);
}

static void a_deadline_holds_while_waiting(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    struct hearth_call_options options = {.wait_for_ready = true, .deadline_ms = 50};
    world_init(&w);
    world_start(&w);
    world_stop_server(&w);
    world_call(&w, WORLD_UNARY, 10, &options, &o);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_DEADLINE_EXCEEDED);
    assert_int_equal(o.done_us, 1050000);
    world_end(&w);
}

static void goaway_then_a_new_connection(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.server_options.limits.age_ms = 5000;
    world_start(&w);
    assert_int_equal(world_echo(&w, 1), HEARTH_OK);
    world_run_ms(&w, 6000);
    assert_null(w.loop->pipes.ends); /* grew old */
    assert_int_equal(world_echo(&w, 1), HEARTH_OK);
    assert_int_equal(w.loop->pipes.connections, 2);
    world_end(&w);
}

static void idle_connections_go(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct world w;
        world_init(&w);
        if (side == 0)
            w.server_options.limits.idle_ms = 2000;
        else
            w.channel_options.idle_ms = 2000;
        world_start(&w);
        assert_int_equal(world_echo(&w, 1), HEARTH_OK);
        world_run_ms(&w, 1500);
        assert_non_null(w.loop->pipes.ends);
        world_run_ms(&w, 2000);
        assert_null(w.loop->pipes.ends);
        assert_int_equal(world_echo(&w, 1), HEARTH_OK);
        world_end(&w);
    }
}

static void one_that_says_nothing_is_cut(void **state)
{
    (void)state;
    struct world w;
    struct pipe_end *end = NULL;
    world_init(&w);
    w.server_options.limits.first_request_ms = 3000;
    world_start(&w);
    assert_ok(pipe_connect(w.loop, "test", &end));
    world_run_ms(&w, 2900);
    assert_non_null(end->peer);
    world_run_ms(&w, 2000);
    assert_null(end->peer);
    pipe_close(end);
    world_end(&w);
}

/* A network that swallows everything: both sides notice by unanswered PINGs. */
static void keepalive_finds_a_dead_peer(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct world w;
        struct outcome o = {0};
        world_init(&w);
        w.handler = keep;
        w.server_options.limits.keepalive_ms = side == 0 ? 2000 : 1000000;
        w.server_options.limits.keepalive_timeout_ms = 1000;
        w.channel_options.keepalive_ms = side == 1 ? 2000 : 0;
        w.channel_options.keepalive_timeout_ms = 1000;
        world_start(&w);
        world_call(&w, WORLD_UNARY, 1, NULL, &o);
        world_run_ms(&w, 10000); /* PINGs are answered: nothing happens */
        assert_int_equal(o.done, 0);
        assert_int_equal(w.cancels, 0);
        for (struct pipe_end *end = w.loop->pipes.ends; end != NULL; end = end->next)
            end->faults.delay_us = 1000000000; /* what is written arrives too late */
        world_run_ms(&w, 10000);
        assert_int_equal(side == 0 ? w.cancels : o.done, 1);
        hearth_call_fail(w.call, HEARTH_CANCELLED, "late"); /* a unary handler owes an answer */
        world_end(&w);
    }
}

static void a_parents_end_is_the_childs(void **state)
{
    (void)state;
    struct world w;
    struct outcome parent = {0}, child = {0}, late = {0};
    world_init(&w);
    w.handler = keep;
    world_start(&w);
    struct hearth_call_options short_lived = {.deadline_ms = 500};
    world_call(&w, WORLD_UNARY, 1, &short_lived, &parent);
    world_settle(&w);
    struct hearth_call *kept = w.call;
    struct hearth_call_options inherits = {.parent = kept, .deadline_ms = 9000};
    world_call(&w, WORLD_BIDI, 1, &inherits, &child);
    world_settle(&w);
    assert_in_range(hearth_call_deadline_left_ms(w.call), 1, 500);
    hearth_client_call_cancel(parent.call);
    assert_int_equal(world_wait(&w, &child, 100), HEARTH_CANCELLED);
    unsigned calls = w.calls;
    /* begun by one that was cancelled already */
    world_call(&w, WORLD_UNARY, 1, &inherits, &late);
    assert_int_equal(world_wait(&w, &late, 100), HEARTH_CANCELLED);
    assert_int_equal(w.calls, calls);
    hearth_call_fail(kept, HEARTH_CANCELLED, "late");
    assert_int_equal(parent.done, 1);
    world_end(&w);
}

struct cancels_other {
    struct outcome *other;
    unsigned signs;
};

static enum hearth_code cancel_other(struct hearth_client_call *call,
                                     const struct hearth_endpoint *endpoint, const uint8_t *message,
                                     size_t len, void *self)
{
    struct cancels_other *c = self;
    (void)call;
    (void)endpoint;
    (void)message;
    (void)len;
    c->signs++;
    if (c->other->call != NULL)
        hearth_client_call_cancel(c->other->call);
    return HEARTH_OK;
}

/* Regression: the list of waiting calls was walked while a signer changed it. */
static void a_signer_may_cancel_who_waits(void **state)
{
    (void)state;
    struct world w;
    struct outcome first = {0}, second = {0}, third = {0};
    struct cancels_other c = {.other = &second};
    world_init(&w);
    world_start(&w);
    struct hearth_call_options options = {.signer = {cancel_other, &c}};
    world_call(&w, WORLD_UNARY, 1, &options, &first);
    world_call(&w, WORLD_UNARY, 1, NULL, &second);
    world_call(&w, WORLD_UNARY, 1, NULL, &third);
    assert_int_equal(world_wait(&w, &first, 1000), HEARTH_OK);
    assert_int_equal(world_wait(&w, &second, 1000), HEARTH_CANCELLED);
    assert_int_equal(world_wait(&w, &third, 1000), HEARTH_OK);
    assert_int_equal(w.calls, 2);
    assert_int_equal(c.signs, 1);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unavailable_is_tried_again_where_it_may),
        cmocka_unit_test(attempts_are_counted),
        cmocka_unit_test(a_server_that_stays_away_ends_retries),
        cmocka_unit_test(a_refused_stream_moves_on),
        cmocka_unit_test(goaway_before_the_request_left),
        cmocka_unit_test(more_calls_than_streams_queue),
        cmocka_unit_test(backoff_grows),
        cmocka_unit_test(a_deadline_holds_while_waiting),
        cmocka_unit_test(goaway_then_a_new_connection),
        cmocka_unit_test(idle_connections_go),
        cmocka_unit_test(one_that_says_nothing_is_cut),
        cmocka_unit_test(keepalive_finds_a_dead_peer),
        cmocka_unit_test(a_parents_end_is_the_childs),
        cmocka_unit_test(a_signer_may_cancel_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
