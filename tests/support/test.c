#include "support/test.h"

#include <stdio.h>

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

struct bytes test_hex(struct arena *arena, const char *hex)
{
    uint8_t *out = arena_alloc(arena, strlen(hex) / 2);
    assert_non_null(out);
    size_t digits = 0;
    for (; *hex != 0; hex++) {
        if (*hex == ' ')
            continue;
        int value = digit(*hex);
        assert_true(value >= 0);
        out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | value);
        digits++;
    }
    assert_true(digits % 2 == 0);
    return bytes_of(out, digits / 2);
}

static void print_hex(const char *name, struct bytes b)
{
    printf("%s (%zu bytes): ", name, b.len);
    for (size_t i = 0; i < b.len; i++)
        printf("%02x", b.data[i]);
    printf("\n");
}

void test_assert_bytes(struct bytes got, struct bytes want)
{
    if (bytes_equal(got, want))
        return;
    print_hex("got ", got);
    print_hex("want", want);
    fail_msg("bytes differ");
}

void test_assert_hex(struct bytes got, const char *want_hex)
{
    struct buf want = test_unhex(want_hex);
    bool equal = bytes_equal(got, buf_view(&want));
    if (!equal)
        print_hex("got", got);
    buf_clear(&want);
    if (!equal)
        fail_msg("bytes differ from %s", want_hex);
}
