#include "support/test.h"

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

struct buf test_unhex(const char *hex)
{
    struct buf out = BUF_INIT;
    size_t len = strlen(hex);
    assert_true(len % 2 == 0);
    for (size_t i = 0; i < len; i += 2) {
        int high = digit(hex[i]);
        int low = digit(hex[i + 1]);
        assert_true(high >= 0 && low >= 0);
        buf_append_byte(&out, (uint8_t)(high << 4 | low));
    }
    return out;
}
