#include "rpc/server_core.h"

#include <stdlib.h>

static const struct hearth_server_limits defaults = {
    .connections = 8000,
    .connections_per_prefix = 64,
    .prefix_bits_v4 = 32,
    .prefix_bits_v6 = 64,
    .accepts_per_s = 10,
    .accepts_burst = 30,
    .handshakes = 256,
    .handshake_ms = 5000,
    .first_request_ms = 10000,
    .idle_ms = 300000,
    .keepalive_ms = 60000,
    .keepalive_timeout_ms = 20000,
    .age_ms = 0,
    .streams = 32,
    .stream_window_bytes = 64 * 1024,
    .connection_window_bytes = 256 * 1024,
    .header_bytes = 8 * 1024,
    .glitch_burst = 100,
    .glitches_per_s = 3,
    .reset_burst = 100,
    .resets_per_s = 10,
    .slow_body_ms = 5000,
    .slow_body_bytes_per_s = 1024,
    .send_buffer_bytes = 64 * 1024,
    .unread_ms = 30000,
};

static void fill(uint32_t *value, uint32_t usual)
{
    if (*value == 0)
        *value = usual;
}

static void fill_in(struct hearth_server_limits *l)
{
    fill(&l->connections, defaults.connections);
    fill(&l->connections_per_prefix, defaults.connections_per_prefix);
    fill(&l->prefix_bits_v4, defaults.prefix_bits_v4);
    fill(&l->prefix_bits_v6, defaults.prefix_bits_v6);
    fill(&l->accepts_per_s, defaults.accepts_per_s);
    fill(&l->accepts_burst, defaults.accepts_burst);
    fill(&l->handshakes, defaults.handshakes);
    fill(&l->handshake_ms, defaults.handshake_ms);
    fill(&l->first_request_ms, defaults.first_request_ms);
    fill(&l->idle_ms, defaults.idle_ms);
    fill(&l->keepalive_ms, defaults.keepalive_ms);
    fill(&l->keepalive_timeout_ms, defaults.keepalive_timeout_ms);
    fill(&l->streams, defaults.streams);
    fill(&l->stream_window_bytes, defaults.stream_window_bytes);
    fill(&l->connection_window_bytes, defaults.connection_window_bytes);
    fill(&l->header_bytes, defaults.header_bytes);
    fill(&l->glitch_burst, defaults.glitch_burst);
    fill(&l->glitches_per_s, defaults.glitches_per_s);
    fill(&l->reset_burst, defaults.reset_burst);
    fill(&l->resets_per_s, defaults.resets_per_s);
    fill(&l->slow_body_ms, defaults.slow_body_ms);
    fill(&l->slow_body_bytes_per_s, defaults.slow_body_bytes_per_s);
    fill(&l->send_buffer_bytes, defaults.send_buffer_bytes);
    fill(&l->unread_ms, defaults.unread_ms);
}

struct err server_core_init(struct server_core *core, const struct hearth_server_options *options)
{
    *core = (struct server_core){0};
    if (options != NULL) {
        core->limits = options->limits;
        core->page_path = options->page_path;
        core->page = options->page;
        core->page_len = options->page_len;
        core->pressure = options->pressure;
        core->pressure_self = options->pressure_self;
        if (options->interceptor_count > 0) {
            core->interceptors = calloc(options->interceptor_count, sizeof *core->interceptors);
            if (core->interceptors == NULL)
                return ERR(NO_MEMORY);
            memcpy(core->interceptors, options->interceptors,
                   options->interceptor_count * sizeof *core->interceptors);
            core->interceptor_count = options->interceptor_count;
        }
    }
    fill_in(&core->limits);
    const struct hearth_server_limits *l = &core->limits;
    core->h2_limits = (struct h2_limits){
        .streams = l->no_limits ? 10000 : l->streams,
        .stream_window_bytes = l->stream_window_bytes,
        .connection_window_bytes = l->connection_window_bytes,
        .header_bytes = l->header_bytes,
        .glitch_burst = l->glitch_burst,
        .glitches_per_s = l->glitches_per_s,
        .reset_burst = l->reset_burst,
        .resets_per_s = l->resets_per_s,
        .off = l->no_limits,
    };
    return ERR_OK;
}

void server_core_clear(struct server_core *core)
{
    registry_clear(&core->registry);
    free(core->interceptors);
    *core = (struct server_core){0};
}
