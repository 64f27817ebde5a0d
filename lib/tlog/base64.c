#include "tlog/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1: not of the alphabet. */
static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct err tlog_base64_decode(struct bytes text, uint8_t *out, size_t *ret_len)
{
    if (text.len % 4 != 0)
        return ERR(TLOG_NOTE);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i += 4) {
        const uint8_t *in = text.data + i;
        bool last = i + 4 == text.len;
        size_t pad = !last || in[3] != '=' ? 0 : in[2] != '=' ? 1 : 2;
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            int value = j < 4 - pad ? value_of(in[j]) : 0;
            if (value < 0)
                return ERR(TLOG_NOTE);
            bits = bits << 6 | (uint32_t)value;
        }
        for (size_t j = 0; j < 3 - pad; j++)
            out[len++] = (uint8_t)(bits >> (16 - 8 * j));
    }
    *ret_len = len;
    return ERR_OK;
}

void tlog_base64_write(struct buf *b, struct bytes value)
{
    for (size_t i = 0; i < value.len; i += 3) {
        size_t n = value.len - i < 3 ? value.len - i : 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < n ? value.data[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            buf_append_byte(b, j <= n ? (uint8_t)alphabet[bits >> (18 - 6 * j) & 63] : '=');
    }
}
