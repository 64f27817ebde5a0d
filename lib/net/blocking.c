/* Blocking calls and streams, from any thread.
 *
 * On a channel with a loop of its own, whoever blocks first leads: it runs the loop, for all, until
 * its own wait is over, and hands on to the next. On a caller's loop, that loop's thread does the
 * work and we only wait.
 */
#include <stdlib.h>

#include "net/channel.h"

enum { READ_AHEAD_MESSAGES = 16 };

/* A stepped loop has one thread, so whoever blocks on it turns it. */
static bool may_lead(const struct hearth_channel *channel)
{
    return channel->owns_loop || channel->loop->base == NULL;
}

/* Waits until *flag, which is set under the channel's lock. */
static void wait_for(struct hearth_channel *channel, const bool *flag)
{
    pthread_mutex_lock(&channel->lock);
    while (!*flag) {
        if (!may_lead(channel) || channel->led) {
            pthread_cond_wait(&channel->moved, &channel->lock);
            continue;
        }
        channel->led = true;
        pthread_mutex_unlock(&channel->lock);
        loop_turn(channel->loop);
        channel->turned_us = rpc_env_now_us(&channel->loop->env);
        pthread_mutex_lock(&channel->lock);
        channel->led = false;
        pthread_cond_broadcast(&channel->moved);
    }
    pthread_mutex_unlock(&channel->lock);
}

static void set_flag(struct hearth_channel *channel, bool *flag)
{
    pthread_mutex_lock(&channel->lock);
    *flag = true;
    pthread_cond_broadcast(&channel->moved);
    pthread_mutex_unlock(&channel->lock);
}

struct job {
    struct hearth_channel *channel;
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static void run_job(void *arg)
{
    struct job *job = arg;
    job->fn(job->arg);
    set_flag(job->channel, &job->done);
}

/* Nobody ran the loop for a while: hears what came meanwhile (GOAWAY, the connection's end), so
 * that a call does not begin on a connection that is known to be gone. */
static void catch_up(struct hearth_channel *channel)
{
    enum { LONG_US = 1000 * 1000 };
    uint64_t now_us = rpc_env_now_us(&channel->loop->env);
    if (now_us - channel->turned_us > LONG_US)
        loop_turn_now(channel->loop);
    channel->turned_us = now_us;
}

enum after { THEN_RETURN, THEN_SEND };

/* Runs fn where the loop runs, and returns when it has. THEN_SEND: what it made leaves now, as far
 * as the socket takes it, since the caller may not wait for anything afterwards. false: out of
 * memory, and it did not run. */
static bool on_loop(struct hearth_channel *channel, void (*fn)(void *arg), void *arg,
                    enum after after)
{
    pthread_mutex_lock(&channel->lock);
    bool lead = may_lead(channel) && !channel->led;
    if (lead)
        channel->led = true;
    pthread_mutex_unlock(&channel->lock);
    if (lead) {
        catch_up(channel);
        fn(arg);
        if (after == THEN_SEND)
            loop_turn_now(channel->loop);
        pthread_mutex_lock(&channel->lock);
        channel->led = false;
        pthread_cond_broadcast(&channel->moved);
        pthread_mutex_unlock(&channel->lock);
        return true;
    }
    struct job job = {channel, fn, arg, false};
    if (!hearth_loop_post(channel->loop, run_job, &job))
        return false;
    wait_for(channel, &job.done);
    return true;
}

/* What the caller keeps of a status that is about to go. */
static void move_status(struct hearth_status *to, const struct hearth_status *from)
{
    struct hearth_status *source =
        (struct hearth_status *)(uintptr_t)from; /* ours: it lies in the call */
    *to = *source;
    *source = (struct hearth_status){.code = to->code};
}

/* ---- unary ---- */

struct unary {
    struct hearth_channel *channel;
    const struct hearth_endpoint *endpoint;
    const struct hearth_call_options *options;
    const ProtobufCMessage *in;
    struct hearth_client_call *call;
    ProtobufCMessage *out;
    struct hearth_status status;
    bool started;
    bool done;
};

static void on_unary_done(const struct hearth_status *status, const ProtobufCMessage *out,
                          void *arg)
{
    struct unary *u = arg;
    if (out != NULL) {
        u->out = u->call->message;
        u->call->message = NULL;
    }
    move_status(&u->status, status);
    set_flag(u->channel, &u->done);
}

static void start_unary(void *arg)
{
    struct unary *u = arg;
    u->call = hearth_channel_start(u->channel, u->endpoint, u->options, u->in, on_unary_done, u);
    u->started = u->call != NULL;
}

static enum hearth_code hand_over(struct hearth_status *from, struct hearth_status *status)
{
    enum hearth_code code = from->code;
    if (status != NULL)
        *status = *from;
    else
        hearth_status_clear(from);
    return code;
}

static enum hearth_code fail_for_memory(struct hearth_status *status)
{
    if (status != NULL)
        *status = (struct hearth_status){.code = HEARTH_RESOURCE_EXHAUSTED};
    return HEARTH_RESOURCE_EXHAUSTED;
}

enum hearth_code hearth_channel_call(struct hearth_channel *channel,
                                     const struct hearth_endpoint *endpoint,
                                     const struct hearth_call_options *options,
                                     const ProtobufCMessage *in, ProtobufCMessage **ret_out,
                                     struct hearth_status *status)
{
    struct unary u = {.channel = channel, .endpoint = endpoint, .options = options, .in = in};
    *ret_out = NULL;
    if (!on_loop(channel, start_unary, &u, THEN_RETURN) || !u.started)
        return fail_for_memory(status);
    wait_for(channel, &u.done);
    *ret_out = u.out;
    return hand_over(&u.status, status);
}

/* ---- streams ---- */

struct read_item {
    struct read_item *next;
    ProtobufCMessage *message;
    bool compressed;
};

struct hearth_stream {
    struct hearth_channel *channel;
    const struct hearth_endpoint *endpoint;
    const struct hearth_call_options *options; /* during open only */
    struct hearth_client_call *call;           /* NULL once it is over */
    struct read_item *first, **last;           /* under the channel's lock, like all below */
    size_t count;
    bool started;
    bool readable; /* a message or the end is there */
    bool writable;
    bool done;
    bool no_memory;
    bool read_compressed; /* the reader's, like item and written: of the message read last */
    bool compress;        /* the writer's: see hearth_stream_compress */
    struct hearth_status status;
    const ProtobufCMessage *item; /* being written */
    int written;
};

static void on_stream_message(struct hearth_client_call *call, const ProtobufCMessage *message,
                              void *arg)
{
    struct hearth_stream *s = arg;
    struct read_item *item = malloc(sizeof *item);
    if (item == NULL) {
        s->no_memory = true;
        client_call_end(call, HEARTH_RESOURCE_EXHAUSTED, "out of memory for a response");
        return;
    }
    *item = (struct read_item){NULL, (ProtobufCMessage *)(uintptr_t)message,
                               hearth_client_call_message_compressed(call)};
    call->keep_item = true;
    pthread_mutex_lock(&s->channel->lock);
    *s->last = item;
    s->last = &item->next;
    s->count++;
    s->readable = true;
    if (s->count >= READ_AHEAD_MESSAGES)
        call->paused = true;
    pthread_cond_broadcast(&s->channel->moved);
    pthread_mutex_unlock(&s->channel->lock);
}

static void on_stream_writable(struct hearth_client_call *call, void *arg)
{
    struct hearth_stream *s = arg;
    (void)call;
    set_flag(s->channel, &s->writable);
}

static void on_stream_done(struct hearth_client_call *call, const struct hearth_status *status,
                           void *arg)
{
    struct hearth_stream *s = arg;
    (void)call;
    move_status(&s->status, status);
    pthread_mutex_lock(&s->channel->lock);
    s->call = NULL;
    s->done = s->readable = s->writable = true;
    pthread_cond_broadcast(&s->channel->moved);
    pthread_mutex_unlock(&s->channel->lock);
}

static void start_stream(void *arg)
{
    static const struct hearth_stream_events events = {.on_message = on_stream_message,
                                                       .on_writable = on_stream_writable,
                                                       .on_done = on_stream_done};
    struct hearth_stream *s = arg;
    s->call = hearth_channel_open(s->channel, s->endpoint, s->options, &events, s);
    s->started = s->call != NULL;
}

struct hearth_stream *hearth_stream_open(struct hearth_channel *channel,
                                         const struct hearth_endpoint *endpoint,
                                         const struct hearth_call_options *options)
{
    struct hearth_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->channel = channel;
    s->endpoint = endpoint;
    s->options = options;
    s->last = &s->first;
    s->writable = s->compress = true;
    if (!on_loop(channel, start_stream, s, THEN_SEND) || !s->started) {
        free(s);
        return NULL;
    }
    s->options = NULL;
    return s;
}

static void write_item(void *arg)
{
    struct hearth_stream *s = arg;
    if (s->call != NULL)
        hearth_client_call_compress(s->call, s->compress);
    s->written = s->call != NULL ? hearth_client_call_write(s->call, s->item) : -1;
    if (s->written == 0) {
        pthread_mutex_lock(&s->channel->lock);
        s->writable = s->done;
        pthread_mutex_unlock(&s->channel->lock);
    }
}

bool hearth_stream_write(struct hearth_stream *stream, const ProtobufCMessage *item)
{
    wait_for(stream->channel, &stream->writable);
    stream->item = item;
    if (!on_loop(stream->channel, write_item, stream, THEN_SEND))
        return false;
    return stream->written >= 0;
}

void hearth_stream_compress(struct hearth_stream *stream, bool on)
{
    stream->compress = on;
}

bool hearth_stream_message_compressed(const struct hearth_stream *stream)
{
    return stream->read_compressed;
}

static void half_close(void *arg)
{
    struct hearth_stream *s = arg;
    if (s->call != NULL)
        hearth_client_call_half_close(s->call);
}

void hearth_stream_half_close(struct hearth_stream *stream)
{
    (void)on_loop(stream->channel, half_close, stream, THEN_SEND);
}

static void cancel(void *arg)
{
    struct hearth_stream *s = arg;
    if (s->call != NULL)
        hearth_client_call_cancel(s->call);
}

void hearth_stream_cancel(struct hearth_stream *stream)
{
    (void)on_loop(stream->channel, cancel, stream, THEN_SEND);
}

static void resume(void *arg)
{
    struct hearth_stream *s = arg;
    if (s->call != NULL && s->call->paused)
        hearth_client_call_resume(s->call);
}

static ProtobufCMessage *pop(struct hearth_stream *s, bool *ret_resume)
{
    ProtobufCMessage *message = NULL;
    pthread_mutex_lock(&s->channel->lock);
    struct read_item *item = s->first;
    if (item != NULL) {
        s->first = item->next;
        if (s->first == NULL)
            s->last = &s->first;
        message = item->message;
        s->read_compressed = item->compressed;
        s->count--;
    }
    s->readable = s->first != NULL || s->done;
    *ret_resume = s->count == 0 && !s->done;
    pthread_mutex_unlock(&s->channel->lock);
    free(item);
    return message;
}

ProtobufCMessage *hearth_stream_read(struct hearth_stream *stream)
{
    bool wants_resume = false;
    wait_for(stream->channel, &stream->readable);
    ProtobufCMessage *message = pop(stream, &wants_resume);
    if (wants_resume)
        (void)on_loop(stream->channel, resume, stream, THEN_RETURN);
    return message;
}

enum hearth_code hearth_stream_finish(struct hearth_stream *stream, struct hearth_status *status)
{
    ProtobufCMessage *message;
    hearth_stream_half_close(stream);
    while ((message = hearth_stream_read(stream)) != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
    wait_for(stream->channel, &stream->done);
    enum hearth_code code = hand_over(&stream->status, status);
    free(stream);
    return code;
}
