#include "support/vectors.h"

#include <errno.h>
#include <stdio.h>

#include "support/test.h"

void vectors_open(struct vectors *v, const char *name)
{
    const char *folder = getenv("HEARTH_VECTORS");
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "../shared/vectors", name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        printf("SKIP %s: %s (set HEARTH_VECTORS)\n", path, strerror(errno));
        exit(77);
    }
    json_error_t error;
    *v = (struct vectors){.root = json_loadf(file, 0, &error)};
    if (v->root == NULL && fseek(file, 0, SEEK_SET) == 0) /* integers over 2^63: as reals */
        v->root = json_loadf(file, JSON_DECODE_INT_AS_REAL, &error);
    (void)fclose(file);
    if (v->root == NULL) {
        printf("%s:%d: %s\n", path, error.line, error.text);
        exit(1);
    }
    arena_init(&v->arena, (size_t)256 * 1024 * 1024);
}

void vectors_close(struct vectors *v)
{
    json_decref(v->root);
    arena_clear(&v->arena);
}

void vectors_forget(struct vectors *v)
{
    arena_clear(&v->arena);
}

json_t *vectors_get(const json_t *object, const char *field)
{
    json_t *value = json_object_get(object, field);
    if (value == NULL)
        fail_msg("vector without field %s", field);
    return value;
}

bool vectors_has(const json_t *object, const char *field)
{
    const json_t *value = json_object_get(object, field);
    return value != NULL && !json_is_null(value);
}

struct bytes vectors_hex_of(struct vectors *v, const json_t *value)
{
    const char *text = json_string_value(value);
    assert_non_null(text);
    struct buf decoded = test_unhex(text);
    uint8_t *copy = arena_copy(&v->arena, decoded.data, decoded.len);
    assert_non_null(copy);
    size_t len = decoded.len;
    buf_clear(&decoded);
    return bytes_of(copy, len);
}

struct bytes vectors_hex(struct vectors *v, const json_t *object, const char *field)
{
    return vectors_hex_of(v, vectors_get(object, field));
}

uint64_t vectors_uint(const json_t *object, const char *field)
{
    const json_t *value = vectors_get(object, field);
    if (json_is_real(value)) { /* 2^64 - 1 becomes 2^64 */
        double real = json_real_value(value);
        return real >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)real;
    }
    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

const char *vectors_text(const json_t *object, const char *field)
{
    const char *text = json_string_value(vectors_get(object, field));
    assert_non_null(text);
    return text;
}
