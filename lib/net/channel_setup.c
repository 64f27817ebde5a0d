/* What a channel is told when it is made: options, target, texts, TLS. */
#include <stdio.h>
#include <stdlib.h>

#include "net/channel.h"

static void fill(uint32_t *value, uint32_t usual)
{
    if (*value == 0)
        *value = usual;
}

static void fill_in(struct hearth_channel_options *o)
{
    fill(&o->connect_timeout_ms, 20000);
    fill(&o->backoff_min_ms, 1000);
    fill(&o->backoff_max_ms, 120000);
    fill(&o->keepalive_timeout_ms, 20000);
    fill(&o->idle_ms, 1800000);
    fill(&o->attempts, 4);
    fill(&o->stream_window_bytes, 256 * 1024);
    fill(&o->connection_window_bytes, 1024 * 1024);
}

static struct err add_address(struct hearth_channel *channel, const char *host, const char *port)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s:%s", host, port);
    return address_parse(text, &channel->addresses[channel->address_count++]);
}

/* Addresses for what is one, or `localhost`, which is nobody's to answer (RFC 6761 6.3); any other
 * name is kept to be resolved. */
static struct err find_address(struct hearth_channel *channel, const char *target, char *host,
                               size_t host_bytes)
{
    char port[6];
    if (strncmp(target, "unix:", 5) == 0) {
        (void)snprintf(host, host_bytes, "localhost");
        channel->address_count = 1;
        return address_parse(target, &channel->addresses[0]);
    }
    TRY(address_split(target, host, host_bytes, port));
    channel->port = (uint16_t)strtoul(port, NULL, 10);
    if (strcmp(host, "localhost") == 0) {
        TRY(add_address(channel, "127.0.0.1", port));
        return add_address(channel, "[::1]", port);
    }
    if (err_is_ok(address_parse(target, &channel->addresses[0]))) {
        channel->address_count = 1;
        return ERR_OK;
    }
    if (strchr(host, ':') != NULL) /* brackets hold numbers */
        return ERR(ADDRESS);
    channel->host = strdup(host);
    return channel->host != NULL ? ERR_OK : ERR(NO_MEMORY);
}

struct err channel_set_up(struct hearth_channel *channel, const char *target,
                          const struct hearth_channel_options *options)
{
    char host[256], error[200];
    const struct hearth_tls_options *tls = options != NULL ? options->tls : NULL;
    if (options != NULL)
        channel->options = *options;
    fill_in(&channel->options);
    channel->limits = (struct h2_limits){
        .stream_window_bytes = channel->options.stream_window_bytes,
        .connection_window_bytes = channel->options.connection_window_bytes,
        .header_bytes = 64 * 1024,
        .off = true,
    };
    bool is_pipe = pipe_name_of(target) != NULL;
    (void)snprintf(host, sizeof host, "localhost");
    if (is_pipe && (tls != NULL || options == NULL || options->loop == NULL))
        return ERR(ADDRESS); /* pipes are plain, and join what runs on one loop */
    if (is_pipe && options->public_only)
        return ERR(ADDRESS);
    if (!is_pipe && options != NULL && options->loop != NULL && options->loop->base == NULL)
        return ERR(ADDRESS); /* a stepped loop has no sockets */
    if (!is_pipe)
        TRY(find_address(channel, target, host, sizeof host));
    const char *agent = options != NULL ? options->user_agent : NULL;
    const char *servers = options != NULL ? options->dns_servers : NULL;
    channel->dns_servers = servers != NULL ? strdup(servers) : NULL;
    if (servers != NULL && channel->dns_servers == NULL)
        return ERR(NO_MEMORY);
    const char *service = options != NULL && !is_pipe ? options->service : NULL;
    channel->service = service != NULL ? strdup(service) : NULL;
    if (service != NULL && channel->service == NULL)
        return ERR(NO_MEMORY);
    channel->target = strdup(target);
    /* The path of a Unix socket is no authority: a slash there makes the request malformed. */
    const char *authority = strncmp(target, "unix:", 5) == 0 ? "localhost" : target;
    if (options != NULL && options->authority != NULL)
        authority = options->authority;
    channel->authority = strdup(authority);
    channel->server_name =
        strdup(tls != NULL && tls->server_name != NULL ? tls->server_name : host);
    if (asprintf(&channel->user_agent, "%s%sgrpc-c-hearth/0.1", agent != NULL ? agent : "",
                 agent != NULL ? " " : "") < 0)
        channel->user_agent = NULL;
    if (channel->target == NULL || channel->authority == NULL || channel->server_name == NULL ||
        channel->user_agent == NULL)
        return ERR(NO_MEMORY);
    channel->pipe_name = pipe_name_of(channel->target);
    if (tls != NULL) {
        struct err err = tls_context_new(tls, false, error, sizeof error, &channel->tls);
        if (err.code == ERR_TLS_FILES)
            channel->tls_error = strdup(error); /* every call will say so */
        if (!err_is_ok(err) && channel->tls_error == NULL)
            return err;
    }
    if (options != NULL && options->interceptor_count > 0) {
        size_t size = options->interceptor_count * sizeof *options->interceptors;
        struct hearth_signer *copy = malloc(size);
        if (copy == NULL)
            return ERR(NO_MEMORY);
        memcpy(copy, options->interceptors, size);
        channel->owner.interceptors = copy;
        channel->owner.interceptor_count = options->interceptor_count;
    }
    channel->owns_loop = options == NULL || options->loop == NULL;
    channel->loop = channel->owns_loop ? hearth_loop_new(NULL) : options->loop;
    return channel->loop == NULL ? ERR(NO_MEMORY) : ERR_OK;
}
