/* hearth_server: services, ports and workers; the public face of lib/rpc's server half. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "net/server.h"
#include "net/server_worker.h"
#include "rpc/services/standard.h"

enum { PORTS_MOST = 8, THREADS_MOST = 256, ERROR_BYTES = 256 };

struct hearth_server {
    struct server_core core;
    struct standard_services standard;
    struct gate gate;
    struct server_port ports[PORTS_MOST];
    int port_fds[PORTS_MOST]; /* the first worker's listening socket, made when the address is given
                               */
    size_t port_count;
    struct server_worker *workers;
    unsigned worker_count;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t emptied;
    unsigned empty_workers; /* guarded by lock, while draining */
    char error[ERROR_BYTES];
};

static void say(struct hearth_server *server, const char *what, const char *detail)
{
    (void)snprintf(server->error, sizeof server->error, "%s: %s", what, detail);
}

/* Connections get 45 of 100 descriptors: files, and calls to others, need some as well. */
static void spare_descriptors(struct hearth_server_limits *l)
{
    struct rlimit files;
    if (l->no_limits || getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
        return;
    uint64_t most = (uint64_t)files.rlim_cur / 20 * 9;
    if (l->connections > most)
        l->connections = most > 0 ? (uint32_t)most : 1;
}

struct hearth_server *hearth_server_new(const struct hearth_server_options *options)
{
    struct hearth_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    uint64_t key = 0;
    unsigned threads = options != NULL && options->threads != 0 ? options->threads : 1;
    server->worker_count = threads > THREADS_MOST ? THREADS_MOST : threads;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->emptied, &attributes);
    pthread_condattr_destroy(&attributes);
    server->workers = calloc(server->worker_count, sizeof *server->workers);
    if (server->workers == NULL || !err_is_ok(rng_fill(&rng_system, &key, sizeof key)) ||
        !err_is_ok(server_core_init(&server->core, options)) ||
        !err_is_ok(standard_init(&server->standard, &server->core.registry, options)) ||
        !gate_init(&server->gate, &server->core.limits, key)) {
        hearth_server_free(server);
        return NULL;
    }
    spare_descriptors(&server->core.limits);
    return server;
}

bool hearth_server_add(struct hearth_server *server, const struct hearth_service *service,
                       const void *impl, void *self)
{
    if (server->started)
        return false;
    struct err err = registry_add(&server->core.registry, service, impl, self);
    if (!err_is_ok(err))
        say(server, service->name, err_text(err));
    return err_is_ok(err);
}

/* ---- ports ---- */

static bool copy_text(const char **to, const char *from)
{
    *to = from == NULL ? NULL : strdup(from);
    return from == NULL || *to != NULL;
}

static bool copy_tls(struct hearth_tls_options *to, const struct hearth_tls_options *from)
{
    *to =
        (struct hearth_tls_options){.require_client_certificate = from->require_client_certificate};
    return copy_text(&to->certificate_file, from->certificate_file) &&
           copy_text(&to->key_file, from->key_file) && copy_text(&to->ca_file, from->ca_file) &&
           copy_text(&to->server_name, from->server_name);
}

static void clear_port(struct server_port *port)
{
    tls_context_unref(port->tls);
    free((void *)(uintptr_t)port->tls_options.certificate_file);
    free((void *)(uintptr_t)port->tls_options.key_file);
    free((void *)(uintptr_t)port->tls_options.ca_file);
    free((void *)(uintptr_t)port->tls_options.server_name);
    pthread_mutex_destroy(&port->lock);
}

bool hearth_server_listen(struct hearth_server *server, const char *address,
                          const struct hearth_tls_options *tls)
{
    struct server_port *port = &server->ports[server->port_count];
    if (server->started || server->port_count == PORTS_MOST) {
        say(server, address, "too late or too many addresses");
        return false;
    }
    *port = (struct server_port){.is_tls = tls != NULL};
    pthread_mutex_init(&port->lock, NULL);
    const char *pipe_name = pipe_name_of(address);
    if (pipe_name != NULL && tls == NULL && strlen(pipe_name) < PIPE_NAME_BYTES) {
        memcpy(port->pipe_name, pipe_name, strlen(pipe_name) + 1);
        server->port_fds[server->port_count++] = -1;
        return true;
    }
    if (!err_is_ok(address_parse(address, &port->address))) {
        say(server, address, "not an address (127.0.0.1:7443, [::1]:7443 or unix:/path)");
    } else if (tls != NULL && !copy_tls(&port->tls_options, tls)) {
        say(server, address, "out of memory");
    } else if (tls != NULL && !err_is_ok(tls_context_new(&port->tls_options, true, server->error,
                                                         ERROR_BYTES, &port->tls))) {
        /* the error says it already */
    } else if (!err_is_ok(server_port_listen(port, true, &server->port_fds[server->port_count]))) {
        say(server, address, strerror(errno));
    } else {
        server->port_count++;
        return true;
    }
    clear_port(port);
    return false;
}

uint16_t hearth_server_port(const struct hearth_server *server, size_t listener)
{
    return listener < server->port_count ? address_port(&server->ports[listener].address) : 0;
}

bool hearth_server_reload_tls(struct hearth_server *server)
{
    struct tls_context *fresh[PORTS_MOST] = {NULL};
    bool ok = true;
    for (size_t i = 0; i < server->port_count && ok; i++) {
        if (server->ports[i].is_tls)
            ok = err_is_ok(tls_context_new(&server->ports[i].tls_options, true, server->error,
                                           ERROR_BYTES, &fresh[i]));
    }
    for (size_t i = 0; i < server->port_count; i++) {
        struct server_port *port = &server->ports[i];
        if (ok && port->is_tls) {
            pthread_mutex_lock(&port->lock);
            struct tls_context *old = port->tls;
            port->tls = fresh[i];
            fresh[i] = old;
            pthread_mutex_unlock(&port->lock);
        }
        tls_context_unref(fresh[i]);
    }
    return ok;
}

/* ---- workers ---- */

static void on_worker_empty(void *arg)
{
    struct hearth_server *server = arg;
    pthread_mutex_lock(&server->lock);
    server->empty_workers++;
    pthread_cond_signal(&server->emptied);
    pthread_mutex_unlock(&server->lock);
}

/* Worker 0 uses the sockets that listen already; the others make their own beside them. A Unix
 * socket has one. */
static struct err open_listeners(struct hearth_server *server, unsigned index)
{
    struct server_worker *worker = &server->workers[index];
    worker->listeners =
        calloc(server->port_count > 0 ? server->port_count : 1, sizeof *worker->listeners);
    if (worker->listeners == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < server->port_count; i++) {
        struct server_port *port = &server->ports[i];
        int fd = server->port_fds[i];
        bool is_pipe = port->pipe_name[0] != 0;
        if (index > 0 && (is_pipe || port->address.storage.ss_family == AF_UNIX))
            continue;
        if (index > 0)
            TRY(server_port_listen(port, false, &fd));
        else
            server->port_fds[i] = -1;
        worker->listeners[worker->listener_count++] =
            (struct server_listener){.worker = worker, .port = port, .fd = fd};
    }
    return server_worker_accept(worker);
}

static struct err prepare_worker(struct hearth_server *server, unsigned index,
                                 struct hearth_loop *loop)
{
    struct server_worker *worker = &server->workers[index];
    worker->core = &server->core;
    worker->gate = &server->gate;
    worker->on_empty = on_worker_empty;
    worker->on_empty_arg = server;
    worker->owns_loop = loop == NULL;
    worker->loop = loop != NULL ? loop : hearth_loop_new(NULL);
    if (worker->loop == NULL)
        return ERR(NO_MEMORY);
    return open_listeners(server, index);
}

static void *run_worker(void *arg)
{
    struct server_worker *worker = arg;
    hearth_loop_run(worker->loop);
    return NULL;
}

static bool start_services(struct hearth_server *server)
{
    server->started = true;
    struct err err = standard_start(&server->standard, &server->core.registry);
    if (!err_is_ok(err))
        say(server, "start: a service's descriptors", err_text(err));
    return err_is_ok(err);
}

bool hearth_server_start(struct hearth_server *server)
{
    if (!start_services(server))
        return false;
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct err err = prepare_worker(server, i, NULL);
        if (!err_is_ok(err)) {
            say(server, "start", err_text(err));
            return false;
        }
    }
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct server_worker *worker = &server->workers[i];
        worker->has_thread = pthread_create(&worker->thread, NULL, run_worker, worker) == 0;
        if (!worker->has_thread) {
            say(server, "start", "no thread");
            return false;
        }
    }
    return true;
}

bool hearth_server_start_on(struct hearth_server *server, struct hearth_loop *loop)
{
    if (!start_services(server))
        return false;
    server->worker_count = 1;
    struct err err = prepare_worker(server, 0, loop);
    if (!err_is_ok(err))
        say(server, "start", err_text(err));
    return err_is_ok(err);
}

/* ---- the end ---- */

static void post_drain(void *arg)
{
    server_worker_drain(arg);
}

static void post_close(void *arg)
{
    server_worker_close_all(arg);
}

void hearth_server_set_serving(struct hearth_server *server, const char *service, bool serving)
{
    if (server->standard.health != NULL &&
        !err_is_ok(health_set(server->standard.health, service, serving)))
        say(server, service, "out of memory: not everybody may have heard of its state");
}

void server_drain_begin(struct hearth_server *server)
{
    if (server->started && !atomic_exchange(&server->core.draining, true))
        server_worker_drain(&server->workers[0]);
}

bool server_is_empty(struct hearth_server *server)
{
    return server->workers[0].links == NULL;
}

void server_drain_end(struct hearth_server *server)
{
    server_worker_close_all(&server->workers[0]);
}

static struct timespec after_ms(uint32_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static void wait_empty(struct hearth_server *server, uint32_t ms)
{
    struct timespec until = after_ms(ms);
    pthread_mutex_lock(&server->lock);
    while (server->empty_workers < server->worker_count) {
        if (pthread_cond_timedwait(&server->emptied, &server->lock, &until) != 0)
            break;
    }
    pthread_mutex_unlock(&server->lock);
}

void hearth_server_drain(struct hearth_server *server, uint32_t grace_ms)
{
    if (!server->started || atomic_exchange(&server->core.draining, true))
        return;
    if (server->standard.health != NULL)
        health_shut_down(server->standard.health);
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct server_worker *worker = &server->workers[i];
        /* one that never ran, or can't be told for want of memory, is not waited for */
        if (worker->loop == NULL || !hearth_loop_post(worker->loop, post_drain, worker))
            on_worker_empty(server);
    }
    wait_empty(server, grace_ms);
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (server->workers[i].loop != NULL)
            (void)hearth_loop_post(server->workers[i].loop, post_close, &server->workers[i]);
    }
    wait_empty(server, 1000);
}

void hearth_server_free(struct hearth_server *server)
{
    if (server == NULL)
        return;
    for (unsigned i = 0; i < server->worker_count && server->workers != NULL; i++) {
        struct server_worker *worker = &server->workers[i];
        if (worker->has_thread) {
            hearth_loop_stop(worker->loop);
            pthread_join(worker->thread, NULL);
        }
        worker->on_empty = NULL;
        server_worker_clear(worker);
    }
    for (size_t i = 0; i < server->port_count; i++) {
        if (server->port_fds[i] >= 0)
            close(server->port_fds[i]);
        clear_port(&server->ports[i]);
    }
    free(server->workers);
    if (server->gate.slots != NULL)
        gate_clear(&server->gate);
    standard_clear(&server->standard);
    server_core_clear(&server->core);
    pthread_cond_destroy(&server->emptied);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *hearth_server_error(const struct hearth_server *server)
{
    return server->error;
}
