/* Where a call comes from, as far as limits tell sources apart. */
#include <arpa/inet.h>

#include "server/front/inside.h"

/* Keeps the first `bits` bits. */
static void mask(uint8_t *address, size_t len, uint32_t bits)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t left = bits > i * 8 ? bits - (uint32_t)i * 8 : 0;
        if (left < 8)
            address[i] &= (uint8_t)(0xff00U >> left);
    }
}

size_t source_of(const char *peer, uint32_t bits_v4, uint32_t bits_v6,
                 uint8_t ret_source[FRONT_SOURCE_BYTES])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint8_t address[16];
    if (inet_pton(AF_INET6, peer, address) == 1) {
        if (memcmp(address, mapped, sizeof mapped) != 0) {
            mask(address, 16, bits_v6);
            ret_source[0] = 6;
            memcpy(ret_source + 1, address, 16);
            return 17;
        }
        memmove(address, address + sizeof mapped, 4); /* an IPv4 address in IPv6 clothes */
    } else if (inet_pton(AF_INET, peer, address) != 1) {
        size_t len = strnlen(peer, FRONT_SOURCE_BYTES - 1);
        ret_source[0] = 0;
        memcpy(ret_source + 1, peer, len);
        return len + 1;
    }
    mask(address, 4, bits_v4);
    ret_source[0] = 4;
    memcpy(ret_source + 1, address, 4);
    return 5;
}
