/* Connections by domain and purpose. */
#include <stdio.h>
#include <stdlib.h>

#include "client/api/inside.h"

enum {
    IDLE_MS = 60000,
    CONNECT_MS = 10000,
    BACKOFF_MIN_MS = 500,
    BACKOFF_MAX_MS = 5000,
    RECORD_BYTES = 256
};
enum { SERVICE_BYTES = DOMAIN_MAX_BYTES + 16 };

static bool fits(const struct api_channel *c, const struct api_to *to,
                 const struct hearth_endpoint *endpoint)
{
    if (strcmp(c->domain, to->domain) != 0 || (c->anonymous != NULL) != (to->purpose == NULL))
        return false;
    return to->purpose == NULL ? strcmp(c->anonymous, endpoint->path) == 0
                               : memcmp(c->purpose, to->purpose, API_PURPOSE_BYTES) == 0;
}

/* The target of a domain: as listed, else by DNS: its SRV records, else itself at the port of
 * HTTPS. ret_service: the name to ask for, empty for a listed one. */
static struct err target_of(struct api *api, const char *domain, char *text, size_t len,
                            char ret_service[SERVICE_BYTES])
{
    ret_service[0] = '\0';
    for (const struct api_target *t = api->targets; t != NULL; t = t->next)
        if (strcmp(t->domain, domain) == 0)
            return snprintf(text, len, "%s", t->target) < (int)len ? ERR_OK : ERR(ARGUMENT);
    TRY(domain_check(bytes_str(domain), false));
    (void)snprintf(text, len, "%s:443", domain);
    (void)snprintf(ret_service, SERVICE_BYTES, "_hearth._tcp.%s", domain);
    return ERR_OK;
}

static void free_one(struct api_channel *c)
{
    hearth_channel_free(c->channel);
    free(c);
}

/* Room for one more: the one that was not used for longest goes. */
static void make_room(struct api *api)
{
    struct api_channel **oldest = NULL;
    size_t count = 0;
    for (struct api_channel **at = &api->channels; *at != NULL; at = &(*at)->next, count++)
        if ((*at)->calls == 0)
            oldest = at;
    if (count < API_CHANNELS_MOST || oldest == NULL)
        return;
    struct api_channel *c = *oldest;
    *oldest = c->next;
    free_one(c);
}

static struct err channel_make(struct api *api, const struct api_to *to,
                               const struct hearth_endpoint *endpoint,
                               struct api_channel **ret_channel)
{
    char target[1024], service[SERVICE_BYTES];
    TRY(target_of(api, to->domain, target, sizeof target, service));
    struct api_channel *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR(NO_MEMORY);
    (void)snprintf(c->domain, sizeof c->domain, "%s", to->domain);
    if (to->purpose == NULL)
        c->anonymous = endpoint->path;
    else
        memcpy(c->purpose, to->purpose, API_PURPOSE_BYTES);
    struct hearth_tls_options tls = {
        .ca_file = api->ca_file, .server_name = c->domain, .record_bytes = RECORD_BYTES}; /* ME1 */
    struct hearth_channel_options options = {
        .tls = strncmp(target, "pipe:", 5) == 0 ? NULL : &tls,
        .loop = api->loop,
        .authority = c->domain,
        .user_agent = api->user_agent,
        .connect_timeout_ms = CONNECT_MS,
        .backoff_min_ms = BACKOFF_MIN_MS,
        .backoff_max_ms = BACKOFF_MAX_MS,
        .idle_ms = IDLE_MS,
        .dns_servers = api->dns_servers,
        .service = service[0] != '\0' ? service : NULL,
    };
    c->channel = hearth_channel_new(target, &options);
    if (c->channel == NULL) {
        free(c);
        return ERR(NO_MEMORY);
    }
    make_room(api);
    *ret_channel = c;
    return ERR_OK;
}

struct err channel_for(struct api *api, const struct api_to *to,
                       const struct hearth_endpoint *endpoint, struct api_channel **ret_channel)
{
    struct api_channel *found = NULL;
    if (api->silent)
        return ERR(RPC_CLOSED);
    if ((to->purpose == NULL && to->caller.kind != 0) || to->tokens.len % API_TOKEN_BYTES != 0 ||
        to->tokens.len > (size_t)API_TOKENS_MOST * API_TOKEN_BYTES)
        return ERR(ARGUMENT);
    TRY(domain_check(bytes_str(to->domain), true));
    for (struct api_channel **at = &api->channels; *at != NULL; at = &(*at)->next) {
        if (fits(*at, to, endpoint)) {
            found = *at;
            *at = found->next;
            break;
        }
    }
    if (found == NULL)
        TRY(channel_make(api, to, endpoint, &found));
    found->next = api->channels;
    api->channels = found;
    *ret_channel = found;
    return ERR_OK;
}

void channels_clear(struct api *api)
{
    while (api->channels != NULL) {
        struct api_channel *c = api->channels;
        api->channels = c->next;
        free_one(c);
    }
}
