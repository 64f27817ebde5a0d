#include "net/server_worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    ACCEPTS_PER_TURN = 64,
    ACCEPT_PAUSE_US = 20000,
    /* What the kernel may hold of output that the peer has not made room for; it would grow to
     * several MiB for each connection that never reads. */
    KERNEL_UNSENT_BYTES = 256 * 1024,
};

/* ---- listening ---- */

/* The one that a server before us left; never a file, which bind() then stumbles over. */
static void remove_socket(const char *path)
{
    struct stat is;
    if (lstat(path, &is) == 0 && S_ISSOCK(is.st_mode))
        (void)unlink(path);
}

/* With SO_REUSEPORT a second server of the same user would share the port in silence; so the first
 * socket asks once without it. */
static bool port_is_taken(const struct server_port *port)
{
    int one = 1;
    int fd = socket(port->address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool taken =
        bind(fd, (const struct sockaddr *)&port->address.storage, port->address.len) != 0 &&
        errno == EADDRINUSE;
    close(fd);
    return taken;
}

struct err server_port_listen(struct server_port *port, bool first, int *ret_fd)
{
    int one = 1;
    int family = port->address.storage.ss_family;
    if (first && family != AF_UNIX && address_port(&port->address) != 0 && port_is_taken(port)) {
        errno = EADDRINUSE;
        return ERR(IO);
    }
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR(IO);
    if (family == AF_UNIX) {
        remove_socket(((struct sockaddr_un *)&port->address.storage)->sun_path);
    } else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
               setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) {
        goto fail;
    }
    if (bind(fd, (struct sockaddr *)&port->address.storage, port->address.len) != 0 ||
        listen(fd, BACKLOG) != 0)
        goto fail;
    if (family != AF_UNIX) {
        port->address.len = sizeof port->address.storage;
        if (getsockname(fd, (struct sockaddr *)&port->address.storage, &port->address.len) != 0)
            goto fail;
    }
    *ret_fd = fd;
    return ERR_OK;
fail:
    close(fd);
    return ERR(IO);
}

struct tls_context *server_port_tls(struct server_port *port)
{
    pthread_mutex_lock(&port->lock);
    struct tls_context *tls = port->tls != NULL ? tls_context_ref(port->tls) : NULL;
    pthread_mutex_unlock(&port->lock);
    return tls;
}

/* ---- a connection ---- */

static void handshake_over(struct server_link *link)
{
    timers_disarm(&link->worker->loop->env.timers, &link->handshake_timer);
    if (!link->counted_handshake)
        return;
    link->counted_handshake = false;
    gate_handshake_done(link->worker->gate);
}

static void worker_empty(struct server_worker *worker)
{
    if (worker->told_empty || worker->on_empty == NULL)
        return;
    worker->told_empty = true;
    worker->on_empty(worker->on_empty_arg);
}

static void end_link(struct server_link *link)
{
    struct server_worker *worker = link->worker;
    handshake_over(link);
    server_conn_clear(&link->core);
    rpc_conn_clear(&link->io);
    loop_task_cancel(worker->loop, &link->end_task);
    if (link->prev != NULL)
        link->prev->next = link->next;
    else
        worker->links = link->next;
    if (link->next != NULL)
        link->next->prev = link->prev;
    if (link->gated)
        gate_leave(worker->gate, link->prefix);
    free(link->peer_name);
    free(link);
    if (worker->links == NULL && worker->draining)
        worker_empty(worker);
}

static void on_end_task(struct loop_task *task)
{
    end_link((struct server_link *)(void *)((char *)task - offsetof(struct server_link, end_task)));
}

static struct server_link *link_of(struct rpc_conn *io)
{
    return (struct server_link *)(void *)((char *)io - offsetof(struct server_link, io));
}

static void on_ready(struct rpc_conn *io)
{
    struct server_link *link = link_of(io);
    if (io->tls != NULL) {
        link->peer_name = tls_peer_name(io->tls);
        link->core.peer_name = link->peer_name;
        gate_handshake_cost(link->worker->gate, (uint32_t)io->handshake_us,
                            rpc_env_now_us(&io->loop->env));
    }
    handshake_over(link);
    if (link->worker->draining)
        server_conn_drain(&link->core);
}

/* The structs are still in use further down the stack: they go at the end of the turn. */
static void on_closed(struct rpc_conn *io, struct err err, const char *why)
{
    (void)err;
    (void)why;
    loop_at_turn_end(io->loop, &link_of(io)->end_task);
}

static void on_expired(void *transport)
{
    rpc_conn_close(transport, ERR(RPC_CLOSED), "idle, unread or unanswered for too long");
}

static void on_handshake_late(struct timer *timer)
{
    struct server_link *link =
        (struct server_link *)(void *)((char *)timer -
                                       offsetof(struct server_link, handshake_timer));
    rpc_conn_close(&link->io, ERR(TIMEOUT), "the TLS handshake took too long");
}

static void add_link(struct server_worker *worker, struct server_link *link)
{
    link->worker = worker;
    link->end_task.run = on_end_task;
    link->core.peer = link->peer;
    link->core.on_expired = on_expired;
    link->io.on_ready = on_ready;
    link->io.on_closed = on_closed;
    link->next = worker->links;
    if (worker->links != NULL)
        worker->links->prev = link;
    worker->links = link;
}

static struct err add_tls(struct server_worker *worker, struct server_port *port,
                          struct server_link *link, int fd, struct tls_session **ret_tls)
{
    struct tls_context *context = server_port_tls(port);
    struct tls_session *tls = tls_session_new(context, fd, NULL);
    tls_context_unref(context);
    if (tls == NULL)
        return ERR(NO_MEMORY);
    link->handshake_timer.fire = on_handshake_late;
    struct err err = ERR_OK;
    if (!worker->core->limits.no_limits)
        err = timers_arm(&worker->loop->env.timers, &link->handshake_timer,
                         link->core.opened_us + (uint64_t)worker->core->limits.handshake_ms * 1000);
    if (err_is_ok(err))
        *ret_tls = tls;
    else
        tls_session_free(tls);
    return err;
}

/* Who connected over a Unix socket; asked of the kernel, so it can't be claimed. */
static int64_t peer_uid(int fd, const struct address *peer)
{
    struct ucred who;
    socklen_t len = sizeof who;
    if (peer->storage.ss_family != AF_UNIX ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return -1;
    return who.uid;
}

static struct err open_link(struct server_worker *worker, struct server_port *port, int fd,
                            const struct address *peer, uint64_t prefix)
{
    struct server_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return ERR(NO_MEMORY);
    struct tls_session *tls = NULL;
    struct err err = server_conn_init(&link->core, worker->core, &worker->loop->env);
    if (!err_is_ok(err)) {
        free(link);
        return err;
    }
    if (port->is_tls)
        err = add_tls(worker, port, link, fd, &tls);
    if (!err_is_ok(err)) {
        server_conn_clear(&link->core);
        free(link);
        return err;
    }
    address_host(peer, link->peer);
    link->core.peer_uid = peer_uid(fd, peer);
    link->gated = true;
    link->prefix = prefix;
    link->counted_handshake = port->is_tls;
    add_link(worker, link);
    /* can't fail: the connection is there already, so no event is added */
    struct err never = rpc_conn_init(&link->io, worker->loop, &link->core.h2, fd, tls, false);
    (void)never;
    rpc_conn_start(&link->io);
    return ERR_OK;
}

static void on_pipe_accept(struct pipe_listener *pipe, struct pipe_end *end)
{
    struct server_listener *listener =
        (struct server_listener *)(void *)((char *)pipe - offsetof(struct server_listener, pipe));
    struct server_worker *worker = listener->worker;
    bool full = server_core_pressure(worker->core) >= HEARTH_PRESSURE_FULL;
    struct server_link *link = full ? NULL : calloc(1, sizeof *link);
    if (link == NULL ||
        !err_is_ok(server_conn_init(&link->core, worker->core, &worker->loop->env))) {
        free(link);
        pipe_close(end);
        return;
    }
    (void)snprintf(link->peer, sizeof link->peer, "%s", end->from);
    add_link(worker, link);
    rpc_conn_init_pipe(&link->io, worker->loop, &link->core.h2, end, false);
    rpc_conn_start(&link->io);
}

/* ---- accepting ---- */

static void watch(struct server_listener *listener, bool on)
{
    if (listener->fd < 0)
        return;
    if (on)
        event_add(&listener->event, NULL);
    else
        event_del(&listener->event);
}

static void pause_accepting(struct server_worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++)
        watch(&worker->listeners[i], false);
    struct err err = timers_arm(&worker->loop->env.timers, &worker->resume_timer,
                                rpc_env_now_us(&worker->loop->env) + ACCEPT_PAUSE_US);
    if (err_is_ok(err))
        return;
    for (size_t i = 0; i < worker->listener_count; i++)
        watch(&worker->listeners[i], true);
}

static void on_resume(struct timer *timer)
{
    struct server_worker *worker =
        (struct server_worker *)(void *)((char *)timer -
                                         offsetof(struct server_worker, resume_timer));
    if (worker->draining)
        return;
    for (size_t i = 0; i < worker->listener_count; i++)
        watch(&worker->listeners[i], true);
}

/* False: no more for now. */
static bool accept_one(struct server_listener *listener)
{
    struct server_worker *worker = listener->worker;
    struct server_port *port = listener->port;
    const struct hearth_server_limits *l = &worker->core->limits;
    struct address peer = {.len = sizeof peer.storage};
    uint64_t now_us = rpc_env_now_us(&worker->loop->env);
    /* who waits in the kernel's queue costs us nothing */
    if (server_core_pressure(worker->core) >= HEARTH_PRESSURE_FULL ||
        (port->is_tls && gate_handshake_wait(worker->gate, now_us))) {
        pause_accepting(worker);
        return false;
    }
    int fd = accept4(listener->fd, (struct sockaddr *)&peer.storage, &peer.len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            pause_accepting(worker);
        return errno == ECONNABORTED || errno == EINTR;
    }
    uint64_t prefix = address_prefix(&peer, l->prefix_bits_v4, l->prefix_bits_v6);
    if (!gate_enter(worker->gate, prefix, port->is_tls, now_us)) {
        close(fd);
        return true;
    }
    int one = 1, unsent_bytes = KERNEL_UNSENT_BYTES;
    if (peer.storage.ss_family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (!l->no_limits)
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes,
                             sizeof unsent_bytes);
    }
    if (!err_is_ok(open_link(worker, port, fd, &peer, prefix))) {
        if (port->is_tls)
            gate_handshake_done(worker->gate);
        gate_leave(worker->gate, prefix);
        close(fd);
    }
    return true;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct server_listener *listener = arg;
    (void)fd;
    (void)what;
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->worker->draining && accept_one(listener);
         i++)
        ;
    loop_timers_changed(listener->worker->loop);
}

struct err server_worker_accept(struct server_worker *worker)
{
    worker->resume_timer.fire = on_resume;
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct server_listener *listener = &worker->listeners[i];
        if (listener->port->pipe_name[0] != 0) {
            listener->pipe.on_accept = on_pipe_accept;
            TRY(pipe_listen(worker->loop, &listener->pipe, listener->port->pipe_name));
            continue;
        }
        if (worker->loop->base == NULL)
            return ERR(WRONG_STATE);
        event_assign(&listener->event, worker->loop->base, listener->fd, EV_READ | EV_PERSIST,
                     on_acceptable, listener);
        if (event_add(&listener->event, NULL) != 0)
            return ERR(NO_MEMORY);
    }
    return ERR_OK;
}

/* ---- the end ---- */

static void close_listeners(struct server_worker *worker)
{
    timers_disarm(&worker->loop->env.timers, &worker->resume_timer);
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct server_listener *listener = &worker->listeners[i];
        if (listener->pipe.on_accept != NULL)
            pipe_unlisten(worker->loop, &listener->pipe);
        if (listener->fd < 0)
            continue;
        /* not assigned when starting failed half-way */
        if (event_initialized(&listener->event))
            event_del(&listener->event);
        close(listener->fd);
        listener->fd = -1;
    }
}

void server_worker_drain(struct server_worker *worker)
{
    worker->draining = true;
    close_listeners(worker);
    for (struct server_link *link = worker->links; link != NULL; link = link->next) {
        if (!link->io.handshaking)
            server_conn_drain(&link->core);
    }
    if (worker->links == NULL)
        worker_empty(worker);
}

void server_worker_close_all(struct server_worker *worker)
{
    worker->draining = true;
    close_listeners(worker);
    while (worker->links != NULL)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the head of the list has no prev */
        end_link(worker->links);
}

void server_worker_clear(struct server_worker *worker)
{
    if (worker->loop != NULL)
        server_worker_close_all(worker);
    free(worker->listeners);
    worker->listeners = NULL;
    worker->listener_count = 0;
    if (worker->owns_loop)
        hearth_loop_free(worker->loop);
    worker->loop = NULL;
}
