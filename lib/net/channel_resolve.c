/* From a channel's target to addresses: SRV records where a service is named, then names. */
#include <stdio.h>
#include <stdlib.h>

#include "net/channel.h"

static void fail(struct hearth_channel *channel, const char *what, struct err err)
{
    char text[160];
    (void)snprintf(text, sizeof text, "%s: %s", what, err_text(err));
    channel_dial_next(channel, text);
}

static void on_addresses(struct err err, const struct address *at, size_t count, void *arg)
{
    struct hearth_channel *channel = arg;
    channel->resolving = NULL;
    memcpy(channel->addresses, at, count * sizeof *at);
    channel->address_count = count;
    channel->next_address = 0;
    fail(channel, channel->target, err); /* unless one of them can be dialed */
}

static void ask_addresses(struct hearth_channel *channel, const char *host, uint16_t port)
{
    channel->address_count = channel->next_address = 0;
    struct err err = resolve_start(channel->loop, channel->dns_servers, host, port, on_addresses,
                                   channel, &channel->resolving);
    if (!err_is_ok(err))
        fail(channel, channel->target, err);
}

/* The target itself. */
static void ask_target(struct hearth_channel *channel)
{
    channel->next_address = 0;
    if (channel->host != NULL)
        ask_addresses(channel, channel->host, channel->port);
    else
        channel_dial_next(channel, "no address");
}

bool channel_resolve_next(struct hearth_channel *channel)
{
    if (channel->next_service == channel->service_count)
        return false;
    const struct resolve_service *s = &channel->services[channel->next_service++];
    ask_addresses(channel, s->host, s->port);
    return true;
}

static struct err keep(struct hearth_channel *channel, const struct resolve_service *at,
                       size_t count)
{
    free(channel->services);
    channel->services = calloc(count, sizeof *at);
    if (channel->services == NULL)
        return ERR(NO_MEMORY);
    memcpy(channel->services, at, count * sizeof *at);
    channel->service_count = count;
    channel->next_service = 0;
    return ERR_OK;
}

/* Only a name that has no records leads on to the target: where nobody could say, going there would
 * be to ask the wrong machine. */
static void on_services(struct err err, const struct resolve_service *at, size_t count, void *arg)
{
    struct hearth_channel *channel = arg;
    channel->resolving = NULL;
    if (err.code == ERR_RESOLVE_NAME) {
        ask_target(channel);
        return;
    }
    channel->address_count = channel->next_address = 0;
    if (err_is_ok(err))
        err = keep(channel, at, count);
    fail(channel, channel->service, err); /* with services the first of them is asked */
}

void channel_resolve(struct hearth_channel *channel)
{
    if (channel->service == NULL) {
        ask_target(channel);
        return;
    }
    struct err err = resolve_srv(channel->loop, channel->dns_servers, channel->service, on_services,
                                 channel, &channel->resolving);
    if (!err_is_ok(err))
        channel_attempt_failed(channel, err_text(err));
}
