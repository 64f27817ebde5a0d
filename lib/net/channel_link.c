/* A channel's connections: dialing, backoff, GOAWAY, loss. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/channel.h"

enum { NOT_LAST_MS = 2000 };

static void end_link(struct channel_link *link)
{
    struct hearth_channel *channel = link->channel;
    struct rpc_env *env = &channel->loop->env;
    for (struct channel_link **at = &channel->links; *at != NULL; at = &(*at)->next) {
        if (*at == link) {
            *at = link->next;
            break;
        }
    }
    timers_disarm(&env->timers, &link->connect_timer);
    loop_task_cancel(channel->loop, &link->end_task);
    client_conn_clear(&link->core, link->why);
    rpc_conn_clear(&link->io);
    free(link);
}

static void on_end_task(struct loop_task *task)
{
    struct channel_link *link =
        (struct channel_link *)(void *)((char *)task - offsetof(struct channel_link, end_task));
    struct hearth_channel *channel = link->channel;
    end_link(link);
    channel_kick(channel);
}

static struct channel_link *link_of(struct rpc_conn *io)
{
    return (struct channel_link *)(void *)((char *)io - offsetof(struct channel_link, io));
}

/* ---- backoff ---- */

static uint64_t random_below(struct hearth_channel *channel, uint64_t bound)
{
    uint64_t value = 0;
    /* without randomness the jitter is missing, nothing else */
    struct err ignored = rng_fill(channel->loop->env.rng, &value, sizeof value);
    (void)ignored;
    return bound == 0 ? 0 : value % bound;
}

static void on_backoff_over(struct timer *timer)
{
    struct hearth_channel *channel =
        (struct hearth_channel *)(void *)((char *)timer - offsetof(struct hearth_channel, backoff));
    channel->state = CHANNEL_IDLE;
    channel_kick(channel);
}

/* doc/connection-backoff.md: 1.6 times as long each time, up to a bound, give or take a fifth */
static void back_off(struct hearth_channel *channel)
{
    uint64_t wait_us = (uint64_t)channel->options.backoff_min_ms * 1000;
    uint64_t most_us = (uint64_t)channel->options.backoff_max_ms * 1000;
    for (unsigned i = 1; i < channel->failures && wait_us < most_us; i++)
        wait_us = wait_us * 8 / 5;
    if (wait_us > most_us)
        wait_us = most_us;
    wait_us = wait_us * 4 / 5 + random_below(channel, wait_us * 2 / 5);
    channel->state = CHANNEL_BACKOFF;
    channel->backoff.fire = on_backoff_over;
    struct rpc_env *env = &channel->loop->env;
    if (!err_is_ok(timers_arm(&env->timers, &channel->backoff, rpc_env_now_us(env) + wait_us)))
        channel->state = CHANNEL_IDLE;
}

void channel_attempt_failed(struct hearth_channel *channel, const char *why)
{
    channel->failures++;
    back_off(channel);
    channel_failed(channel, why);
}

/* ---- idleness ---- */

static void on_idle(struct timer *timer);

static void watch_idleness(struct hearth_channel *channel, uint64_t since_us)
{
    channel->idle.fire = on_idle;
    uint64_t due_us = since_us + (uint64_t)channel->options.idle_ms * 1000;
    /* without memory for the timer the connection stays, which harms nobody */
    struct err ignored = timers_arm(&channel->loop->env.timers, &channel->idle, due_us);
    (void)ignored;
}

/* Calls don't touch the timer; when it fires it looks whether it was right. */
static void on_idle(struct timer *timer)
{
    struct hearth_channel *channel =
        (struct hearth_channel *)(void *)((char *)timer - offsetof(struct hearth_channel, idle));
    struct channel_link *link = channel->current;
    uint64_t now_us = rpc_env_now_us(&channel->loop->env);
    if (link == NULL || !link->ready)
        return; /* the next connection arms it again */
    uint64_t used_us = channel->all != NULL ? now_us : channel->used_us;
    if (now_us < used_us + (uint64_t)channel->options.idle_ms * 1000) {
        watch_idleness(channel, used_us);
        return;
    }
    channel->current = NULL;
    channel->state = CHANNEL_IDLE;
    link->core.leaving = true;
    h2_goaway(&link->core.h2, H2_NO_ERROR); /* with no stream open, the end follows by itself */
}

/* The current connection takes no more calls. One that never answered any counts as a failed
 * attempt: a server may take connections only to drop them (it is full, say, or stopping), and must
 * not be asked again and again at once. The first time may be bad luck, unless it said nothing. */
static void lost(struct hearth_channel *channel, struct channel_link *link, const char *why)
{
    channel->state = CHANNEL_IDLE;
    if (link->core.useful)
        return;
    if (link->core.greeted && channel->failures == 0)
        channel->failures = 1;
    else
        channel_attempt_failed(channel, why);
}

/* ---- what the transport says ---- */

static void on_ready(struct rpc_conn *io)
{
    struct channel_link *link = link_of(io);
    struct hearth_channel *channel = link->channel;
    timers_disarm(&channel->loop->env.timers, &link->connect_timer);
    link->ready = true;
    if (channel->current == link)
        channel->state = CHANNEL_READY;
    if (channel->current == link)
        watch_idleness(channel, rpc_env_now_us(&channel->loop->env));
    loop_at_turn_end(channel->loop, &channel->kick_task);
}

static void on_closed(struct rpc_conn *io, struct err err, const char *why)
{
    struct channel_link *link = link_of(io);
    struct hearth_channel *channel = link->channel;
    (void)err;
    (void)snprintf(link->why, sizeof link->why, "%s: %s", channel->target, why);
    if (channel->current == link) {
        channel->current = NULL;
        if (link->ready)
            lost(channel, link, link->why);
        else
            channel_dial_next(channel, link->why);
    }
    loop_at_turn_end(channel->loop, &link->end_task);
}

static void on_connect_late(struct timer *timer)
{
    struct channel_link *link =
        (struct channel_link *)(void *)((char *)timer -
                                        offsetof(struct channel_link, connect_timer));
    rpc_conn_close(&link->io, ERR(TIMEOUT), "connecting took too long");
}

static void on_room(struct client_conn *conn)
{
    struct channel_link *link = (struct channel_link *)(void *)conn;
    if (link->channel->current == link && conn->useful)
        link->channel->failures = 0;
    if (link->channel->waiting != NULL || link->channel->all == NULL)
        loop_at_turn_end(link->channel->loop, &link->channel->kick_task);
}

static void on_leaving(struct client_conn *conn)
{
    struct channel_link *link = (struct channel_link *)(void *)conn;
    struct hearth_channel *channel = link->channel;
    if (channel->current == link) {
        channel->current = NULL;
        lost(channel, link, "the server takes no calls");
    }
    loop_at_turn_end(channel->loop, &channel->kick_task);
}

static void on_dead(struct client_conn *conn)
{
    struct channel_link *link = (struct channel_link *)(void *)conn;
    rpc_conn_close(&link->io, ERR(TIMEOUT), "the other side does not answer pings");
}

/* ---- dialing ---- */

/* What is asked is the address that is connected to, whatever names and records led there. */
static int dial(const struct address *address, bool public_only, const char **ret_why)
{
    if (public_only && !address_is_public(address)) {
        *ret_why = ADDRESS_NOT_PUBLIC;
        return -1;
    }
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0) {
        *ret_why = strerror(errno);
        return -1;
    }
    if (address->storage.ss_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&address->storage, address->len) != 0 &&
        errno != EINPROGRESS) {
        *ret_why = strerror(errno);
        close(fd);
        return -1;
    }
    return fd;
}

/* One that does not answer must not use up the time of those behind it. */
static uint32_t connect_ms(const struct hearth_channel *channel)
{
    uint32_t ms = channel->options.connect_timeout_ms;
    bool last = channel->next_address == channel->address_count &&
                channel->next_service == channel->service_count;
    return last || ms < NOT_LAST_MS ? ms : NOT_LAST_MS;
}

/* Over the descriptor or the pipe's end, which are taken if it succeeds. */
static struct err attach(struct hearth_channel *channel, struct channel_link *link, int fd,
                         struct pipe_end *pipe)
{
    struct tls_session *tls = NULL;
    if (pipe != NULL) {
        rpc_conn_init_pipe(&link->io, channel->loop, &link->core.h2, pipe, true);
        return ERR_OK;
    }
    if (channel->tls != NULL) {
        tls = tls_session_new(channel->tls, fd, channel->server_name);
        if (tls == NULL)
            return ERR(NO_MEMORY);
    }
    struct err err = rpc_conn_init(&link->io, channel->loop, &link->core.h2, fd, tls, true);
    if (!err_is_ok(err))
        tls_session_free(tls);
    return err;
}

static struct err make_link(struct hearth_channel *channel, int fd, struct pipe_end *pipe,
                            struct channel_link **ret_link)
{
    struct rpc_env *env = &channel->loop->env;
    struct channel_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return ERR(NO_MEMORY);
    struct err err = client_conn_init(&link->core, &channel->limits, env);
    link->connect_timer.fire = on_connect_late;
    if (err_is_ok(err))
        err = timers_arm(&env->timers, &link->connect_timer,
                         rpc_env_now_us(env) + (uint64_t)connect_ms(channel) * 1000);
    if (err_is_ok(err))
        err = attach(channel, link, fd, pipe);
    if (!err_is_ok(err)) {
        timers_disarm(&env->timers, &link->connect_timer);
        client_conn_clear(&link->core, "out of memory");
        free(link);
        return err;
    }
    link->channel = channel;
    link->end_task.run = on_end_task;
    link->core.keepalive_ms = channel->options.keepalive_ms;
    link->core.keepalive_timeout_ms = channel->options.keepalive_timeout_ms;
    link->core.on_room = on_room;
    link->core.on_leaving = on_leaving;
    link->core.on_dead = on_dead;
    link->io.on_ready = on_ready;
    link->io.on_closed = on_closed;
    *ret_link = link;
    return ERR_OK;
}

static void take_link(struct hearth_channel *channel, struct channel_link *link)
{
    link->next = channel->links;
    channel->links = link;
    channel->current = link;
    channel->state = CHANNEL_CONNECTING;
}

void channel_dial_next(struct hearth_channel *channel, const char *why)
{
    char text[160];
    struct channel_link *link = NULL;
    (void)snprintf(text, sizeof text, "%s", why);
    while (link == NULL && channel->next_address < channel->address_count) {
        const char *dial_why = "out of memory";
        int fd = dial(&channel->addresses[channel->next_address++], channel->options.public_only,
                      &dial_why);
        if (fd >= 0 && !err_is_ok(make_link(channel, fd, NULL, &link)))
            close(fd);
        if (link == NULL)
            (void)snprintf(text, sizeof text, "%s: %s", channel->target, dial_why);
    }
    if (link != NULL)
        take_link(channel, link);
    else if (!channel_resolve_next(channel))
        channel_attempt_failed(channel, text);
}

static void connect_pipe(struct hearth_channel *channel)
{
    char text[160];
    struct pipe_end *pipe = NULL;
    struct channel_link *link = NULL;
    struct err err = pipe_connect(channel->loop, channel->pipe_name, &pipe);
    if (err_is_ok(err) && !err_is_ok(make_link(channel, -1, pipe, &link)))
        pipe_close(pipe);
    if (link != NULL) {
        take_link(channel, link);
        return;
    }
    (void)snprintf(text, sizeof text, "%s: %s", channel->target,
                   err.code == ERR_RPC_CLOSED ? "nobody listens" : "out of memory");
    channel_attempt_failed(channel, text);
}

void channel_connect(struct hearth_channel *channel)
{
    channel->next_address = 0;
    if (channel->tls_error != NULL) {
        channel_attempt_failed(channel, channel->tls_error);
        return;
    }
    if (channel->pipe_name != NULL) {
        connect_pipe(channel);
        return;
    }
    channel->service_count = channel->next_service = 0;
    channel->state = CHANNEL_CONNECTING;
    channel_resolve(channel);
}

void channel_close_links(struct hearth_channel *channel)
{
    channel->current = NULL;
    while (channel->links != NULL) {
        struct channel_link *link = channel->links;
        channel->links = link->next;
        (void)snprintf(link->why, sizeof link->why, "the channel is closed");
        end_link(link);
    }
}
