/* Plain HTTP/1.1 pages for monitoring systems that know nothing of gRPC, by libevent's own HTTP
 * server: GET of one path, text. Small on purpose: one page, bounded headers, no bodies, a short
 * timeout. For an address only monitoring reaches.
 */
#ifndef NET_PAGE_SERVER_H
#define NET_PAGE_SERVER_H

#include "base/bytes.h"
#include "hearth/rpc.h"

struct page_server;

/* fill writes the page anew for each request, on the loop's thread. address "127.0.0.1:9464",
 * "[::1]:0". ERR_ADDRESS, ERR_IO (errno says why), ERR_NO_MEMORY. */
CHECKED struct err page_server_new(struct hearth_loop *loop, const char *address, const char *path,
                                   void (*fill)(void *self, struct buf *page), void *self,
                                   struct page_server **ret_server);
uint16_t page_server_port(const struct page_server *server);
void page_server_free(struct page_server *server);

#endif
