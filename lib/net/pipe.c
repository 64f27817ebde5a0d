#include "net/pipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/loop.h"

struct pipe_segment {
    struct pipe_segment *next;
    uint64_t due_us;
    size_t len, off;
    uint8_t data[];
};

const char *pipe_name_of(const char *target)
{
    return strncmp(target, "pipe:", 5) == 0 ? target + 5 : NULL;
}

/* ---- events ---- */

static bool is_readable(const struct pipe_end *end)
{
    if (end->first == NULL)
        return end->peer == NULL;
    return end->first->due_us <= rpc_env_now_us(&end->loop->env);
}

static size_t room(const struct pipe_end *end)
{
    size_t most = end->faults.room_bytes != 0 ? end->faults.room_bytes : PIPE_ROOM_BYTES;
    size_t waiting = end->peer != NULL ? end->peer->waiting_bytes : 0;
    return waiting < most ? most - waiting : 0;
}

static bool is_writable(const struct pipe_end *end)
{
    return end->peer == NULL || room(end) > 0;
}

static void poke(struct pipe_end *end)
{
    if ((end->watch_read && is_readable(end)) || (end->watch_write && is_writable(end)))
        loop_at_turn_end(end->loop, &end->task);
}

static void on_task(struct loop_task *task)
{
    struct pipe_end *end =
        (struct pipe_end *)(void *)((char *)task - offsetof(struct pipe_end, task));
    bool readable = end->watch_read && is_readable(end);
    bool writable = end->watch_write && is_writable(end);
    if (!readable && !writable)
        return;
    /* level-triggered; queued before the call, which may close the end */
    loop_at_turn_end(end->loop, &end->task);
    end->on_event(end, readable, writable);
}

static void on_due(struct timer *timer)
{
    poke((struct pipe_end *)(void *)((char *)timer - offsetof(struct pipe_end, due)));
}

/* The first segment is not due yet: a timer waits for it. */
static void await_first(struct pipe_end *end)
{
    if (end->first == NULL || is_readable(end)) {
        poke(end);
        return;
    }
    struct err err = timers_arm(&end->loop->env.timers, &end->due, end->first->due_us);
    if (!err_is_ok(err))
        end->first->due_us = 0; /* then it comes too early */
    if (!err_is_ok(err))
        poke(end);
}

void pipe_watch(struct pipe_end *end, bool read, bool write)
{
    end->watch_read = read;
    end->watch_write = write;
    poke(end);
}

/* ---- bytes ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void drop_first(struct pipe_end *end)
{
    struct pipe_segment *segment = end->first;
    end->first = segment->next;
    if (end->first == NULL)
        end->last = NULL;
    bytes_wipe(segment->data, segment->len);
    free(segment);
}

enum pipe_result pipe_read(struct pipe_end *end, uint8_t *buf, size_t len, size_t *ret_len)
{
    struct pipe_segment *segment = end->first;
    if (!is_readable(end))
        return PIPE_WAIT;
    if (segment == NULL)
        return PIPE_OVER;
    size_t n = least(len, segment->len - segment->off);
    if (end->faults.piece_bytes != 0)
        n = least(n, end->faults.piece_bytes);
    memcpy(buf, segment->data + segment->off, n);
    segment->off += n;
    end->waiting_bytes -= n;
    if (segment->off == segment->len) {
        drop_first(end);
        await_first(end);
    }
    if (end->peer != NULL)
        poke(end->peer);
    *ret_len = n;
    return PIPE_OK;
}

/* The two ends part; each may be read to its end. */
static void part(struct pipe_end *end)
{
    struct pipe_end *peer = end->peer;
    if (peer == NULL)
        return;
    end->peer = peer->peer = NULL;
    poke(peer);
    poke(end);
}

static struct err append(struct pipe_end *to, const uint8_t *data, size_t len)
{
    struct pipe_segment *segment = malloc(sizeof *segment + len);
    if (segment == NULL)
        return ERR(NO_MEMORY);
    *segment = (struct pipe_segment){.due_us = rpc_env_now_us(&to->loop->env) + to->faults.delay_us,
                                     .len = len};
    memcpy(segment->data, data, len);
    if (to->last != NULL)
        to->last->next = segment;
    else
        to->first = segment;
    to->last = segment;
    to->waiting_bytes += len;
    if (to->first == segment)
        await_first(to);
    return ERR_OK;
}

enum pipe_result pipe_write(struct pipe_end *end, const uint8_t *data, size_t len, size_t *ret_len)
{
    if (end->peer == NULL)
        return PIPE_OVER;
    size_t n = least(len, room(end));
    if (end->faults.piece_bytes != 0)
        n = least(n, end->faults.piece_bytes);
    uint64_t cut_after = end->faults.cut_after[end->way];
    bool cut = cut_after != 0 && end->written_bytes + n >= cut_after;
    if (cut)
        n = (size_t)(cut_after - end->written_bytes);
    if (n == 0)
        return PIPE_WAIT;
    if (!err_is_ok(append(end->peer, data, n)))
        return PIPE_OVER;
    end->written_bytes += n;
    if (cut)
        part(end);
    *ret_len = n;
    return PIPE_OK;
}

/* ---- life ---- */

static struct pipe_end *make_end(struct hearth_loop *loop, enum pipe_way way,
                                 const struct pipe_faults *faults)
{
    struct pipe_end *end = calloc(1, sizeof *end);
    if (end == NULL)
        return NULL;
    end->loop = loop;
    end->way = way;
    end->faults = *faults;
    end->task.run = on_task;
    end->due.fire = on_due;
    end->next = loop->pipes.ends;
    if (end->next != NULL)
        end->next->prev = end;
    loop->pipes.ends = end;
    return end;
}

void pipe_close(struct pipe_end *end)
{
    if (end == NULL)
        return;
    part(end);
    timers_disarm(&end->loop->env.timers, &end->due);
    loop_task_cancel(end->loop, &end->task);
    while (end->first != NULL)
        drop_first(end);
    if (end->prev != NULL)
        end->prev->next = end->next;
    else
        end->loop->pipes.ends = end->next;
    if (end->next != NULL)
        end->next->prev = end->prev;
    free(end);
}

/* By the name up to '@'. */
static struct pipe_listener *find(struct pipe_net *net, const char *name)
{
    size_t len = strcspn(name, "@");
    struct pipe_listener *l = net->listeners;
    while (l != NULL && (strncmp(l->name, name, len) != 0 || l->name[len] != '\0'))
        l = l->next;
    return l;
}

struct err pipe_listen(struct hearth_loop *loop, struct pipe_listener *listener, const char *name)
{
    if (find(&loop->pipes, name) != NULL)
        return ERR(WRONG_STATE);
    (void)snprintf(listener->name, sizeof listener->name, "%s", name);
    listener->next = loop->pipes.listeners;
    loop->pipes.listeners = listener;
    return ERR_OK;
}

void pipe_unlisten(struct hearth_loop *loop, struct pipe_listener *listener)
{
    for (struct pipe_listener **at = &loop->pipes.listeners; *at != NULL; at = &(*at)->next) {
        if (*at == listener) {
            *at = listener->next;
            return;
        }
    }
}

struct err pipe_connect(struct hearth_loop *loop, const char *name, struct pipe_end **ret_end)
{
    struct pipe_net *net = &loop->pipes;
    struct pipe_faults faults = net->faults;
    struct pipe_listener *listener = find(net, name);
    if (listener == NULL)
        return ERR(RPC_CLOSED);
    if (net->choose != NULL)
        net->choose(net->choose_self, name, &faults);
    struct pipe_end *client = make_end(loop, PIPE_TO_SERVER, &faults);
    struct pipe_end *server = make_end(loop, PIPE_TO_CLIENT, &faults);
    if (client == NULL || server == NULL) {
        pipe_close(client);
        pipe_close(server);
        return ERR(NO_MEMORY);
    }
    client->peer = server;
    server->peer = client;
    net->connections++;
    const char *at = strchr(name, '@');
    (void)snprintf(server->from, sizeof server->from, "%s", at != NULL ? at + 1 : "");
    listener->on_accept(listener, server);
    *ret_end = client;
    return ERR_OK;
}

void pipe_cut_all(struct hearth_loop *loop)
{
    for (struct pipe_end *end = loop->pipes.ends; end != NULL; end = end->next)
        part(end);
}
