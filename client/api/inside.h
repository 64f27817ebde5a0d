/* What the files of client/api share. */
#ifndef CLIENT_API_INSIDE_H
#define CLIENT_API_INSIDE_H

#include "client/api/api.h"
#include "seal/names.h"

enum { API_PURPOSE_BYTES = 16, API_TARGETS_MOST = 256, API_CHANNELS_MOST = 128 };

struct api_target {
    struct api_target *next;
    char domain[DOMAIN_MAX_BYTES + 1];
    char *target;
};

struct api_channel {
    struct api_channel *next; /* most recently used first */
    char domain[DOMAIN_MAX_BYTES + 1];
    const char *anonymous; /* the method's path; NULL: of the purpose */
    uint8_t purpose[API_PURPOSE_BYTES];
    struct hearth_channel *channel;
    unsigned calls; /* under way */
};

struct api {
    struct hearth_loop *loop;
    const struct clock *clock;
    const struct rng *rng;
    char *ca_file, *user_agent, *dns_servers;
    bool silent;
    struct api_target *targets;
    struct api_channel *channels;
    struct api_call *calls;
    struct api_stream *streams;
    struct api_costs costs;
};

/* target.c */
CHECKED struct err targets_read(struct api *api, const char *list);
void targets_clear(struct api *api);
/* channel.c: moves the channel to the front, or makes it. ERR_DOMAIN. */
CHECKED struct err channel_for(struct api *api, const struct api_to *to,
                               const struct hearth_endpoint *endpoint,
                               struct api_channel **ret_channel);
void channels_clear(struct api *api);

/* sign.c: what a signer needs. Copied but for the caller's contents. */
struct api_signing {
    const struct clock *clock;
    const struct rng *rng;
    struct api_caller caller;
    char audience[DOMAIN_MAX_BYTES + 1];
};
struct hearth_signer api_signer(struct api_signing *signing);
/* Headers of a call, which are copied when it starts; borrows to. */
struct api_headers {
    struct hearth_metadata list[2 + API_TOKENS_MOST];
    size_t count;
};
struct hearth_call_options api_call_options(const struct api_to *to, struct api_signing *signing,
                                            struct api_headers *headers);

#endif
