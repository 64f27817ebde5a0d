/* Cases of gzip: each message says for itself whether it is compressed. */
#include "interop/client.h"

/* An uncompressed message that claims to be compressed: a server that looks refuses it. */
static bool unary_probe(struct client *client)
{
    struct hearth_status status;
    Grpc__Testing__SimpleResponse *out;
    struct simple s;
    simple_init(&s, LARGE_REQUEST_BYTES, LARGE_RESPONSE_BYTES);
    simple_expect(&s, true);
    (void)grpc_testing_test_service_unary_call(client->channel, NULL, &s.in, &out, &status);
    if (out != NULL)
        grpc__testing__simple_response__free_unpacked(out, NULL);
    bool good = code_is("the probe", HEARTH_INVALID_ARGUMENT, &status);
    hearth_status_clear(&status);
    return good;
}

static bool client_compressed_unary(struct client *client)
{
    bool good = unary_probe(client);
    for (int i = 0; i < 2 && good; i++) {
        struct hearth_status status;
        struct simple s;
        bool compressed = i == 0;
        struct hearth_call_options options = {.compress = compressed};
        simple_init(&s, LARGE_REQUEST_BYTES, LARGE_RESPONSE_BYTES);
        simple_expect(&s, compressed);
        good = large_unary(client->channel, &options, &s, &status);
        hearth_status_clear(&status);
    }
    return good;
}

static bool server_compressed_unary(struct client *client)
{
    bool good = true;
    for (int i = 0; i < 2 && good; i++) {
        struct hearth_status status;
        struct simple s;
        bool compressed = i == 0;
        simple_init(&s, LARGE_REQUEST_BYTES, LARGE_RESPONSE_BYTES);
        simple_want(&s, compressed);
        good = large_unary(client->channel, NULL, &s, &status);
        if (good && status.compressed != compressed)
            good = complain("the response is %scompressed", compressed ? "not " : "");
        hearth_status_clear(&status);
    }
    return good;
}

static bool send(struct hearth_stream *stream, size_t bytes, bool claimed, bool compressed)
{
    Grpc__Testing__StreamingInputCallRequest in;
    struct simple s;
    simple_init(&s, bytes, 0);
    simple_expect(&s, claimed);
    grpc__testing__streaming_input_call_request__init(&in);
    in.payload = &s.payload;
    in.expect_compressed = &s.expect_compressed;
    hearth_stream_compress(stream, compressed);
    return grpc_testing_test_service_streaming_input_call_send(stream, &in);
}

static bool stream_probe(struct client *client)
{
    struct hearth_status status;
    struct hearth_call_options options = {.compress = true};
    Grpc__Testing__StreamingInputCallResponse *out = NULL;
    struct hearth_stream *stream =
        grpc_testing_test_service_streaming_input_call_open(client->channel, &options);
    if (stream == NULL)
        return complain("no stream");
    (void)send(stream, 27182, true, false);
    (void)grpc_testing_test_service_streaming_input_call_finish(stream, &out, &status);
    if (out != NULL)
        grpc__testing__streaming_input_call_response__free_unpacked(out, NULL);
    bool good = code_is("the probe", HEARTH_INVALID_ARGUMENT, &status);
    hearth_status_clear(&status);
    return good;
}

static bool client_compressed_streaming(struct client *client)
{
    struct hearth_status status;
    struct hearth_call_options options = {.compress = true};
    Grpc__Testing__StreamingInputCallResponse *out = NULL;
    if (!stream_probe(client))
        return false;
    struct hearth_stream *stream =
        grpc_testing_test_service_streaming_input_call_open(client->channel, &options);
    if (stream == NULL)
        return complain("no stream");
    if (send(stream, 27182, true, true))
        (void)send(stream, 45904, false, false);
    (void)grpc_testing_test_service_streaming_input_call_finish(stream, &out, &status);
    bool good = code_is("StreamingInputCall", HEARTH_OK, &status);
    if (good && out->aggregated_payload_size != 73086)
        good = complain("%d bytes counted, want 73086", out->aggregated_payload_size);
    if (out != NULL)
        grpc__testing__streaming_input_call_response__free_unpacked(out, NULL);
    hearth_status_clear(&status);
    return good;
}

static bool server_compressed_streaming(struct client *client)
{
    static const size_t sizes[] = {31415, 92653};
    struct hearth_status status;
    struct output o;
    unsigned count = 0;
    output_init(&o, 0);
    for (int i = 0; i < 2; i++) {
        output_add(&o, sizes[i]);
        output_want(&o, i == 0);
    }
    struct hearth_stream *stream =
        grpc_testing_test_service_streaming_output_call_open(client->channel, NULL, &o.in);
    if (stream == NULL)
        return complain("no stream");
    bool good = true;
    Grpc__Testing__StreamingOutputCallResponse *item;
    while ((item = grpc_testing_test_service_streaming_output_call_read(stream)) != NULL) {
        if (good && count < 2)
            good = payload_is(item->payload, sizes[count]);
        if (good && hearth_stream_message_compressed(stream) != (count == 0))
            good = complain("response %u is %scompressed", count, count == 0 ? "not " : "");
        grpc__testing__streaming_output_call_response__free_unpacked(item, NULL);
        count++;
    }
    (void)hearth_stream_finish(stream, &status);
    good = code_is("StreamingOutputCall", HEARTH_OK, &status) && good;
    hearth_status_clear(&status);
    return count == 2 ? good : complain("%u responses, want 2", count);
}

const struct test_case compressed_cases[] = {
    {"client_compressed_unary", client_compressed_unary},
    {"server_compressed_unary", server_compressed_unary},
    {"client_compressed_streaming", client_compressed_streaming},
    {"server_compressed_streaming", server_compressed_streaming},
    {NULL, NULL},
};
