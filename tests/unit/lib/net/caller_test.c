/* What interceptors are told and hand on: the caller's pointer, the end of a request stream, and
 * the address behind a pipe. */
#include "support/rpc/world.h"

struct admission {
    enum hearth_code half_close; /* what to say */
    unsigned half_closes, messages, handled;
    size_t messages_at_half_close;
    char peer[64];
};

static enum hearth_code on_headers(struct hearth_call *call, void *self)
{
    struct admission *a = self;
    (void)strncpy(a->peer, hearth_call_peer(call), sizeof a->peer - 1);
    assert_null(hearth_call_caller(call));
    char *who = hearth_call_alloc(call, 8);
    memcpy(who, "alice", 6);
    hearth_call_set_caller(call, who);
    return HEARTH_OK;
}

static enum hearth_code on_message(struct hearth_call *call, const uint8_t *bytes, size_t len,
                                   size_t number, void *self)
{
    struct admission *a = self;
    (void)call;
    (void)bytes;
    (void)len;
    assert_int_equal(number, a->messages);
    a->messages++;
    return HEARTH_OK;
}

static enum hearth_code on_half_close(struct hearth_call *call, size_t messages, void *self)
{
    struct admission *a = self;
    a->half_closes++;
    a->messages_at_half_close = messages;
    if (a->half_close != HEARTH_OK)
        return hearth_call_fail(call, a->half_close, "not like this");
    return HEARTH_OK;
}

static enum hearth_code handler(struct world *w, struct hearth_call *call,
                                const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    struct admission *a = w->self;
    (void)out;
    a->handled++;
    assert_string_equal(hearth_call_caller(call), "alice");
    return in != NULL && hearth_call_endpoint(call)->shape != HEARTH_UNARY ? HEARTH_LATER
                                                                           : HEARTH_OK;
}

static struct world w;
static struct admission admission;
static struct hearth_interceptor interceptors[2];

static int setup(void **state)
{
    (void)state;
    admission = (struct admission){0};
    world_init(&w);
    interceptors[0] = (struct hearth_interceptor){.on_headers = on_headers,
                                                  .on_message = on_message,
                                                  .on_half_close = on_half_close,
                                                  .self = &admission};
    interceptors[1] = (struct hearth_interceptor){0};
    w.server_options.interceptors = interceptors;
    w.server_options.interceptor_count = 2;
    w.handler = handler;
    w.self = &admission;
    world_start(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static void handlers_see_the_caller(void **state)
{
    (void)state;
    struct outcome o = {0};
    world_call(&w, WORLD_UNARY, 10, NULL, &o);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_OK);
    assert_int_equal(admission.handled, 1);
    assert_int_equal(admission.half_closes, 0); /* not of unary calls */
    assert_string_equal(admission.peer, "");
}

static void half_close_of_a_stream(void **state)
{
    (void)state;
    for (size_t n = 0; n < 3; n++) {
        struct outcome o = {0};
        admission = (struct admission){0};
        world_open(&w, WORLD_BIDI, NULL, &o);
        for (size_t i = 0; i < n; i++)
            assert_true(outcome_write(&o, 10) >= 0);
        hearth_client_call_half_close(o.call);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_OK);
        assert_int_equal(admission.half_closes, 1);
        assert_int_equal(admission.messages_at_half_close, n);
        assert_int_equal(admission.handled, n + 1);
    }
}

static void half_close_may_be_refused(void **state)
{
    (void)state;
    struct outcome o = {0};
    admission.half_close = HEARTH_UNAUTHENTICATED;
    world_open(&w, WORLD_CLIENT_STREAM, NULL, &o);
    hearth_client_call_half_close(o.call);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_UNAUTHENTICATED);
    assert_string_equal(o.message, "not like this");
    assert_int_equal(admission.handled, 0);
}

static void pipes_have_addresses(void **state)
{
    (void)state;
    static const char *const targets[][2] = {{"pipe:test@192.0.2.7", "192.0.2.7"},
                                             {"pipe:test@", ""},
                                             {"pipe:test@2001:db8::1", "2001:db8::1"}};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct outcome o = {0};
        admission = (struct admission){0};
        hearth_channel_free(w.channel);
        w.channel = hearth_channel_new(targets[i][0], &w.channel_options);
        world_call(&w, WORLD_UNARY, 10, NULL, &o);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_OK);
        assert_string_equal(admission.peer, targets[i][1]);
    }
    static const char *const nobody[] = {"pipe:tes@192.0.2.7", "pipe:testx", "pipe:@test"};
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        struct outcome o = {0};
        hearth_channel_free(w.channel);
        w.channel = hearth_channel_new(nobody[i], &w.channel_options);
        world_call(&w, WORLD_UNARY, 10, NULL, &o);
        assert_int_equal(world_wait(&w, &o, 1000), HEARTH_UNAVAILABLE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(handlers_see_the_caller, setup, teardown),
        cmocka_unit_test_setup_teardown(half_close_of_a_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(half_close_may_be_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(pipes_have_addresses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
