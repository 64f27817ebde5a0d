/* Calls and streams. */
#include "client/api/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/api/inside.h"
#include "hearth/v1/attachment_rpc.h"
#include "hearth/v1/auth_rpc.h"
#include "hearth/v1/delivery_rpc.h"
#include "hearth/v1/info_rpc.h"
#include "hearth/v1/queue_rpc.h"
#include "hearth/v1/relay_rpc.h"
#include "hearth/v1/transparency_rpc.h"

struct api_call {
    struct api_call *next, **at;
    struct api *api;
    struct api_channel *channel; /* NULL: the api is gone */
    struct api_signing signing;
    struct hearth_client_call *call;
    api_done *done; /* NULL: cancelled */
    void *arg;
};

struct api_stream {
    struct api_stream *next, **at;
    struct api_channel *channel;
    struct api_signing signing;
    const struct hearth_stream_events *events;
    void *arg;
};

/* ---- open and close */

static char *copy_of(const char *text, struct err *err)
{
    if (text == NULL || !err_is_ok(*err))
        return NULL;
    char *copy = strdup(text);
    if (copy == NULL)
        *err = ERR(NO_MEMORY);
    return copy;
}

struct err api_new(const struct api_options *options, struct api **ret_api)
{
    struct api *api = calloc(1, sizeof *api);
    if (api == NULL)
        return ERR(NO_MEMORY);
    struct err err = ERR_OK;
    api->loop = options->loop;
    api->clock = options->clock;
    api->rng = options->rng;
    api->ca_file = copy_of(options->ca_file, &err);
    api->user_agent = copy_of(options->user_agent, &err);
    api->dns_servers = copy_of(options->dns_servers, &err);
    if (err_is_ok(err))
        err = targets_read(api, options->homeservers);
    if (!err_is_ok(err)) {
        api_free(api);
        return err;
    }
    *ret_api = api;
    return ERR_OK;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    channels_clear(api); /* cancels; ends of calls may come later, and look whether we are here */
    for (struct api_call *c = api->calls; c != NULL; c = c->next)
        c->channel = NULL;
    for (struct api_stream *s = api->streams; s != NULL; s = s->next)
        s->channel = NULL;
    if (api->calls != NULL)
        api->calls->at = NULL;
    if (api->streams != NULL)
        api->streams->at = NULL;
    targets_clear(api);
    free(api->ca_file);
    free(api->user_agent);
    free(api->dns_servers);
    free(api);
}

void api_silence(struct api *api)
{
    api->silent = true;
}

static void signing_init(const struct api *api, const struct api_to *to, struct api_signing *ret)
{
    *ret = (struct api_signing){.clock = api->clock, .rng = api->rng, .caller = to->caller};
    (void)snprintf(ret->audience, sizeof ret->audience, "%s", to->domain);
}

/* ---- unary calls */

static void call_over(struct api_call *c)
{
    if (c->at != NULL)
        *c->at = c->next;
    if (c->next != NULL)
        c->next->at = c->at;
    if (c->channel != NULL)
        c->channel->calls--;
    free(c);
}

static void on_done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct api_call *c = arg;
    api_done *done = c->done;
    void *done_arg = c->arg;
    if (c->channel != NULL && out != NULL)
        c->api->costs.bytes_in += protobuf_c_message_get_packed_size(out);
    call_over(c);
    if (done != NULL)
        done(status, out, done_arg);
}

struct err api_start(struct api *api, const struct api_to *to,
                     const struct hearth_endpoint *endpoint, const ProtobufCMessage *in,
                     api_done *done, void *arg, struct api_call **ret_call)
{
    struct api_channel *channel;
    TRY(channel_for(api, to, endpoint, &channel));
    struct api_call *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR(NO_MEMORY);
    c->done = done;
    c->arg = arg;
    signing_init(api, to, &c->signing);
    struct api_headers headers;
    struct hearth_call_options options = api_call_options(to, &c->signing, &headers);
    c->call = hearth_channel_start(channel->channel, endpoint, &options, in, on_done, c);
    if (c->call == NULL) {
        free(c);
        return ERR(NO_MEMORY);
    }
    c->api = api;
    api->costs.calls++;
    api->costs.bytes_out += protobuf_c_message_get_packed_size(in);
    c->channel = channel;
    channel->calls++;
    c->next = api->calls;
    c->at = &api->calls;
    if (c->next != NULL)
        c->next->at = &c->next;
    api->calls = c;
    *ret_call = c;
    return ERR_OK;
}

const struct api_costs *api_costs(const struct api *api)
{
    return &api->costs;
}

void api_cancel(struct api_call *call)
{
    call->done = NULL;
    hearth_client_call_cancel(call->call);
}

/* ---- streams */

static void stream_headers(struct hearth_client_call *call, void *arg)
{
    struct api_stream *s = arg;
    if (s->events->on_headers != NULL)
        s->events->on_headers(call, s->arg);
}

static void stream_message(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg)
{
    struct api_stream *s = arg;
    if (s->events->on_message != NULL)
        s->events->on_message(call, item, s->arg);
}

static void stream_writable(struct hearth_client_call *call, void *arg)
{
    struct api_stream *s = arg;
    if (s->events->on_writable != NULL)
        s->events->on_writable(call, s->arg);
}

static void stream_done(struct hearth_client_call *call, const struct hearth_status *status,
                        void *arg)
{
    struct api_stream *s = arg;
    struct api_stream copy = *s;
    if (s->at != NULL)
        *s->at = s->next;
    if (s->next != NULL)
        s->next->at = s->at;
    if (s->channel != NULL)
        s->channel->calls--;
    free(s);
    copy.events->on_done(call, status, copy.arg);
}

struct err api_open(struct api *api, const struct api_to *to,
                    const struct hearth_endpoint *endpoint,
                    const struct hearth_stream_events *events, void *arg,
                    struct hearth_client_call **ret_call)
{
    static const struct hearth_stream_events ours = {.on_headers = stream_headers,
                                                     .on_message = stream_message,
                                                     .on_writable = stream_writable,
                                                     .on_done = stream_done};
    struct api_channel *channel;
    TRY(channel_for(api, to, endpoint, &channel));
    struct api_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR(NO_MEMORY);
    s->events = events;
    s->arg = arg;
    signing_init(api, to, &s->signing);
    struct api_headers headers;
    struct hearth_call_options options = api_call_options(to, &s->signing, &headers);
    options.deadline_ms = to->deadline_ms; /* a stream has none unless it is said */
    struct hearth_client_call *call =
        hearth_channel_open(channel->channel, endpoint, &options, &ours, s);
    if (call == NULL) {
        free(s);
        return ERR(NO_MEMORY);
    }
    api->costs.calls++;
    s->channel = channel;
    channel->calls++;
    s->next = api->streams;
    s->at = &api->streams;
    if (s->next != NULL)
        s->next->at = &s->next;
    api->streams = s;
    *ret_call = call;
    return ERR_OK;
}

/* ---- names */

const struct hearth_endpoint *api_endpoint(const char *service, const char *method)
{
    static const struct hearth_service *const services[] = {
        &hearth_info_descriptor,     &hearth_auth_descriptor,       &hearth_queue_descriptor,
        &hearth_delivery_descriptor, &hearth_attachment_descriptor, &hearth_transparency_descriptor,
        &hearth_relay_descriptor,
    };
    char path[128];
    int len = snprintf(path, sizeof path, "/hearth.v1.%s/%s", service, method);
    if (len < 0 || (size_t)len >= sizeof path)
        return NULL;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        for (size_t k = 0; k < services[i]->endpoint_count; k++)
            if (strcmp(services[i]->endpoints[k].path, path) == 0)
                return &services[i]->endpoints[k];
    return NULL;
}
