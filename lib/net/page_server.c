#include "net/page_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"
#include "net/loop.h"

enum { HEADER_BYTES = 4096, TIMEOUT_S = 5, PAGE_MAX_BYTES = 4 * 1024 * 1024, WAITING = 16 };

struct page_server {
    struct hearth_loop *loop;
    struct evhttp *http;
    uint16_t port;
    void (*fill)(void *self, struct buf *page);
    void *self;
};

static void on_page(struct evhttp_request *request, void *arg)
{
    struct page_server *server = arg;
    struct buf page = {.limit = PAGE_MAX_BYTES};
    loop_enter(server->loop);
    server->fill(server->self, &page);
    struct evbuffer *body = evhttp_request_get_output_buffer(request);
    bool good = buf_check(&page).code == ERR_NONE && evbuffer_add(body, page.data, page.len) == 0 &&
                evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                                  "text/plain; version=0.0.4") == 0;
    if (good)
        evhttp_send_reply(request, HTTP_OK, "OK", NULL);
    else
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
    buf_clear(&page);
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

struct err page_server_new(struct hearth_loop *loop, const char *address, const char *path,
                           void (*fill)(void *self, struct buf *page), void *self,
                           struct page_server **ret_server)
{
    struct address at;
    TRY(address_parse(address, &at));
    struct page_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return ERR(NO_MEMORY);
    *server = (struct page_server){.loop = loop, .fill = fill, .self = self};
    server->http = evhttp_new(hearth_loop_base(loop));
    if (server->http == NULL || evhttp_set_cb(server->http, path, on_page, server) != 0) {
        page_server_free(server);
        return ERR(NO_MEMORY);
    }
    evhttp_set_max_headers_size(server->http, HEADER_BYTES);
    evhttp_set_max_body_size(server->http, 0);
    evhttp_set_timeout(server->http, TIMEOUT_S);
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET);
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
