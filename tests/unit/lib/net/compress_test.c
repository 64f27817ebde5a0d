/* gzip message by message, and metadata by its place: what the interoperability cases rest on. */
#include "support/test.h"

#include <stdio.h>

#include "grpc/testing/test_rpc.h"

enum { BYTES = 1000 };
static uint8_t zeros[BYTES];

/* Each answer is compressed if its request was. */
static enum hearth_code full_duplex(struct hearth_call *call,
                                    const Grpc__Testing__StreamingOutputCallRequest *in, void *self)
{
    Grpc__Testing__StreamingOutputCallResponse item;
    Grpc__Testing__Payload payload;
    (void)self;
    if (in == NULL)
        return HEARTH_OK;
    grpc__testing__streaming_output_call_response__init(&item);
    grpc__testing__payload__init(&payload);
    payload.body = (ProtobufCBinaryData){BYTES, zeros};
    item.payload = &payload;
    hearth_call_compress(call, hearth_call_message_compressed(call));
    return grpc_testing_test_service_full_duplex_call_write(call, &item) < 0 ? HEARTH_CANCELLED
                                                                             : HEARTH_LATER;
}

static enum hearth_code full_duplex_open(struct hearth_call *call, void *self)
{
    (void)self;
    assert_true(hearth_call_add_header(call, "x-place", "header", 6));
    assert_true(hearth_call_add_trailer(call, "x-place", "trailer", 7));
    return HEARTH_LATER;
}

static enum hearth_code unary(struct hearth_call *call, const Grpc__Testing__SimpleRequest *in,
                              Grpc__Testing__SimpleResponse *out, void *self)
{
    (void)self;
    if (in->response_size == 0)
        return hearth_call_fail(call, HEARTH_NOT_FOUND, "nothing");
    hearth_call_compress(call, hearth_call_message_compressed(call));
    out->username = hearth_call_alloc(call, BYTES);
    assert_non_null(out->username);
    memset(out->username, 'x', BYTES - 1);
    return HEARTH_OK;
}

static const struct grpc_testing_test_service_service impl = {
    .full_duplex_call = full_duplex,
    .full_duplex_call_open = full_duplex_open,
    .unary_call = unary,
};

struct world {
    struct hearth_server *server;
    struct hearth_channel *channel;
};

static int world_open(void **state)
{
    static struct world w;
    char address[32];
    w.server = hearth_server_new(NULL);
    assert_true(hearth_server_add_grpc_testing_test_service(w.server, &impl, NULL));
    assert_true(hearth_server_listen(w.server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(w.server));
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", hearth_server_port(w.server, 0));
    w.channel = hearth_channel_new(address, NULL);
    assert_non_null(w.channel);
    *state = &w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    hearth_channel_free(w->channel);
    hearth_server_free(w->server);
    return 0;
}

/* Sends with the given switches; the answers' flags must be `want`. */
static void check_stream(struct world *w, bool whole, const bool *on, const bool *want,
                         size_t count)
{
    struct hearth_call_options options = {.compress = whole};
    struct hearth_status status;
    Grpc__Testing__StreamingOutputCallRequest in;
    Grpc__Testing__Payload payload;
    grpc__testing__streaming_output_call_request__init(&in);
    grpc__testing__payload__init(&payload);
    payload.body = (ProtobufCBinaryData){BYTES, zeros};
    in.payload = &payload;
    struct hearth_stream *stream =
        grpc_testing_test_service_full_duplex_call_open(w->channel, &options);
    assert_non_null(stream);
    for (size_t i = 0; i < count; i++) {
        hearth_stream_compress(stream, on[i]);
        assert_true(grpc_testing_test_service_full_duplex_call_send(stream, &in));
    }
    hearth_stream_half_close(stream);
    for (size_t i = 0; i < count; i++) {
        Grpc__Testing__StreamingOutputCallResponse *item =
            grpc_testing_test_service_full_duplex_call_read(stream);
        assert_non_null(item);
        assert_int_equal(item->payload->body.len, BYTES);
        assert_int_equal(hearth_stream_message_compressed(stream), want[i]);
        grpc__testing__streaming_output_call_response__free_unpacked(item, NULL);
    }
    assert_int_equal(hearth_stream_finish(stream, &status), HEARTH_OK);
    hearth_status_clear(&status);
}

static void each_message_says_for_itself(void **state)
{
    static const bool on[] = {true, false, false, true};
    static const bool never[] = {false, false, false, false};
    check_stream(*state, true, on, on, 4);
    /* a call that did not announce gzip can't send it */
    check_stream(*state, false, on, never, 4);
}

static void unary_calls_tell(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 2; i++) {
        struct hearth_call_options options = {.compress = i == 1};
        struct hearth_status status;
        Grpc__Testing__SimpleRequest in;
        Grpc__Testing__SimpleResponse *out = NULL;
        grpc__testing__simple_request__init(&in);
        in.response_size = 1;
        assert_int_equal(
            grpc_testing_test_service_unary_call(w->channel, &options, &in, &out, &status),
            HEARTH_OK);
        assert_int_equal(strlen(out->username), BYTES - 1);
        assert_int_equal(status.compressed, i == 1);
        grpc__testing__simple_response__free_unpacked(out, NULL);
        hearth_status_clear(&status);
    }
}

typedef bool find_fn(const struct hearth_status *status, const char *name, size_t n,
                     const uint8_t **ret_value, size_t *ret_len);

static void check_value(find_fn *find, const struct hearth_status *status, size_t n,
                        const char *want)
{
    const uint8_t *value = NULL;
    size_t len = 0;
    assert_true(find(status, "x-place", n, &value, &len));
    assert_int_equal(len, strlen(want));
    assert_memory_equal(value, want, len);
}

static void headers_and_trailers_are_told_apart(void **state)
{
    struct world *w = *state;
    struct hearth_status status;
    const uint8_t *value = NULL;
    size_t len = 0;
    struct hearth_stream *stream =
        grpc_testing_test_service_full_duplex_call_open(w->channel, NULL);
    assert_non_null(stream);
    Grpc__Testing__StreamingOutputCallRequest in;
    grpc__testing__streaming_output_call_request__init(&in);
    assert_true(grpc_testing_test_service_full_duplex_call_send(stream, &in));
    assert_int_equal(hearth_stream_finish(stream, &status), HEARTH_OK);
    check_value(hearth_status_header, &status, 0, "header");
    assert_false(hearth_status_header(&status, "x-place", 1, &value, &len));
    check_value(hearth_status_trailer, &status, 0, "trailer");
    assert_false(hearth_status_trailer(&status, "x-place", 1, &value, &len));
    check_value(hearth_status_metadata, &status, 0, "header");
    check_value(hearth_status_metadata, &status, 1, "trailer");
    assert_false(hearth_status_metadata(&status, "x-place", 2, &value, &len));
    hearth_status_clear(&status);
}

/* Trailers only: a call that failed at once. And a call that never reached anyone has neither. */
static void a_failure_has_no_headers(void **state)
{
    struct world *w = *state;
    struct hearth_status status;
    const uint8_t *value;
    size_t len;
    Grpc__Testing__SimpleRequest in;
    Grpc__Testing__SimpleResponse *out = NULL;
    grpc__testing__simple_request__init(&in);
    assert_int_equal(grpc_testing_test_service_unary_call(w->channel, NULL, &in, &out, &status),
                     HEARTH_NOT_FOUND);
    assert_false(hearth_status_header(&status, "x-place", 0, &value, &len));
    assert_false(hearth_status_trailer(&status, "x-place", 0, &value, &len));
    hearth_status_clear(&status);
    struct hearth_channel *nobody = hearth_channel_new("127.0.0.1:1", NULL);
    assert_int_equal(grpc_testing_test_service_unary_call(nobody, NULL, &in, &out, &status),
                     HEARTH_UNAVAILABLE);
    assert_false(hearth_status_header(&status, "x-place", 0, &value, &len));
    assert_false(hearth_status_trailer(&status, "x-place", 0, &value, &len));
    hearth_status_clear(&status);
    hearth_channel_free(nobody);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_message_says_for_itself),
        TEST(unary_calls_tell),
        TEST(headers_and_trailers_are_told_apart),
        TEST(a_failure_has_no_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
