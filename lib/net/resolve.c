#include "net/resolve.h"

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TRY_MS = 2000, TRIES = 2, WATCHES_MOST = 16, CLASS_IN = 1, TYPE_SRV = 33 };

struct watch {
    struct resolve *r;
    int fd; /* -1: free */
    struct event event;
};

struct resolve {
    struct hearth_loop *loop;
    ares_channel channel;
    struct timer timer;
    struct loop_task done_task;
    struct watch watches[WATCHES_MOST];
    struct err err;
    union {
        struct address address[RESOLVE_ADDRESSES_MOST];
        struct resolve_service service[RESOLVE_SERVICES_MOST];
    } at;
    size_t count;
    resolve_done_fn *done; /* one of the two */
    resolve_srv_done_fn *srv_done;
    void *arg;
};

static void resolve_free(struct resolve *r)
{
    if (r->channel != NULL)
        ares_destroy(r->channel); /* closes its sockets, which takes the watches away */
    timers_disarm(&r->loop->env.timers, &r->timer);
    loop_task_cancel(r->loop, &r->done_task);
    free(r);
}

void resolve_cancel(struct resolve *r)
{
    if (r != NULL)
        resolve_free(r);
}

/* ---- the end: never inside c-ares, which must not be destroyed from its own callbacks ---- */

static void finish(struct resolve *r, struct err err)
{
    r->err = err;
    loop_at_turn_end(r->loop, &r->done_task);
}

static void on_done_task(struct loop_task *task)
{
    struct resolve *r =
        (struct resolve *)(void *)((char *)task - offsetof(struct resolve, done_task));
    size_t count = err_is_ok(r->err) ? r->count : 0;
    if (r->done != NULL)
        r->done(r->err, r->at.address, count, r->arg);
    else
        r->srv_done(r->err, r->at.service, count, r->arg);
    resolve_free(r);
}

static struct err err_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return ERR_OK;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
    case ARES_EBADNAME:
        return ERR(RESOLVE_NAME);
    case ARES_ENOMEM:
        return ERR(NO_MEMORY);
    default:
        return ERR(RESOLVE_FAILED);
    }
}

/* ---- c-ares's sockets: its own would raise SIGPIPE over TCP, which is not ours to switch off ----
 */

static ares_socket_t open_socket(int family, int type, int protocol, void *arg)
{
    (void)arg;
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int close_socket(ares_socket_t fd, void *arg)
{
    (void)arg;
    return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t len,
                          void *arg)
{
    (void)arg;
    return connect(fd, address, len);
}

static ares_ssize_t receive(ares_socket_t fd, void *data, size_t len, int flags,
                            struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
    (void)arg;
    return recvfrom(fd, data, len, flags, from, from_len);
}

static ares_ssize_t send_parts(ares_socket_t fd, const struct iovec *parts, int count, void *arg)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                             .msg_iovlen = (size_t)count};
    (void)arg;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions sockets = {open_socket, close_socket, connect_socket,
                                                     receive, send_parts};

/* ---- c-ares on the loop ---- */

static void arm_timer(struct resolve *r)
{
    struct timeval room;
    const struct timeval *wait = ares_timeout(r->channel, NULL, &room);
    if (wait == NULL) {
        timers_disarm(&r->loop->env.timers, &r->timer);
        return;
    }
    uint64_t wait_us = (uint64_t)wait->tv_sec * 1000000 + (uint64_t)wait->tv_usec;
    uint64_t due_us = rpc_env_now_us(&r->loop->env) + (wait_us > 1000 ? wait_us : 1000);
    if (!err_is_ok(timers_arm(&r->loop->env.timers, &r->timer, due_us)))
        finish(r, ERR(NO_MEMORY));
}

static void on_timer(struct timer *timer)
{
    struct resolve *r = (struct resolve *)(void *)((char *)timer - offsetof(struct resolve, timer));
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timer(r);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct watch *watch = arg;
    struct resolve *r = watch->r;
    ares_process_fd(r->channel, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    arm_timer(r);
    loop_timers_changed(r->loop);
}

static struct watch *find_watch(struct resolve *r, int fd)
{
    for (size_t i = 0; i < WATCHES_MOST; i++) {
        if (r->watches[i].fd == fd)
            return &r->watches[i];
    }
    return NULL;
}

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolve *r = arg;
    struct watch *watch = find_watch(r, fd);
    if (watch != NULL)
        event_del(&watch->event);
    else
        watch = find_watch(r, -1);
    if (watch == NULL) {
        finish(r, ERR(RESOLVE_FAILED)); /* more sockets than any sane configuration has servers */
        return;
    }
    watch->fd = readable || writable ? fd : -1;
    if (watch->fd < 0)
        return;
    short what = (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    event_assign(&watch->event, r->loop->base, fd, what, on_event, watch);
    if (event_add(&watch->event, NULL) != 0)
        finish(r, ERR(NO_MEMORY));
}

static struct err resolve_new(struct hearth_loop *loop, const char *servers,
                              struct resolve **ret_resolve)
{
    struct resolve *r = calloc(1, sizeof *r);
    if (r == NULL)
        return ERR(NO_MEMORY);
    r->loop = loop;
    r->timer.fire = on_timer;
    r->done_task.run = on_done_task;
    for (size_t i = 0; i < WATCHES_MOST; i++)
        r->watches[i] = (struct watch){.r = r, .fd = -1};
    struct ares_options options = {
        .timeout = TRY_MS, .tries = TRIES, .sock_state_cb = on_socket, .sock_state_cb_data = r};
    int status = ares_init_options(&r->channel, &options,
                                   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS)
        r->channel = NULL;
    else
        ares_set_socket_functions(r->channel, &sockets, NULL);
    if (status == ARES_SUCCESS && servers != NULL)
        status = ares_set_servers_ports_csv(r->channel, servers);
    if (status != ARES_SUCCESS) {
        resolve_free(r);
        return status == ARES_ENOMEM ? ERR(NO_MEMORY) : ERR(RESOLVE_FAILED);
    }
    *ret_resolve = r;
    return ERR_OK;
}

/* ---- addresses ---- */

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    struct resolve *r = arg;
    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return;
    const struct ares_addrinfo_node *node = result != NULL ? result->nodes : NULL;
    for (; node != NULL && r->count < RESOLVE_ADDRESSES_MOST; node = node->ai_next) {
        struct address *a = &r->at.address[r->count];
        if (node->ai_addrlen > sizeof a->storage)
            continue;
        memcpy(&a->storage, node->ai_addr, node->ai_addrlen);
        a->len = node->ai_addrlen;
        r->count++;
    }
    ares_freeaddrinfo(result);
    struct err err = err_of(status);
    finish(r, err_is_ok(err) && r->count == 0 ? ERR(RESOLVE_NAME) : err);
}

struct err resolve_start(struct hearth_loop *loop, const char *servers, const char *host,
                         uint16_t port, resolve_done_fn *done, void *arg,
                         struct resolve **ret_resolve)
{
    static const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char service[8];
    struct resolve *r;
    TRY(resolve_new(loop, servers, &r));
    r->done = done;
    r->arg = arg;
    (void)snprintf(service, sizeof service, "%u", port);
    ares_getaddrinfo(r->channel, host, service, &hints, on_addresses, r);
    arm_timer(r);
    loop_timers_changed(loop);
    *ret_resolve = r;
    return ERR_OK;
}

/* ---- services ---- */

static void swap(struct resolve_service *a, struct resolve_service *b)
{
    struct resolve_service old = *a;
    *a = *b;
    *b = old;
}

static uint32_t draw(struct resolve *r, uint32_t bound)
{
    uint32_t value = 0;
    /* without randomness the order is fixed, nothing else */
    struct err ignored = rng_fill(r->loop->env.rng, &value, sizeof value);
    (void)ignored;
    return bound > 0 ? value % bound : 0;
}

/* RFC 2782: lowest priority first; within one, each place goes to an entry drawn by weight, those
 * of weight 0 having a small chance (here: 1 against 16 per unit of the others). */
static void order_services(struct resolve *r)
{
    enum { UNIT = 16 };
    struct resolve_service *s = r->at.service;
    for (size_t i = 0; i < r->count; i++) {
        uint16_t priority = UINT16_MAX;
        uint32_t sum = 0;
        for (size_t k = i; k < r->count; k++)
            priority = s[k].priority < priority ? s[k].priority : priority;
        for (size_t k = i; k < r->count; k++)
            sum += s[k].priority == priority ? s[k].weight * (uint32_t)UNIT + 1 : 0;
        uint32_t lot = draw(r, sum);
        for (size_t k = i; k < r->count; k++) {
            if (s[k].priority != priority)
                continue;
            uint32_t share = s[k].weight * (uint32_t)UNIT + 1;
            if (lot < share) {
                swap(&s[i], &s[k]);
                break;
            }
            lot -= share;
        }
    }
}

static void on_services(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
    struct resolve *r = arg;
    struct ares_srv_reply *list = NULL;
    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return;
    if (status == ARES_SUCCESS)
        status = ares_parse_srv_reply(answer, len, &list);
    for (const struct ares_srv_reply *s = list; s != NULL && r->count < RESOLVE_SERVICES_MOST;
         s = s->next) {
        size_t name_len = strlen(s->host);
        if (name_len == 0 || name_len >= RESOLVE_NAME_BYTES)
            continue;
        struct resolve_service *at = &r->at.service[r->count++];
        memcpy(at->host, s->host, name_len + 1);
        at->port = s->port;
        at->priority = s->priority;
        at->weight = s->weight;
    }
    ares_free_data(list);
    order_services(r);
    struct err err = err_of(status);
    finish(r, err_is_ok(err) && r->count == 0 ? ERR(RESOLVE_NAME) : err);
}

struct err resolve_srv(struct hearth_loop *loop, const char *servers, const char *name,
                       resolve_srv_done_fn *done, void *arg, struct resolve **ret_resolve)
{
    struct resolve *r;
    TRY(resolve_new(loop, servers, &r));
    r->srv_done = done;
    r->arg = arg;
    ares_query(r->channel, name, CLASS_IN, TYPE_SRV, on_services, r);
    arm_timer(r);
    loop_timers_changed(loop);
    *ret_resolve = r;
    return ERR_OK;
}
