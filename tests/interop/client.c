#include "interop/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t zeros[ZEROS_BYTES];

struct hearth_channel *client_connect(const struct client_settings *s)
{
    char target[300];
    bool v6 = strchr(s->host, ':') != NULL && s->host[0] != '[';
    struct hearth_tls_options tls = {.server_name = s->host_override,
                                     .ca_file = s->use_test_ca ? s->ca_file : NULL};
    struct hearth_channel_options options = {.tls = s->use_tls ? &tls : NULL,
                                             .authority = s->host_override};
    (void)snprintf(target, sizeof target, v6 ? "[%s]:%u" : "%s:%u", s->host, s->port);
    struct hearth_channel *channel = hearth_channel_new(target, &options);
    if (channel == NULL)
        (void)complain("no channel to %s", target);
    return channel;
}

bool complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("interop_client: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return false;
}

bool code_is(const char *what, enum hearth_code want, const struct hearth_status *status)
{
    if (status->code == want)
        return true;
    return complain("%s: %s (%s), want %s", what, hearth_code_name(status->code),
                    status->message != NULL ? status->message : "", hearth_code_name(want));
}

bool payload_is(const Grpc__Testing__Payload *payload, size_t size)
{
    size_t got = payload != NULL ? payload->body.len : 0;
    if (got != size)
        return complain("a payload of %zu bytes, want %zu", got, size);
    for (size_t i = 0; i < got; i++) {
        if (payload->body.data[i] != 0)
            return complain("byte %zu of the payload is not zero", i);
    }
    return true;
}

static void set_payload(Grpc__Testing__Payload *payload, size_t bytes)
{
    grpc__testing__payload__init(payload);
    payload->body = (ProtobufCBinaryData){bytes, zeros};
}

static void set_bool(Grpc__Testing__BoolValue *value, bool on)
{
    grpc__testing__bool_value__init(value);
    value->value = on;
}

void simple_init(struct simple *s, size_t request_bytes, size_t response_bytes)
{
    grpc__testing__simple_request__init(&s->in);
    grpc__testing__echo_status__init(&s->echo);
    set_payload(&s->payload, request_bytes);
    s->in.payload = request_bytes > 0 ? &s->payload : NULL;
    s->in.response_size = (int32_t)response_bytes;
}

void simple_expect(struct simple *s, bool compressed)
{
    set_bool(&s->expect_compressed, compressed);
    s->in.expect_compressed = &s->expect_compressed;
}

void simple_want(struct simple *s, bool compressed)
{
    set_bool(&s->response_compressed, compressed);
    s->in.response_compressed = &s->response_compressed;
}

void output_init(struct output *o, size_t request_bytes)
{
    grpc__testing__streaming_output_call_request__init(&o->in);
    grpc__testing__echo_status__init(&o->echo);
    set_payload(&o->payload, request_bytes);
    o->in.payload = request_bytes > 0 ? &o->payload : NULL;
    o->in.response_parameters = o->at;
}

void output_add(struct output *o, size_t response_bytes)
{
    size_t i = o->in.n_response_parameters++;
    grpc__testing__response_parameters__init(&o->parameters[i]);
    o->parameters[i].size = (int32_t)response_bytes;
    o->at[i] = &o->parameters[i];
}

void output_want(struct output *o, bool compressed)
{
    size_t i = o->in.n_response_parameters - 1;
    set_bool(&o->compressed[i], compressed);
    o->parameters[i].compressed = &o->compressed[i];
}

bool large_unary(struct hearth_channel *channel, const struct hearth_call_options *options,
                 const struct simple *s, struct hearth_status *status)
{
    Grpc__Testing__SimpleResponse *out = NULL;
    (void)grpc_testing_test_service_unary_call(channel, options, &s->in, &out, status);
    if (!code_is("UnaryCall", HEARTH_OK, status))
        return false;
    bool good = payload_is(out->payload, (size_t)s->in.response_size);
    grpc__testing__simple_response__free_unpacked(out, NULL);
    return good;
}
