/* Blocking streams on a channel with a loop of its own. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "bench.pb-c.h"
#include "hearth/rpc.h"
#include "support/test.h"

static atomic_uint arrived;
static atomic_bool cancelled;

static void on_cancel(struct hearth_call *call, void *arg)
{
    (void)call;
    (void)arg;
    atomic_store(&cancelled, true);
}

static enum hearth_code count(struct hearth_call *call, const ProtobufCMessage *in,
                              ProtobufCMessage *out, const void *service, void *self)
{
    (void)out;
    (void)service;
    (void)self;
    hearth_call_on_cancel(call, on_cancel, NULL);
    if (in == NULL)
        return HEARTH_OK;
    atomic_fetch_add(&arrived, 1);
    return HEARTH_LATER;
}

static const struct hearth_endpoint row = {.path = "/t.T/Count",
                                           .shape = HEARTH_CLIENT_STREAM,
                                           .request_bytes = 100000,
                                           .response_bytes = 1000,
                                           .request = &bench__echo_request__descriptor,
                                           .response = &bench__echo_reply__descriptor,
                                           .invoke = count};
static const struct hearth_service service = {
    .name = "t.T", .endpoints = &row, .endpoint_count = 1};

static struct hearth_channel *connect_to(struct hearth_server **ret_server)
{
    char address[32];
    struct hearth_server *server = hearth_server_new(NULL);
    assert_true(hearth_server_add(server, &service, NULL, NULL));
    assert_true(hearth_server_listen(server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(server));
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", hearth_server_port(server, 0));
    *ret_server = server;
    atomic_store(&arrived, 0);
    atomic_store(&cancelled, false);
    return hearth_channel_new(address, NULL);
}

static bool comes_true(bool (*test)(void))
{
    struct timespec pause = {0, 5000000};
    for (int i = 0; i < 1000 && !test(); i++)
        nanosleep(&pause, NULL);
    return test();
}

static bool two_arrived(void)
{
    return atomic_load(&arrived) == 2;
}

static bool was_cancelled(void)
{
    return atomic_load(&cancelled);
}

/* What was written leaves although nobody waits for anything; and so does a cancellation. */
static void writes_leave_without_anybody_waiting(void **state)
{
    (void)state;
    struct hearth_server *server;
    struct hearth_channel *channel = connect_to(&server);
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    struct hearth_stream *stream = hearth_stream_open(channel, &row, NULL);
    assert_non_null(stream);
    assert_true(hearth_stream_write(stream, &in.base));
    assert_true(hearth_stream_write(stream, &in.base));
    assert_true(comes_true(two_arrived));
    hearth_stream_cancel(stream);
    assert_true(comes_true(was_cancelled));
    assert_int_equal(hearth_stream_finish(stream, NULL), HEARTH_CANCELLED);
    hearth_channel_free(channel);
    hearth_server_free(server);
}

struct writer {
    struct hearth_channel *channel;
    enum hearth_code code;
};

static void *write_some(void *arg)
{
    struct writer *w = arg;
    Bench__EchoRequest in;
    uint8_t payload[3000] = {0};
    bench__echo_request__init(&in);
    in.payload.data = payload;
    in.payload.len = sizeof payload;
    struct hearth_stream *stream = hearth_stream_open(w->channel, &row, NULL);
    for (int i = 0; i < 200; i++)
        (void)hearth_stream_write(stream, &in.base);
    w->code = hearth_stream_finish(stream, NULL);
    return NULL;
}

static void streams_of_many_threads_share_a_channel(void **state)
{
    (void)state;
    enum { THREADS = 6 };
    pthread_t threads[THREADS];
    struct writer writers[THREADS];
    struct hearth_server *server;
    struct hearth_channel *channel = connect_to(&server);
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){channel, HEARTH_UNKNOWN};
        assert_int_equal(pthread_create(&threads[i], NULL, write_some, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].code, HEARTH_OK);
    }
    assert_int_equal(atomic_load(&arrived), THREADS * 200);
    hearth_channel_free(channel);
    hearth_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_leave_without_anybody_waiting),
        cmocka_unit_test(streams_of_many_threads_share_a_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
