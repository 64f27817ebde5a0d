/* Calls through the generated stubs over real sockets, plaintext and TLS. */
#include <pthread.h>
#include <stdio.h>

#include "bench_rpc.h"
#include "support/certificate.h"
#include "support/test.h"

static void give_up(struct hearth_call *call, void *arg)
{
    (void)arg;
    hearth_call_fail(call, HEARTH_CANCELLED, "nobody waits any more");
}

static enum hearth_code unary(struct hearth_call *call, const Bench__EchoRequest *in,
                              Bench__EchoReply *out, void *self)
{
    (void)self;
    const uint8_t *value;
    size_t len;
    if (hearth_call_metadata(call, "x-fail", 0, &value, &len))
        return hearth_call_fail(call, HEARTH_NOT_FOUND, "no such thing: \xc3\xa9 100%%");
    if (hearth_call_metadata(call, "x-echo-bin", 0, &value, &len))
        hearth_call_add_trailer(call, "x-back-bin", value, len);
    if (hearth_call_metadata(call, "x-sleep", 0, &value, &len)) {
        hearth_call_on_cancel(call, give_up, NULL);
        return HEARTH_LATER;
    }
    out->payload = in->payload;
    return HEARTH_OK;
}

static enum hearth_code server_stream(struct hearth_call *call, const Bench__StreamRequest *in,
                                      void *self)
{
    (void)self;
    Bench__EchoReply item;
    bench__echo_reply__init(&item);
    item.payload.len = in->size;
    item.payload.data = hearth_call_alloc(call, in->size);
    if (item.payload.data == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    for (uint32_t i = 0; i < in->count; i++) {
        if (bench_echo_server_stream_write(call, &item) < 0)
            return HEARTH_CANCELLED;
    }
    return HEARTH_OK;
}

static const struct bench_echo_service impl = {.unary = unary, .server_stream = server_stream};

struct world {
    struct test_certificate certificate;
    struct hearth_server *server;
    struct hearth_channel *channel;
};

static void world_open(struct world *w, bool tls)
{
    char address[32];
    struct hearth_server_options options = {.threads = 2};
    w->server = hearth_server_new(&options);
    assert_non_null(w->server);
    assert_true(hearth_server_add_bench_echo(w->server, &impl, NULL));
    test_certificate_make(&w->certificate, "bench.test");
    struct hearth_tls_options server_tls = {.certificate_file = w->certificate.certificate_file,
                                            .key_file = w->certificate.key_file};
    if (!hearth_server_listen(w->server, "127.0.0.1:0", tls ? &server_tls : NULL))
        fail_msg("%s", hearth_server_error(w->server));
    assert_true(hearth_server_start(w->server));
    struct hearth_tls_options client_tls = {.ca_file = w->certificate.certificate_file};
    struct hearth_channel_options channel_options = {.tls = tls ? &client_tls : NULL};
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", hearth_server_port(w->server, 0));
    w->channel = hearth_channel_new(address, &channel_options);
    assert_non_null(w->channel);
}

static void world_close(struct world *w)
{
    hearth_channel_free(w->channel);
    hearth_server_free(w->server);
    test_certificate_remove(&w->certificate);
}

static void echo(struct hearth_channel *channel, size_t len)
{
    struct hearth_status status;
    Bench__EchoReply *out = NULL;
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    in.payload.len = len;
    in.payload.data = calloc(1, len + 1);
    memset(in.payload.data, 0x5a, len);
    enum hearth_code code = bench_echo_unary(channel, NULL, &in, &out, &status);
    if (code != HEARTH_OK)
        fail_msg("%s: %s", hearth_code_name(code), status.message);
    assert_int_equal(out->payload.len, len);
    assert_memory_equal(out->payload.data, in.payload.data, len);
    bench__echo_reply__free_unpacked(out, NULL);
    hearth_status_clear(&status);
    free(in.payload.data);
}

static void check_calls(bool tls)
{
    struct world w;
    world_open(&w, tls);
    static const size_t sizes[] = {0, 1, 100, 16384, 65536, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        echo(w.channel, sizes[i]);
    world_close(&w);
}

static void unary_over_plaintext(void **state)
{
    (void)state;
    check_calls(false);
}

static void unary_over_tls(void **state)
{
    (void)state;
    check_calls(true);
}

static void *call_many(void *arg)
{
    for (int i = 0; i < 50; i++)
        echo(arg, 200);
    return NULL;
}

static void many_threads_share_a_channel(void **state)
{
    (void)state;
    struct world w;
    pthread_t threads[8];
    world_open(&w, true);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, w.channel), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    world_close(&w);
}

static void status_message_and_metadata_come_back(void **state)
{
    (void)state;
    struct world w;
    struct hearth_status status;
    Bench__EchoReply *out;
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    world_open(&w, true);
    struct hearth_metadata fail = {"x-fail", "1", 1};
    struct hearth_call_options options = {.metadata = &fail, .metadata_count = 1};
    assert_int_equal(bench_echo_unary(w.channel, &options, &in, &out, &status), HEARTH_NOT_FOUND);
    assert_string_equal(status.message, "no such thing: \xc3\xa9 100%");
    assert_null(out);
    hearth_status_clear(&status);

    struct hearth_metadata back = {"x-echo-bin", "\x00\x01\xff,", 4};
    options.metadata = &back;
    assert_int_equal(bench_echo_unary(w.channel, &options, &in, &out, &status), HEARTH_OK);
    const uint8_t *value;
    size_t len;
    assert_true(hearth_status_metadata(&status, "x-back-bin", 0, &value, &len));
    assert_int_equal(len, 4);
    assert_memory_equal(value, "\x00\x01\xff,", 4);
    assert_false(hearth_status_metadata(&status, "x-back-bin", 1, &value, &len));
    bench__echo_reply__free_unpacked(out, NULL);
    hearth_status_clear(&status);
    world_close(&w);
}

static void deadline_ends_a_call(void **state)
{
    (void)state;
    struct world w;
    Bench__EchoReply *out;
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    world_open(&w, false);
    struct hearth_metadata sleep = {"x-sleep", "1", 1};
    struct hearth_call_options options = {
        .metadata = &sleep, .metadata_count = 1, .deadline_ms = 50};
    assert_int_equal(bench_echo_unary(w.channel, &options, &in, &out, NULL),
                     HEARTH_DEADLINE_EXCEEDED);
    echo(w.channel, 10);
    world_close(&w);
}

static void streams_are_read_whole(void **state)
{
    (void)state;
    struct world w;
    Bench__StreamRequest in;
    Bench__EchoReply *item;
    unsigned count = 0;
    bench__stream_request__init(&in);
    in.count = 5000;
    in.size = 1000;
    world_open(&w, true);
    struct hearth_stream *stream = bench_echo_server_stream_open(w.channel, NULL, &in);
    assert_non_null(stream);
    while ((item = bench_echo_server_stream_read(stream)) != NULL) {
        assert_int_equal(item->payload.len, 1000);
        bench__echo_reply__free_unpacked(item, NULL);
        count++;
    }
    assert_int_equal(hearth_stream_finish(stream, NULL), HEARTH_OK);
    assert_int_equal(count, 5000);
    world_close(&w);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct hearth_status status;
    Bench__EchoReply *out;
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    struct hearth_channel *channel = hearth_channel_new("127.0.0.1:1", NULL);
    assert_non_null(channel);
    assert_int_equal(bench_echo_unary(channel, NULL, &in, &out, &status), HEARTH_UNAVAILABLE);
    assert_non_null(status.message);
    hearth_status_clear(&status);
    struct hearth_call_options options = {.wait_for_ready = true, .deadline_ms = 30};
    assert_int_equal(bench_echo_unary(channel, &options, &in, &out, NULL),
                     HEARTH_DEADLINE_EXCEEDED);
    hearth_channel_free(channel);
}

static void a_wrong_certificate_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct hearth_status status;
    struct test_certificate other;
    Bench__EchoReply *out;
    Bench__EchoRequest in;
    char address[32];
    bench__echo_request__init(&in);
    world_open(&w, true);
    test_certificate_make(&other, "other.test");
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", hearth_server_port(w.server, 0));
    struct hearth_tls_options unknown_root = {.ca_file = other.certificate_file};
    struct hearth_tls_options other_name = {.ca_file = w.certificate.certificate_file,
                                            .server_name = "wrong.test"};
    struct hearth_tls_options good_name = {.ca_file = w.certificate.certificate_file,
                                           .server_name = "bench.test"};
    const struct hearth_tls_options *options[] = {&unknown_root, &other_name, &good_name};
    for (int i = 0; i < 3; i++) {
        struct hearth_channel_options channel_options = {.tls = options[i]};
        struct hearth_channel *channel = hearth_channel_new(address, &channel_options);
        enum hearth_code code = bench_echo_unary(channel, NULL, &in, &out, &status);
        assert_int_equal(code, i == 2 ? HEARTH_OK : HEARTH_UNAVAILABLE);
        if (out != NULL)
            bench__echo_reply__free_unpacked(out, NULL);
        hearth_status_clear(&status);
        hearth_channel_free(channel);
    }
    test_certificate_remove(&other);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_over_plaintext),
        cmocka_unit_test(unary_over_tls),
        cmocka_unit_test(many_threads_share_a_channel),
        cmocka_unit_test(status_message_and_metadata_come_back),
        cmocka_unit_test(deadline_ends_a_call),
        cmocka_unit_test(streams_are_read_whole),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_wrong_certificate_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
