/* A channel's calls: waiting, starting, trying again, ending. */
#include "net/channel.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MIN_MS = 100, RETRY_MAX_MS = 5000 };

/* ---- the waiting list ---- */

static void enqueue(struct hearth_channel *channel, struct hearth_client_call *call)
{
    call->waiting = true;
    call->next = NULL;
    call->prev = channel->waiting_last;
    if (channel->waiting_last != NULL)
        channel->waiting_last->next = call;
    else
        channel->waiting = call;
    channel->waiting_last = call;
}

static void dequeue(struct hearth_channel *channel, struct hearth_client_call *call)
{
    if (!call->waiting)
        return;
    call->waiting = false;
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        channel->waiting = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    else
        channel->waiting_last = call->prev;
    call->next = call->prev = NULL;
}

static struct hearth_client_call *first_startable(struct hearth_channel *channel)
{
    struct hearth_client_call *call = channel->waiting;
    while (call != NULL && !client_call_can_attempt(call))
        call = call->next;
    return call;
}

/* Starts what can start; asks for a connection when something waits and there is none. From the
 * front of the list each time: a signer may end calls and start others. */
void channel_kick(struct hearth_channel *channel)
{
    struct hearth_client_call *call;
    while (!channel->freeing && (call = first_startable(channel)) != NULL) {
        struct channel_link *link = channel->current;
        if (link == NULL || !link->ready) {
            if (channel->state == CHANNEL_IDLE)
                channel_connect(channel);
            return;
        }
        if (!client_conn_has_room(&link->core))
            return;
        dequeue(channel, call);
        client_call_attempt(call, &link->core);
    }
}

static void on_kick_task(struct loop_task *task)
{
    channel_kick((struct hearth_channel *)(void *)((char *)task -
                                                   offsetof(struct hearth_channel, kick_task)));
}

void channel_failed(struct hearth_channel *channel, const char *why)
{
    struct hearth_client_call *next;
    (void)snprintf(channel->last_error, sizeof channel->last_error, "%s", why);
    for (struct hearth_client_call *call = channel->waiting; call != NULL; call = next) {
        next = call->next;
        if (!call->wait_for_ready)
            client_call_end(call, HEARTH_UNAVAILABLE, why);
    }
}

static void submit(struct hearth_channel *channel, struct hearth_client_call *call)
{
    enqueue(channel, call);
    if (call->orphan)
        client_call_end(call, HEARTH_CANCELLED, "the call that asked for it was cancelled");
    else if (call->unfit)
        client_call_end(call, HEARTH_INVALID_ARGUMENT,
                        "metadata with a name that is not a-z 0-9 - _ . or is reserved, or a value "
                        "that is not ASCII text");
    else if (channel->state == CHANNEL_BACKOFF && !call->wait_for_ready)
        client_call_end(call, HEARTH_UNAVAILABLE, channel->last_error);
    else
        channel_kick(channel);
    /* the caller's own events run on this loop too, and know nothing of our timers */
    loop_timers_changed(channel->loop);
}

/* ---- the end of a call ---- */

static void forget(struct hearth_client_call *call)
{
    struct hearth_channel *channel = call->channel;
    if (call->all_prev != NULL)
        call->all_prev->all_next = call->all_next;
    else
        channel->all = call->all_next;
    if (call->all_next != NULL)
        call->all_next->all_prev = call->all_prev;
    client_call_free(call);
    if (channel->all == NULL)
        channel->used_us = rpc_env_now_us(&channel->loop->env);
}

static void tell(struct hearth_client_call *call)
{
    call->status.metadata = call->metadata;
    call->metadata = NULL;
    if (call->streaming)
        call->events.on_done(call, &call->status, call->arg);
    else
        call->on_done(&call->status, call->status.code == HEARTH_OK ? call->message : NULL,
                      call->arg);
}

static void on_done_task(struct loop_task *task)
{
    struct hearth_channel *channel =
        (struct hearth_channel *)(void *)((char *)task -
                                          offsetof(struct hearth_channel, done_task));
    struct hearth_client_call *call = channel->done;
    channel->done = channel->done_last = NULL;
    while (call != NULL) {
        struct hearth_client_call *next = call->next;
        tell(call);
        forget(call);
        call = next;
    }
}

static void on_retry(struct timer *timer)
{
    struct hearth_client_call *call =
        (struct hearth_client_call *)(void *)((char *)timer -
                                              offsetof(struct hearth_client_call, retry));
    submit(call->channel, call);
}

static bool try_again(struct hearth_client_call *call)
{
    struct hearth_channel *channel = call->channel;
    struct rpc_env *env = &channel->loop->env;
    /* counted by retries: a server that can't be reached any more begins no streams */
    if (channel->freeing || call->attempts == 0 || call->retries + 1 >= channel->options.attempts ||
        !client_call_may_retry(call))
        return false;
    bool at_once = call->never_processed && call->attempts == 1;
    uint64_t wait_ms = call->pushback_ms;
    if (call->pushback_ms == UINT32_MAX) {
        uint64_t jitter = 0;
        struct err ignored = rng_fill(env->rng, &jitter, sizeof jitter);
        (void)ignored;
        wait_ms = call->retries < 10 ? (uint64_t)RETRY_MIN_MS << call->retries : RETRY_MAX_MS;
        wait_ms = wait_ms > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms;
        wait_ms = wait_ms / 2 + jitter % (wait_ms + 1);
    }
    call->retry.fire = on_retry;
    if (!at_once &&
        !err_is_ok(timers_arm(&env->timers, &call->retry, rpc_env_now_us(env) + wait_ms * 1000)))
        return false;
    call->retries++;
    client_call_rewind(call);
    if (at_once) {
        enqueue(channel, call);
        loop_at_turn_end(channel->loop, &channel->kick_task);
    }
    return true;
}

static void on_over(struct hearth_client_call *call)
{
    struct hearth_channel *channel = call->channel;
    dequeue(channel, call);
    timers_disarm(&channel->loop->env.timers, &call->retry);
    if (try_again(call))
        return;
    timers_disarm(&channel->loop->env.timers, &call->deadline);
    call->next = NULL;
    if (channel->done_last != NULL)
        channel->done_last->next = call;
    else
        channel->done = call;
    channel->done_last = call;
    loop_at_turn_end(channel->loop, &channel->done_task);
}

/* ---- starting calls ---- */

static struct hearth_client_call *make_call(struct hearth_channel *channel,
                                            const struct hearth_endpoint *endpoint,
                                            const struct hearth_call_options *options, void *arg)
{
    struct hearth_client_call *call =
        channel->freeing ? NULL : client_call_new(&channel->owner, endpoint, options);
    if (call == NULL)
        return NULL;
    call->channel = channel;
    call->arg = arg;
    call->orphan =
        options != NULL && options->parent != NULL && hearth_call_is_cancelled(options->parent);
    call->all_next = channel->all;
    if (channel->all != NULL)
        channel->all->all_prev = call;
    channel->all = call;
    return call;
}

struct hearth_client_call *hearth_channel_start(struct hearth_channel *channel,
                                                const struct hearth_endpoint *endpoint,
                                                const struct hearth_call_options *options,
                                                const ProtobufCMessage *in, hearth_done_fn *on_done,
                                                void *arg)
{
    struct hearth_client_call *call = make_call(channel, endpoint, options, arg);
    if (call == NULL)
        return NULL;
    call->on_done = on_done;
    if (client_call_write(call, in) < 0)
        return call; /* it is over; on_done follows from the loop */
    call->half_closed = true;
    submit(channel, call);
    return call;
}

struct hearth_client_call *hearth_channel_open(struct hearth_channel *channel,
                                               const struct hearth_endpoint *endpoint,
                                               const struct hearth_call_options *options,
                                               const struct hearth_stream_events *events, void *arg)
{
    struct hearth_client_call *call = make_call(channel, endpoint, options, arg);
    if (call == NULL)
        return NULL;
    call->streaming = true;
    call->events = *events;
    submit(channel, call);
    return call;
}

int hearth_client_call_write(struct hearth_client_call *call, const ProtobufCMessage *item)
{
    int result = client_call_write(call, item);
    if (call->waiting && result >= 0)
        channel_kick(call->channel);
    return result;
}

void hearth_client_call_half_close(struct hearth_client_call *call)
{
    if (call->half_closed || call->over)
        return;
    call->half_closed = true;
    if (call->conn != NULL)
        h2_resume(&call->conn->h2, call->id);
    else if (call->waiting)
        channel_kick(call->channel);
}

/* ---- life ---- */

static void on_free_task(struct loop_task *task);

struct hearth_channel *hearth_channel_new(const char *target,
                                          const struct hearth_channel_options *options)
{
    struct hearth_channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL)
        return NULL;
    pthread_mutex_init(&channel->lock, NULL);
    pthread_cond_init(&channel->moved, NULL);
    if (!err_is_ok(channel_set_up(channel, target, options))) {
        hearth_channel_free(channel);
        return NULL;
    }
    channel->done_task.run = on_done_task;
    channel->kick_task.run = on_kick_task;
    channel->free_task.run = on_free_task;
    channel->owner.on_over = on_over;
    channel->owner.env = &channel->loop->env;
    channel->owner.scheme = channel->tls != NULL ? "https" : "http";
    channel->owner.authority = channel->authority;
    channel->owner.user_agent = channel->user_agent;
    return channel;
}

static void cancel_all(struct hearth_channel *channel)
{
    struct hearth_client_call *next;
    for (struct hearth_client_call *call = channel->all; call != NULL; call = next) {
        next = call->all_next;
        if (!call->over)
            client_call_end(call, HEARTH_CANCELLED, "the channel is closed");
    }
    channel_close_links(channel);
    on_done_task(&channel->done_task);
    loop_task_cancel(channel->loop, &channel->done_task);
    loop_task_cancel(channel->loop, &channel->kick_task);
    timers_disarm(&channel->loop->env.timers, &channel->backoff);
    timers_disarm(&channel->loop->env.timers, &channel->idle);
    resolve_cancel(channel->resolving);
    channel->resolving = NULL;
}

static void free_channel(struct hearth_channel *channel)
{
    if (channel->loop != NULL)
        cancel_all(channel);
    tls_context_unref(channel->tls);
    if (channel->owns_loop)
        hearth_loop_free(channel->loop);
    free((void *)(uintptr_t)channel->owner.interceptors);
    free(channel->target);
    free(channel->authority);
    free(channel->user_agent);
    free(channel->server_name);
    free(channel->tls_error);
    free(channel->host);
    free(channel->dns_servers);
    free(channel->service);
    free(channel->services);
    pthread_cond_destroy(&channel->moved);
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}

static void on_free_task(struct loop_task *task)
{
    free_channel((struct hearth_channel *)(void *)((char *)task -
                                                   offsetof(struct hearth_channel, free_task)));
}

void hearth_channel_free(struct hearth_channel *channel)
{
    if (channel == NULL || channel->freeing)
        return;
    channel->freeing = true;
    /* Inside a callback the channel may be in use further down the stack. */
    if (channel->loop != NULL && channel->loop->depth > 0)
        loop_at_turn_end(channel->loop, &channel->free_task);
    else
        free_channel(channel);
}
