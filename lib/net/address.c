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
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(b, mapped, sizeof mapped) == 0)
        return prefix_v4(
            (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15], bits_v4);
    uint64_t high = 0;
    for (int i = 0; i < 8; i++)
        high = high << 8 | b[i];
    high = first_bits(high, bits_v6);
    return high != 0 ? high : PREFIX_LOCAL6;
}
