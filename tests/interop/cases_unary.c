/* Cases of single calls: sizes, metadata, status, what is not implemented. */
#include <string.h>

#include "interop/client.h"

static bool empty_unary(struct client *client)
{
    struct hearth_status status;
    Grpc__Testing__Empty in, *out = NULL;
    grpc__testing__empty__init(&in);
    (void)grpc_testing_test_service_empty_call(client->channel, NULL, &in, &out, &status);
    bool good = code_is("EmptyCall", HEARTH_OK, &status) && out != NULL;
    if (out != NULL)
        grpc__testing__empty__free_unpacked(out, NULL);
    hearth_status_clear(&status);
    return good;
}

static bool large_unary_case(struct client *client)
{
    struct hearth_status status;
    struct simple s;
    simple_init(&s, LARGE_REQUEST_BYTES, LARGE_RESPONSE_BYTES);
    bool good = large_unary(client->channel, NULL, &s, &status);
    hearth_status_clear(&status);
    return good;
}

/* ---- metadata ---- */

static const char initial_value[] = "test_initial_metadata_value";
static const struct hearth_metadata echoed[] = {
    {"x-grpc-test-echo-initial", initial_value, sizeof initial_value - 1},
    {"x-grpc-test-echo-trailing-bin", "\xab\xab\xab", 3},
};

static bool metadata_came_back(const char *what, const struct hearth_status *status)
{
    const uint8_t *value;
    size_t len;
    if (!code_is(what, HEARTH_OK, status))
        return false;
    if (!hearth_status_header(status, echoed[0].name, 0, &value, &len) || len != echoed[0].len ||
        memcmp(value, echoed[0].value, len) != 0)
        return complain("%s: the header is not echoed", what);
    if (!hearth_status_trailer(status, echoed[1].name, 0, &value, &len) || len != echoed[1].len ||
        memcmp(value, echoed[1].value, len) != 0)
        return complain("%s: the binary trailer is not echoed", what);
    return true;
}

static bool custom_metadata(struct client *client)
{
    struct hearth_call_options options = {.metadata = echoed, .metadata_count = 2};
    struct hearth_status status;
    struct simple s;
    struct output o;
    simple_init(&s, LARGE_REQUEST_BYTES, LARGE_RESPONSE_BYTES);
    bool good = large_unary(client->channel, &options, &s, &status) &&
                metadata_came_back("UnaryCall", &status);
    hearth_status_clear(&status);
    if (!good)
        return false;

    output_init(&o, LARGE_REQUEST_BYTES);
    output_add(&o, LARGE_RESPONSE_BYTES);
    struct hearth_stream *stream =
        grpc_testing_test_service_full_duplex_call_open(client->channel, &options);
    if (stream == NULL)
        return complain("no stream");
    (void)grpc_testing_test_service_full_duplex_call_send(stream, &o.in);
    hearth_stream_half_close(stream);
    (void)hearth_stream_finish(stream, &status);
    good = metadata_came_back("FullDuplexCall", &status);
    hearth_status_clear(&status);
    return good;
}

/* ---- status ---- */

static bool message_is(const char *what, const struct hearth_status *status, const char *text)
{
    if (!code_is(what, HEARTH_UNKNOWN, status))
        return false;
    if (status->message == NULL || strcmp(status->message, text) != 0)
        return complain("%s: the message is \"%s\"", what,
                        status->message != NULL ? status->message : "");
    return true;
}

static bool unary_status(struct client *client, char *text)
{
    struct hearth_status status;
    Grpc__Testing__SimpleResponse *out;
    struct simple s;
    simple_init(&s, 0, 0);
    s.echo.code = HEARTH_UNKNOWN;
    s.echo.message = text;
    s.in.response_status = &s.echo;
    (void)grpc_testing_test_service_unary_call(client->channel, NULL, &s.in, &out, &status);
    if (out != NULL)
        grpc__testing__simple_response__free_unpacked(out, NULL);
    bool good = message_is("UnaryCall", &status, text);
    hearth_status_clear(&status);
    return good;
}

static bool status_code_and_message(struct client *client)
{
    static char text[] = "test status message";
    struct hearth_status status;
    struct output o;
    if (!unary_status(client, text))
        return false;
    output_init(&o, 0);
    o.echo.code = HEARTH_UNKNOWN;
    o.echo.message = text;
    o.in.response_status = &o.echo;
    struct hearth_stream *stream =
        grpc_testing_test_service_full_duplex_call_open(client->channel, NULL);
    if (stream == NULL)
        return complain("no stream");
    (void)grpc_testing_test_service_full_duplex_call_send(stream, &o.in);
    hearth_stream_half_close(stream);
    (void)hearth_stream_finish(stream, &status);
    bool good = message_is("FullDuplexCall", &status, text);
    hearth_status_clear(&status);
    return good;
}

static bool special_status_message(struct client *client)
{
    static char text[] = "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
                         "\xf0\x9f\x98\x88\t\n";
    return unary_status(client, text);
}

static bool unimplemented_method(struct client *client)
{
    struct hearth_status status;
    Grpc__Testing__Empty in, *out;
    grpc__testing__empty__init(&in);
    (void)grpc_testing_test_service_unimplemented_call(client->channel, NULL, &in, &out, &status);
    bool good = code_is("UnimplementedCall", HEARTH_UNIMPLEMENTED, &status);
    hearth_status_clear(&status);
    return good;
}

static bool unimplemented_service(struct client *client)
{
    struct hearth_status status;
    Grpc__Testing__Empty in, *out;
    grpc__testing__empty__init(&in);
    (void)grpc_testing_unimplemented_service_unimplemented_call(client->channel, NULL, &in, &out,
                                                                &status);
    bool good = code_is("UnimplementedService", HEARTH_UNIMPLEMENTED, &status);
    hearth_status_clear(&status);
    return good;
}

static bool cacheable_unary(struct client *client)
{
    struct hearth_status status;
    Grpc__Testing__SimpleResponse *out = NULL;
    struct simple s;
    simple_init(&s, 8, 0);
    (void)grpc_testing_test_service_cacheable_unary_call(client->channel, NULL, &s.in, &out,
                                                         &status);
    bool good = code_is("CacheableUnaryCall", HEARTH_OK, &status);
    if (good && (out->payload == NULL || out->payload->body.len == 0))
        good = complain("no timestamp");
    if (out != NULL)
        grpc__testing__simple_response__free_unpacked(out, NULL);
    hearth_status_clear(&status);
    return good;
}

const struct test_case unary_cases[] = {
    {"empty_unary", empty_unary},
    {"large_unary", large_unary_case},
    {"custom_metadata", custom_metadata},
    {"status_code_and_message", status_code_and_message},
    {"special_status_message", special_status_message},
    {"unimplemented_method", unimplemented_method},
    {"unimplemented_service", unimplemented_service},
    {"cacheable_unary", cacheable_unary},
    {NULL, NULL},
};
