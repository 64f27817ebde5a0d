#include "vectors/vector_case.h"

#include <stdarg.h>
#include <stdio.h>

void vector_fail(struct vector_case *c, const char *format, ...)
{
    if (c->failed)
        return;
    c->failed = true;
    va_list list;
    va_start(list, format);
    (void)vsnprintf(c->why, sizeof c->why, format, list);
    va_end(list);
}

const json_t *vector_field(struct vector_case *c, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (value == NULL)
        vector_fail(c, "no field %s", name);
    return value;
}

uint64_t vector_uint(struct vector_case *c, const json_t *object, const char *name)
{
    const json_t *value = vector_field(c, object, name);
    if (!json_is_integer(value))
        vector_fail(c, "%s is not a number", name);
    return (uint64_t)json_integer_value(value);
}

static int digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

struct bytes vector_hex_of(struct vector_case *c, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = text == NULL ? 0 : strlen(text) / 2;
    uint8_t *out = arena_alloc(&c->arena, len);
    bool good = text != NULL && out != NULL && strlen(text) % 2 == 0;
    for (size_t i = 0; good && i < len; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);
        good = high >= 0 && low >= 0;
        if (good)
            out[i] = (uint8_t)(high << 4 | low);
    }
    if (!good) {
        vector_fail(c, "bad hex");
        return bytes_of(NULL, 0);
    }
    return bytes_of(out, len);
}

struct bytes vector_hex(struct vector_case *c, const json_t *object, const char *name)
{
    return vector_hex_of(c, vector_field(c, object, name));
}

struct bytes vector_private_key(struct vector_case *c, const json_t *object, const char *name,
                                size_t len)
{
    struct bytes key = vector_hex(c, object, name);
    if (key.len >= len)
        return key;
    uint8_t *padded = arena_alloc(&c->arena, len);
    if (padded == NULL) {
        vector_fail(c, "out of memory");
        return key;
    }
    memcpy(padded + (len - key.len), key.data, key.len);
    return bytes_of(padded, len);
}

const struct suite *vector_suite(struct vector_case *c)
{
    uint64_t id = vector_uint(c, c->json, "cipher_suite");
    const struct suite *suite = id <= UINT16_MAX ? suite_find((uint16_t)id) : NULL;
    if (suite == NULL)
        vector_fail(c, "suite %llu is not supported", (unsigned long long)id);
    return suite;
}

struct bytes vector_take(struct vector_case *c, struct buf *b)
{
    struct bytes out = {0};
    void *copy = err_is_ok(buf_check(b)) ? arena_copy(&c->arena, b->data, b->len) : NULL;
    if (copy == NULL)
        vector_fail(c, "out of memory");
    else
        out = bytes_of(copy, b->len);
    buf_clear(b);
    return out;
}
