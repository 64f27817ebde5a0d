/* Cases of streams: sizes in order, half-close, cancellation, deadlines. */
#include <time.h>

#include "interop/client.h"

static const size_t request_sizes[] = {27182, 8, 1828, 45904};
static const size_t response_sizes[] = {31415, 9, 2653, 58979};
enum { SIZES = 4 };

/* Reads one message of the given size. */
static bool read_one(struct hearth_stream *stream, size_t size)
{
    /* all three streams answer with the same type */
    Grpc__Testing__StreamingOutputCallResponse *item =
        grpc_testing_test_service_full_duplex_call_read(stream);
    if (item == NULL)
        return complain("the stream ended where %zu bytes are due", size);
    bool good = payload_is(item->payload, size);
    grpc__testing__streaming_output_call_response__free_unpacked(item, NULL);
    return good;
}

/* Nothing more comes and the call ends as wanted. `good` is what was found so far. */
static bool ends(struct hearth_stream *stream, bool good, enum hearth_code want)
{
    struct hearth_status status;
    hearth_stream_half_close(stream);
    Grpc__Testing__StreamingOutputCallResponse *item =
        good ? grpc_testing_test_service_full_duplex_call_read(stream) : NULL;
    if (item != NULL) {
        grpc__testing__streaming_output_call_response__free_unpacked(item, NULL);
        good = complain("more responses than asked for");
    }
    if (!good)
        hearth_stream_cancel(stream);
    (void)hearth_stream_finish(stream, &status);
    good = good && code_is("the stream", want, &status);
    hearth_status_clear(&status);
    return good;
}

static bool client_streaming(struct client *client)
{
    struct hearth_status status;
    Grpc__Testing__StreamingInputCallRequest in;
    Grpc__Testing__StreamingInputCallResponse *out = NULL;
    struct simple s;
    grpc__testing__streaming_input_call_request__init(&in);
    struct hearth_stream *stream =
        grpc_testing_test_service_streaming_input_call_open(client->channel, NULL);
    if (stream == NULL)
        return complain("no stream");
    for (int i = 0; i < SIZES; i++) {
        simple_init(&s, request_sizes[i], 0);
        in.payload = &s.payload;
        if (!grpc_testing_test_service_streaming_input_call_send(stream, &in))
            break;
    }
    (void)grpc_testing_test_service_streaming_input_call_finish(stream, &out, &status);
    bool good = code_is("StreamingInputCall", HEARTH_OK, &status);
    if (good && out->aggregated_payload_size != 74922)
        good = complain("%d bytes counted, want 74922", out->aggregated_payload_size);
    if (out != NULL)
        grpc__testing__streaming_input_call_response__free_unpacked(out, NULL);
    hearth_status_clear(&status);
    return good;
}

static bool server_streaming(struct client *client)
{
    struct output o;
    output_init(&o, 0);
    for (int i = 0; i < SIZES; i++)
        output_add(&o, response_sizes[i]);
    struct hearth_stream *stream =
        grpc_testing_test_service_streaming_output_call_open(client->channel, NULL, &o.in);
    if (stream == NULL)
        return complain("no stream");
    bool good = true;
    for (int i = 0; i < SIZES && good; i++)
        good = read_one(stream, response_sizes[i]);
    return ends(stream, good, HEARTH_OK);
}

static bool ping_pong(struct client *client)
{
    struct output o;
    struct hearth_stream *stream =
        grpc_testing_test_service_full_duplex_call_open(client->channel, NULL);
    if (stream == NULL)
        return complain("no stream");
    bool good = true;
    for (int i = 0; i < SIZES && good; i++) {
        output_init(&o, request_sizes[i]);
        output_add(&o, response_sizes[i]);
        good = grpc_testing_test_service_full_duplex_call_send(stream, &o.in) &&
               read_one(stream, response_sizes[i]);
    }
    return ends(stream, good, HEARTH_OK);
}

static bool half_duplex(struct client *client)
{
    struct output o;
    struct hearth_stream *stream =
        grpc_testing_test_service_half_duplex_call_open(client->channel, NULL);
    if (stream == NULL)
        return complain("no stream");
    bool good = true;
    for (int i = 0; i < SIZES && good; i++) {
        output_init(&o, request_sizes[i]);
        output_add(&o, response_sizes[i]);
        good = grpc_testing_test_service_half_duplex_call_send(stream, &o.in);
    }
    hearth_stream_half_close(stream);
    for (int i = 0; i < SIZES && good; i++)
        good = read_one(stream, response_sizes[i]);
    return ends(stream, good, HEARTH_OK);
}

static bool empty_stream(struct client *client)
{
    struct hearth_stream *stream =
        grpc_testing_test_service_full_duplex_call_open(client->channel, NULL);
    if (stream == NULL)
        return complain("no stream");
    return ends(stream, true, HEARTH_OK);
}

static bool cancel_after_begin(struct client *client)
{
    struct hearth_status status;
    Grpc__Testing__StreamingInputCallResponse *out = NULL;
    struct hearth_stream *stream =
        grpc_testing_test_service_streaming_input_call_open(client->channel, NULL);
    if (stream == NULL)
        return complain("no stream");
    hearth_stream_cancel(stream);
    (void)grpc_testing_test_service_streaming_input_call_finish(stream, &out, &status);
    bool good = code_is("StreamingInputCall", HEARTH_CANCELLED, &status);
    hearth_status_clear(&status);
    return good;
}

static bool cancel_after_first_response(struct client *client)
{
    struct output o;
    output_init(&o, 27182);
    output_add(&o, 31415);
    struct hearth_stream *stream =
        grpc_testing_test_service_full_duplex_call_open(client->channel, NULL);
    if (stream == NULL)
        return complain("no stream");
    bool good =
        grpc_testing_test_service_full_duplex_call_send(stream, &o.in) && read_one(stream, 31415);
    hearth_stream_cancel(stream);
    return ends(stream, good, HEARTH_CANCELLED);
}

static bool timeout_on_sleeping_server(struct client *client)
{
    struct output o;
    struct hearth_call_options options = {.deadline_ms = 1};
    output_init(&o, 27182);
    struct hearth_stream *stream =
        grpc_testing_test_service_full_duplex_call_open(client->channel, &options);
    if (stream == NULL)
        return complain("no stream");
    (void)grpc_testing_test_service_full_duplex_call_send(stream, &o.in);
    /* not half-closed: the server has nothing to end the call for */
    Grpc__Testing__StreamingOutputCallResponse *item =
        grpc_testing_test_service_full_duplex_call_read(stream);
    if (item != NULL)
        grpc__testing__streaming_output_call_response__free_unpacked(item, NULL);
    return ends(stream, item == NULL, HEARTH_DEADLINE_EXCEEDED);
}

/* The server is slowed down by flow control and nothing is lost. */
static bool slow_consumer(struct client *client)
{
    enum { MESSAGES = 2000, BYTES = 1030 };
    static Grpc__Testing__ResponseParameters parameters[MESSAGES], *at[MESSAGES];
    struct output o;
    unsigned ms = client->settings->slow_consumer_ms;
    struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
    output_init(&o, 0);
    for (int i = 0; i < MESSAGES; i++) {
        grpc__testing__response_parameters__init(&parameters[i]);
        parameters[i].size = BYTES;
        at[i] = &parameters[i];
    }
    o.in.response_parameters = at;
    o.in.n_response_parameters = MESSAGES;
    struct hearth_stream *stream =
        grpc_testing_test_service_streaming_output_call_open(client->channel, NULL, &o.in);
    if (stream == NULL)
        return complain("no stream");
    bool good = true;
    for (int i = 0; i < MESSAGES && good; i++) {
        good = read_one(stream, BYTES);
        nanosleep(&wait, NULL);
    }
    return ends(stream, good, HEARTH_OK);
}

const struct test_case stream_cases[] = {
    {"client_streaming", client_streaming},
    {"server_streaming", server_streaming},
    {"ping_pong", ping_pong},
    {"half_duplex", half_duplex},
    {"empty_stream", empty_stream},
    {"cancel_after_begin", cancel_after_begin},
    {"cancel_after_first_response", cancel_after_first_response},
    {"timeout_on_sleeping_server", timeout_on_sleeping_server},
    {"slow_consumer", slow_consumer},
    {NULL, NULL},
};
