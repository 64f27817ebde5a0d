#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

struct err address_split(const char *text, char *host, size_t host_bytes, char port[6])
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || strlen(colon + 1) == 0 || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return ERR(ADDRESS);
    const char *start = text;
    size_t len = (size_t)(colon - text);
    if (text[0] == '[') {
        if (len < 3 || text[len - 1] != ']')
            return ERR(ADDRESS);
        start++;
        len -= 2;
    } else if (memchr(text, ':', len) != NULL) {
        return ERR(ADDRESS); /* an IPv6 address needs its brackets */
    }
    if (len == 0 || len >= host_bytes || strtoul(colon + 1, NULL, 10) > 65535)
        return ERR(ADDRESS);
    memcpy(host, start, len);
    host[len] = 0;
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return ERR_OK;
}

static struct err parse_unix(const char *path, struct address *a)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&a->storage;
    if (strlen(path) == 0 || strlen(path) >= sizeof un->sun_path)
        return ERR(ADDRESS);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, strlen(path) + 1);
    a->len = sizeof *un;
    return ERR_OK;
}

struct err address_parse(const char *text, struct address *ret_address)
{
    struct address a = {.len = 0};
    char host[64], port[6];
    if (strncmp(text, "unix:", 5) == 0) {
        TRY(parse_unix(text + 5, &a));
        *ret_address = a;
        return ERR_OK;
    }
    TRY(address_split(text, host, sizeof host, port));
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a.storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.storage;
    uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = number;
        a.len = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = number;
        a.len = sizeof *v6;
    } else {
        return ERR(ADDRESS);
    }
    *ret_address = a;
    return ERR_OK;
}

void address_host(const struct address *a, char text[ADDRESS_TEXT_BYTES])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->storage;
    if (a->storage.ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, text, ADDRESS_TEXT_BYTES);
    else if (a->storage.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, text, ADDRESS_TEXT_BYTES);
    else
        (void)snprintf(text, ADDRESS_TEXT_BYTES, "unix");
}

uint16_t address_port(const struct address *a)
{
    if (a->storage.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&a->storage)->sin_port);
    if (a->storage.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&a->storage)->sin6_port);
    return 0;
}

bool address_is_loopback(const struct address *a)
{
    if (a->storage.ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)&a->storage)->sin_addr.s_addr) >> 24 == 127;
    if (a->storage.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->storage)->sin6_addr);
    return a->storage.ss_family == AF_UNIX;
}

/* This network, private (RFC 1918), shared (RFC 6598), loopback, link-local, assignments,
 * documentation, 6to4 relays (RFC 7526), benchmarks (RFC 2544), multicast, and all above it. */
static bool v4_is_public(uint32_t a)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } others[] = {{0, 8},           {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},
                  {0xa9fe0000, 16}, {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24},
                  {0xc0586300, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xc6336400, 24},
                  {0xcb007100, 24}, {0xe0000000, 3}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if ((a ^ others[i].net) >> (32 - others[i].bits) == 0)
            return false;
    }
    return true;
}

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static uint32_t v4_within(const uint8_t a[16])
{
    return (uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 | a[15];
}

/* 2000::/3 is what is given out, but for protocols' own (2001::/23, Teredo among them), 6to4,
 * and documentation (RFC 3849, RFC 9637). NAT64 (RFC 6052) is how a host without IPv4 reaches it.
 */
static bool v6_is_public(const uint8_t a[16])
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    if (memcmp(a, mapped, sizeof mapped) == 0 || memcmp(a, nat64, sizeof nat64) == 0)
        return v4_is_public(v4_within(a));
    bool protocols = a[0] == 0x20 && a[1] == 0x01 && a[2] < 2;
    bool tunnel = a[0] == 0x20 && a[1] == 0x02;
    bool documentation = (a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8) ||
                         (a[0] == 0x3f && a[1] == 0xff && a[2] < 0x10);
    return a[0] >> 5 == 1 && !protocols && !tunnel && !documentation;
}

bool address_is_public(const struct address *a)
{
    if (a->storage.ss_family == AF_INET)
        return v4_is_public(ntohl(((const struct sockaddr_in *)&a->storage)->sin_addr.s_addr));
    return a->storage.ss_family == AF_INET6 &&
           v6_is_public(((const struct sockaddr_in6 *)&a->storage)->sin6_addr.s6_addr);
}

static uint64_t first_bits(uint64_t high, unsigned bits)
{
    if (bits == 0)
        return 0;
    return bits >= 64 ? high : high & ~UINT64_C(0) << (64 - bits);
}

/* Below the prefixes that IPv6 gives out (2000::/3 and up), so that none of their bits is needed to
 * tell the kinds apart. */
enum { PREFIX_LOCAL6 = 2, PREFIX_UNIX = 3 };
static uint64_t prefix_v4(uint32_t address, unsigned bits)
{
    return UINT64_C(1) << 32 | first_bits((uint64_t)address << 32, bits) >> 32;
}

uint64_t address_prefix(const struct address *a, unsigned bits_v4, unsigned bits_v6)
{
    if (a->storage.ss_family == AF_INET)
        return prefix_v4(ntohl(((const struct sockaddr_in *)&a->storage)->sin_addr.s_addr),
                         bits_v4);
    if (a->storage.ss_family != AF_INET6)
        return PREFIX_UNIX;
    const uint8_t *b = ((const struct sockaddr_in6 *)&a->storage)->sin6_addr.s6_addr;
    if (memcmp(b, mapped, sizeof mapped) == 0)
        return prefix_v4(v4_within(b), bits_v4);
    uint64_t high = 0;
    for (int i = 0; i < 8; i++)
        high = high << 8 | b[i];
    high = first_bits(high, bits_v6);
    return high != 0 ? high : PREFIX_LOCAL6;
}
