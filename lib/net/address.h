/* Numeric addresses as text: "127.0.0.1:7443", "[::1]:0", "unix:/path". Names are lib/net/resolve's
 * business.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/bytes.h"

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
};

enum { ADDRESS_TEXT_BYTES = 64 };

/* ERR_ADDRESS when it is not one of the three forms. */
CHECKED struct err address_parse(const char *text, struct address *ret_address);
/* Splits "host:port" or "[host]:port"; host is copied without brackets. ERR_ADDRESS. */
CHECKED struct err address_split(const char *text, char *host, size_t host_bytes, char port[6]);
/* The host part without port; "unix" for Unix sockets. */
void address_host(const struct address *a, char text[ADDRESS_TEXT_BYTES]);
uint16_t address_port(const struct address *a);
bool address_is_loopback(const struct address *a);
/* A host anywhere in the Internet, rather than on this machine, in a network of one's own, or
 * nowhere at all: what a stranger's name may lead to. By the special-purpose registries (RFC 6890);
 * an IPv4 address inside of an IPv6 one (mapped, 6to4, Teredo, NAT64) is judged as what it leads to
 * or refused. Unix sockets are not. */
bool address_is_public(const struct address *a);
/* What a channel says of one that it may not dial. */
#define ADDRESS_NOT_PUBLIC "not a public address"
/* The first `bits` bits of an IPv4 or IPv6 address as a number to count by; v4-mapped addresses
 * count as IPv4. Unix sockets are all one. */
uint64_t address_prefix(const struct address *a, unsigned bits_v4, unsigned bits_v6);

#endif
