#include "rpc/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes in, char *out)
{
    size_t i = 0;
    for (; i + 3 <= in.len; i += 3) {
        uint32_t v = (uint32_t)in.data[i] << 16 | (uint32_t)in.data[i + 1] << 8 | in.data[i + 2];
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = alphabet[v >> 6 & 63];
        *out++ = alphabet[v & 63];
    }
    if (in.len - i == 1) {
        *out++ = alphabet[in.data[i] >> 2];
        *out = alphabet[(in.data[i] & 3) << 4];
    } else if (in.len - i == 2) {
        *out++ = alphabet[in.data[i] >> 2];
        *out++ = alphabet[(in.data[i] & 3) << 4 | in.data[i + 1] >> 4];
        *out = alphabet[(in.data[i + 1] & 15) << 2];
    }
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    /* some senders use the URL alphabet; accepting both loses nothing */
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

struct err base64_decode(struct bytes in, uint8_t *out, size_t *ret_len)
{
    size_t len = in.len;
    for (int padding = 0; padding < 2 && len > 0 && len % 4 != 1 && in.data[len - 1] == '=';
         padding++)
        len--;
    if (len % 4 == 1)
        return ERR(RPC_METADATA);
    uint32_t bits = 0;
    unsigned have = 0;
    size_t written = 0;
    for (size_t i = 0; i < len; i++) {
        int v = value_of(in.data[i]);
        if (v < 0)
            return ERR(RPC_METADATA);
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[written++] = (uint8_t)(bits >> have);
        }
    }
    *ret_len = written;
    return ERR_OK;
}
