#include "net/page_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"
#include "net/loop.h"

enum { HEADER_BYTES = 4096, TIMEOUT_S = 5, PAGE_MAX_BYTES = 4 * 1024 * 1024, WAITING = 16 };

struct page_server {
    struct hearth_loop *loop;
    struct evhttp *http;
    uint16_t port;
    const char *path; /* the only one; NULL: get is asked */
    void (*fill)(void *self, struct buf *page);
    struct err (*get)(void *self, const char *path, struct page *page);
    struct err (*post)(void *self, const char *path, struct bytes body, struct page *page);
    void *self;
};

static struct err fill_posted(struct page_server *server, struct evhttp_request *request,
                              const char *path, struct page *page)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(request);
    const size_t len = evbuffer_get_length(in);
    const uint8_t *body = evbuffer_pullup(in, -1);
    if (server->post == NULL)
        return ERR(NOT_FOUND);
    if (len > 0 && body == NULL)
        return ERR(NO_MEMORY);
    return server->post(server->self, path, bytes_of(body, len), page);
}

static struct err fill_page(struct page_server *server, struct evhttp_request *request,
                            struct page *page)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
    if (path == NULL)
        return ERR(NOT_FOUND);
    if (evhttp_request_get_command(request) == EVHTTP_REQ_POST)
        return fill_posted(server, request, path, page);
    if (server->path == NULL)
        return server->get(server->self, path, page);
    if (strcmp(path, server->path) != 0)
        return ERR(NOT_FOUND);
    page->type = "text/plain; version=0.0.4";
    server->fill(server->self, &page->body);
    return ERR_OK;
}

static bool reply(struct evhttp_request *request, const struct page *page)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evhttp_request_get_output_buffer(request);
    char length[24];
    bool head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
    (void)snprintf(length, sizeof length, "%zu", page->body.len);
    /* RFC 9110 9.3.2: as for GET, without the body */
    if ((head ? evhttp_add_header(headers, "Content-Length", length)
              : evbuffer_add(body, page->body.data, page->body.len)) != 0 ||
        evhttp_add_header(headers, "Content-Type", page->type) != 0 ||
        evhttp_add_header(headers, "Cache-Control",
                          page->forever ? "public, max-age=31536000, immutable" : "no-cache") != 0)
        return false;
    evhttp_send_reply(request, page->status, page->status == HTTP_OK ? "OK" : NULL, NULL);
    return true;
}

static void on_page(struct evhttp_request *request, void *arg)
{
    struct page_server *server = arg;
    struct page page = {
        .body = {.limit = PAGE_MAX_BYTES}, .type = "application/octet-stream", .status = HTTP_OK};
    loop_enter(server->loop);
    struct err err = fill_page(server, request, &page);
    if (err_is_ok(err))
        err = buf_check(&page.body);
    if (err.code == ERR_NOT_FOUND)
        evhttp_send_error(request, HTTP_NOTFOUND, NULL);
    else if (!err_is_ok(err) || !reply(request, &page))
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
    buf_clear(&page.body);
    loop_leave(server->loop);
}

static int open_port(struct address *address)
{
    int one = 1;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    address->len = address->len > 0 ? address->len : sizeof address->storage;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address->storage, address->len) != 0 ||
        listen(fd, WAITING) != 0 ||
        getsockname(fd, (struct sockaddr *)&address->storage, &address->len) != 0) {
        int why = errno;
        (void)close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static struct err open_server(const struct page_server *with, const char *address,
                              struct page_server **ret_server)
{
    struct address at;
    TRY(address_parse(address, &at));
    struct page_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return ERR(NO_MEMORY);
    *server = *with;
    server->http = evhttp_new(hearth_loop_base(server->loop));
    if (server->http == NULL) {
        page_server_free(server);
        return ERR(NO_MEMORY);
    }
    evhttp_set_gencb(server->http, on_page, server);
    evhttp_set_max_headers_size(server->http, HEADER_BYTES);
    evhttp_set_max_body_size(server->http, 0);
    evhttp_set_timeout(server->http, TIMEOUT_S);
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    int fd = open_port(&at);
    if (fd < 0 || evhttp_accept_socket_with_handle(server->http, fd) == NULL) {
        int why = errno;
        if (fd >= 0)
            (void)close(fd);
        page_server_free(server);
        errno = why;
        return ERR(IO);
    }
    server->port = address_port(&at);
    *ret_server = server;
    return ERR_OK;
}

struct err page_server_new(struct hearth_loop *loop, const char *address, const char *path,
                           void (*fill)(void *self, struct buf *page), void *self,
                           struct page_server **ret_server)
{
    const struct page_server with = {.loop = loop, .path = path, .fill = fill, .self = self};
    return open_server(&with, address, ret_server);
}

struct err page_server_many(struct hearth_loop *loop, const char *address,
                            struct err (*get)(void *self, const char *path, struct page *page),
                            void *self, struct page_server **ret_server)
{
    const struct page_server with = {.loop = loop, .get = get, .self = self};
    return open_server(&with, address, ret_server);
}

void page_server_posts(struct page_server *server, size_t body_bytes,
                       struct err (*post)(void *self, const char *path, struct bytes body,
                                          struct page *page))
{
    server->post = post;
    evhttp_set_max_body_size(server->http, (ev_ssize_t)body_bytes);
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
}

uint16_t page_server_port(const struct page_server *server)
{
    return server->port;
}

void page_server_free(struct page_server *server)
{
    if (server == NULL)
        return;
    if (server->http != NULL)
        evhttp_free(server->http); /* closes connections and the socket */
    free(server);
}
