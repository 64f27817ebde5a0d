/* Where a domain is: as configured, else SRV records of _hearth._tcp, else the domain itself at the
 * port of HTTPS. The certificate must name the domain, whatever host the records point to. What the
 * DNS says is the domain's owner's word: it may not lead into our own network, unless a setting
 * says that it may. */
#include <stdio.h>

#include "server/federation/inside.h"

enum { CONNECT_MS = 10000, IDLE_MS = 300000, HTTPS = 443 };

static void hold(struct peer *peer, int change)
{
    federation_lock(peer->federation);
    peer->refs += (unsigned)change;
    federation_unlock(peer->federation);
}

static void tell(struct peer *peer, struct err result)
{
    struct reach *first = peer->waiting;
    peer->waiting = NULL;
    while (first != NULL) {
        struct reach *reach = first;
        first = reach->next;
        reach->ready(reach, peer, result);
    }
}

/* A pipe of a test has no TLS; only where the operator named it, or a test plays the DNS. */
static bool is_pipe(const struct peer *peer)
{
    const struct federation *f = peer->federation;
    return f->env->development && (!peer->found || f->options.locate != NULL) &&
           strncmp(peer->target, "pipe:", 5) == 0;
}

static bool is_admitted(const struct peer *peer)
{
    struct federation *f = peer->federation;
    federation_lock(f);
    bool admitted = policy_admits(f->policy, bytes_str(peer->domain));
    federation_unlock(f);
    return admitted;
}

/* Under the lock. What is found by a test's own means is a pipe. */
static bool public_only(const struct peer *peer)
{
    const struct federation *f = peer->federation;
    return peer->found && f->options.locate == NULL && !policy_private_addresses(f->policy);
}

static void open_channel(struct peer *peer)
{
    struct federation *f = peer->federation;
    federation_lock(f);
    peer->public_only = public_only(peer);
    federation_unlock(f);
    const struct hearth_tls_options tls = {.ca_file = f->ca_file, .server_name = peer->domain};
    const struct hearth_channel_options options = {
        .tls = is_pipe(peer) ? NULL : &tls,
        .loop = f->options.loop,
        .authority = peer->domain,
        .user_agent = "hearthd",
        .dns_servers = f->dns_servers,
        .connect_timeout_ms = CONNECT_MS,
        .idle_ms = IDLE_MS,
        .attempts = 1, /* the courier repeats */
        .public_only = peer->public_only,
    };
    peer->channel = hearth_channel_new(peer->target, &options);
    if (peer->channel != NULL)
        hold(peer, 1);
    tell(peer, peer->channel != NULL ? ERR_OK : ERR(FEDERATION_NAME));
}

/* Then the target is what the setting says. */
static bool is_configured(struct peer *peer)
{
    struct federation *f = peer->federation;
    federation_lock(f);
    const char *target = policy_target(f->policy, bytes_str(peer->domain));
    if (target != NULL)
        (void)snprintf(peer->target, sizeof peer->target, "%s", target);
    federation_unlock(f);
    peer->found = target == NULL;
    return target != NULL;
}

static void on_services(struct err err, const struct resolve_service *at, size_t count, void *arg)
{
    struct peer *peer = arg;
    peer->resolve = NULL;
    if (!is_admitted(peer)) { /* the operator has spoken while the DNS was asked */
        tell(peer, ERR(FEDERATION_REFUSED));
        return;
    }
    if (is_configured(peer)) { /* has said where it is */
        open_channel(peer);
        return;
    }
    if (err_is_ok(err) && count > 0) {
        const struct resolve_service *one = &at[peer->tries % count];
        (void)snprintf(peer->target, sizeof peer->target, "%.255s:%u", one->host, one->port);
    } else if (err.code == ERR_RESOLVE_NAME || err_is_ok(err)) {
        (void)snprintf(peer->target, sizeof peer->target, "%s:%d", peer->domain, HTTPS);
    } else {
        tell(peer, err);
        return;
    }
    open_channel(peer);
}

static void look_up(struct peer *peer)
{
    struct federation *f = peer->federation;
    char name[sizeof "_hearth._tcp." + DOMAIN_MAX_BYTES];
    if (is_configured(peer)) {
        open_channel(peer);
        return;
    }
    if (f->options.locate != NULL) {
        const char *target = f->options.locate(f->options.locate_self, peer->domain);
        (void)snprintf(peer->target, sizeof peer->target, "%s", target != NULL ? target : "pipe:-");
        open_channel(peer);
        return;
    }
    (void)snprintf(name, sizeof name, "_hearth._tcp.%s", peer->domain);
    struct err err = domain_check(bytes_str(peer->domain), false); /* nobody finds *.test */
    if (err_is_ok(err))
        err = resolve_srv(f->options.loop, f->dns_servers, name, on_services, peer, &peer->resolve);
    else
        err = ERR(FEDERATION_NAME);
    if (!err_is_ok(err))
        tell(peer, err);
}

/* Under the lock. The policy does not want its channel, or would have it made otherwise today. */
static bool is_unwanted(const struct peer *peer)
{
    const struct policy *policy = peer->federation->policy;
    const char *target = policy_target(policy, bytes_str(peer->domain));
    return !policy_admits(policy, bytes_str(peer->domain)) || peer->found != (target == NULL) ||
           (target != NULL && strcmp(target, peer->target) != 0) ||
           peer->public_only != public_only(peer);
}

void peer_reach(struct peer *peer, struct reach *reach)
{
    struct federation *f = peer->federation;
    federation_lock(f);
    bool admitted = policy_admits(f->policy, bytes_str(peer->domain));
    bool leave = peer->channel != NULL && is_unwanted(peer);
    federation_unlock(f);
    if (leave)
        peer_unreach(peer, peer->channel);
    if (!admitted) {
        reach->ready(reach, peer, ERR(FEDERATION_REFUSED));
        return;
    }
    if (f->stopped || peer->channel != NULL) {
        reach->ready(reach, peer, f->stopped ? ERR(CANCELLED) : ERR_OK);
        return;
    }
    bool first = peer->waiting == NULL;
    reach->next = peer->waiting;
    peer->waiting = reach;
    if (first)
        look_up(peer);
}

void peer_unreach(struct peer *peer, struct hearth_channel *channel)
{
    if (channel == NULL || channel != peer->channel)
        return;
    peer->channel = NULL;
    peer->tries++;
    hearth_channel_free(channel);
    hold(peer, -1);
}

/* One with a channel that the policy does not want; held by that. */
static struct peer *unwanted(struct federation *f, size_t slot)
{
    federation_lock(f);
    struct peer *peer = f->slots[slot];
    for (; peer != NULL; peer = peer->next)
        if (peer->channel != NULL && is_unwanted(peer))
            break;
    federation_unlock(f);
    return peer;
}

void peers_obey(void *federation)
{
    struct federation *f = federation;
    for (size_t i = 0; i < PEER_SLOTS && !f->stopped; i++)
        for (struct peer *peer; (peer = unwanted(f, i)) != NULL;)
            peer_unreach(peer, peer->channel);
}

void peer_end(struct peer *peer)
{
    if (peer->resolve != NULL)
        resolve_cancel(peer->resolve);
    peer->resolve = NULL;
    tell(peer, ERR(CANCELLED));
    peer_unreach(peer, peer->channel);
}
