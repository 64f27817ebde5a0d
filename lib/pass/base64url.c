#include "pass/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_write(struct buf *b, struct bytes data)
{
    for (size_t i = 0; i < data.len; i += 3) {
        size_t left = data.len - i;
        uint32_t group = (uint32_t)data.data[i] << 16;
        if (left > 1)
            group |= (uint32_t)data.data[i + 1] << 8;
        if (left > 2)
            group |= data.data[i + 2];
        const char out[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
                             left > 1 ? alphabet[group >> 6 & 63] : '=',
                             left > 2 ? alphabet[group & 63] : '='};
        buf_append(b, out, sizeof out);
    }
}

/* 0 to 63, or 64. Tokens are no secret to whom they are sent, so a table by character is no leak.
 */
static uint32_t value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)c - 'A';
    if (c >= 'a' && c <= 'z')
        return (uint32_t)c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)c - '0' + 52;
    if (c == '-' || c == '_')
        return c == '-' ? 62 : 63;
    return 64;
}

bool base64url_read(struct bytes text, size_t room, uint8_t *ret_data, size_t *ret_len)
{
    if (text.len == 0 || text.len % 4 != 0)
        return false;
    size_t padding = text.data[text.len - 1] != '=' ? 0 : text.data[text.len - 2] != '=' ? 1 : 2;
    size_t len = text.len / 4 * 3 - padding;
    if (len > room)
        return false;
    size_t digits = text.len - padding, done = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < digits; i++) {
        uint32_t value = value_of(text.data[i]);
        if (value > 63)
            return false;
        group = group << 6 | value;
        if (i % 4 > 0) /* 12, 18 and 24 bits read: a byte is ready each time */
            ret_data[done++] = (uint8_t)(group >> (2 * (3 - i % 4)));
    }
    if ((padding == 1 && (group & 3) != 0) || (padding == 2 && (group & 15) != 0))
        return false;
    *ret_len = done;
    return done == len;
}
