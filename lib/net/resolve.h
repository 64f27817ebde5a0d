/* Names to addresses, by c-ares on the loop: hosts file, A and AAAA, and SRV records.
 *
 * One question is one object with a c-ares channel of its own: resolv.conf is read anew each time,
 * and a cancelled question leaves nothing behind. Questions are asked once per connection attempt,
 * where that cost (some 50 us) is nothing. Answers are not cached here: the resolver of the host
 * does that, and knows the time to live.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "net/address.h"
#include "net/loop.h"

struct resolve;

enum { RESOLVE_ADDRESSES_MOST = 8, RESOLVE_SERVICES_MOST = 16, RESOLVE_NAME_BYTES = 256 };

/* A target of a SRV record (RFC 2782). */
struct resolve_service {
    char host[RESOLVE_NAME_BYTES];
    uint16_t port, priority, weight;
};

/* Always from the loop, once, unless cancelled before; the handle is dead from then on. Addresses
 * come in the order of RFC 6724, services in that of RFC 2782 (weights are drawn by lot); both live
 * until the return, count is 0 unless err is ERR_OK. ERR_RESOLVE_NAME: there is no such name, or
 * none with an address; ERR_RESOLVE_FAILED: nobody could say; ERR_NO_MEMORY. */
typedef void resolve_done_fn(struct err err, const struct address *at, size_t count, void *arg);
typedef void resolve_srv_done_fn(struct err err, const struct resolve_service *at, size_t count,
                                 void *arg);

/* servers: "127.0.0.1:53,[::1]:53", or NULL for those of the host. All texts are copied.
 * ERR_NO_MEMORY; ERR_RESOLVE_FAILED when the host's configuration or `servers` can't be read. */
CHECKED struct err resolve_start(struct hearth_loop *loop, const char *servers, const char *host,
                                 uint16_t port, resolve_done_fn *done, void *arg,
                                 struct resolve **ret_resolve);
/* name: "_hearth._tcp.example.org". A name whose only record says that the service is not offered
 * (target ".") is ERR_RESOLVE_NAME too. */
CHECKED struct err resolve_srv(struct hearth_loop *loop, const char *servers, const char *name,
                               resolve_srv_done_fn *done, void *arg, struct resolve **ret_resolve);
/* done will not run. NULL is fine. Not from inside done. */
void resolve_cancel(struct resolve *r);

#endif
