/* Plain HTTP/1.1 pages for who knows nothing of gRPC, by libevent's own HTTP server: GET, and POST
 * where that is switched on. Small on purpose: bounded headers, bodies and pages, a short timeout.
 * For an address that only monitoring or a proxy reaches.
 */
#ifndef NET_PAGE_SERVER_H
#define NET_PAGE_SERVER_H

#include "base/bytes.h"
#include "hearth/rpc.h"

struct page_server;

/* fill writes the page anew for each request, on the loop's thread; path is borrowed. address
 * "127.0.0.1:9464",
 * "[::1]:0". ERR_ADDRESS, ERR_IO (errno says why), ERR_NO_MEMORY. */
CHECKED struct err page_server_new(struct hearth_loop *loop, const char *address, const char *path,
                                   void (*fill)(void *self, struct buf *page), void *self,
                                   struct page_server **ret_server);

struct page {
    struct buf body;
    const char *type; /* Content-Type [application/octet-stream] */
    bool forever;     /* caches may keep it */
    int status;       /* [200] */
};
/* The same with many paths: get fills the page of a path, which has no query. ERR_NOT_FOUND is
 * answered with 404, other errors with 500. */
CHECKED struct err page_server_many(struct hearth_loop *loop, const char *address,
                                    struct err (*get)(void *self, const char *path,
                                                      struct page *page),
                                    void *self, struct page_server **ret_server);
/* Before the loop runs: POST is answered, too, with what post fills in from a body of at most
 * body_bytes. Errors as of get. Waits as get does: one after the other. */
void page_server_posts(struct page_server *server, size_t body_bytes,
                       struct err (*post)(void *self, const char *path, struct bytes body,
                                          struct page *page));
uint16_t page_server_port(const struct page_server *server);
void page_server_free(struct page_server *server);

#endif
