#include "pass/directory.h"

#include <inttypes.h>
#include <stdio.h>

#include "pass/base64url.h"
#include "wire/writer.h"

enum { FORMAT = 1, KEYS_MAX_BYTES = UINT16_MAX };

static int compare(const struct pass_directory_key *a, const struct pass_directory_key *b)
{
    if (a->token_type != b->token_type)
        return a->token_type < b->token_type ? -1 : 1;
    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    if (a->period != b->period)
        return a->period < b->period ? -1 : 1;
    return 0;
}

/* before is the key that precedes, or NULL. */
static bool fits(const struct pass_directory_key *key, const struct pass_directory_key *before)
{
    return key->not_before < key->not_after && key->public_key.len > 0 &&
           key->public_key.len <= UINT16_MAX && (before == NULL || compare(before, key) < 0);
}

static struct pass_directory_key read_key(struct wire_reader *r)
{
    struct pass_directory_key key = {.token_type = wire_read_u16(r), .class = wire_read_u8(r)};
    key.period = wire_read_u32(r);
    key.not_before = wire_read_u64(r);
    key.not_after = wire_read_u64(r);
    key.public_key = wire_read_vector16(r);
    return key;
}

static struct err check_keys(struct bytes keys, size_t *ret_count)
{
    struct wire_reader r = wire_reader_of(keys);
    struct pass_directory_key before, key;
    size_t count = 0;
    while (wire_reader_more(&r)) {
        key = read_key(&r);
        TRY(wire_reader_check(&r));
        if (!fits(&key, count > 0 ? &before : NULL))
            return ERR(PASS_DIRECTORY);
        before = key;
        count++;
    }
    *ret_count = count;
    return ERR_OK;
}

struct err pass_directory_parse(struct bytes in, struct pass_directory *ret_directory)
{
    struct wire_reader r = wire_reader_of(in);
    struct pass_directory directory;
    if (wire_read_u8(&r) != FORMAT)
        wire_reader_fail(&r, ERR_PASS_DIRECTORY);
    directory.issuer = wire_read_vector8(&r);
    directory.keys = wire_read_vector16(&r);
    TRY(wire_reader_end(&r));
    if (directory.issuer.len == 0)
        return ERR(PASS_DIRECTORY);
    TRY(check_keys(directory.keys, &directory.count));
    *ret_directory = directory;
    return ERR_OK;
}

bool pass_directory_next(struct wire_reader *r, struct pass_directory_key *ret_key)
{
    if (!wire_reader_more(r))
        return false;
    *ret_key = read_key(r);
    return true;
}

bool pass_directory_find(const struct pass_directory *directory, uint16_t token_type, uint8_t class,
                         uint32_t period, struct pass_directory_key *ret_key)
{
    struct wire_reader r = wire_reader_of(directory->keys);
    struct pass_directory_key key;
    while (pass_directory_next(&r, &key)) {
        if (key.token_type != token_type || key.class != class || key.period != period)
            continue;
        *ret_key = key;
        return true;
    }
    return false;
}

static void write_key(struct buf *b, const struct pass_directory_key *key)
{
    wire_write_u16(b, key->token_type);
    wire_write_u8(b, key->class);
    wire_write_u32(b, key->period);
    wire_write_u64(b, key->not_before);
    wire_write_u64(b, key->not_after);
    wire_write_vector16(b, key->public_key);
}

struct err pass_directory_write(struct buf *b, struct bytes issuer,
                                const struct pass_directory_key *keys, size_t count)
{
    struct buf list = BUF_INIT;
    struct err err = ERR_OK;
    if (issuer.len == 0 || issuer.len > UINT8_MAX)
        return ERR(PASS_DIRECTORY);
    for (size_t i = 0; i < count; i++) {
        if (!fits(&keys[i], i > 0 ? &keys[i - 1] : NULL))
            err = ERR(PASS_DIRECTORY);
        else
            write_key(&list, &keys[i]);
        if (list.len > KEYS_MAX_BYTES)
            err = ERR(PASS_DIRECTORY);
        if (!err_is_ok(err))
            goto out;
    }
    TRY_OR(buf_check(&list), err, out);
    const size_t before = b->len;
    wire_write_u8(b, FORMAT);
    wire_write_vector8(b, issuer);
    wire_write_vector16(b, buf_view(&list));
    err = buf_check(b);
    if (!err_is_ok(err))
        b->len = before;
out:
    buf_clear(&list);
    return err;
}

static bool is_plain(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '"' ||
            text.data[i] == '\\')
            return false;
    return text.len > 0;
}

struct err pass_directory_write_json(struct buf *b, struct bytes request_uri,
                                     const struct pass_directory_key *keys, size_t count)
{
    const size_t before = b->len;
    if (!is_plain(request_uri))
        return ERR(ARGUMENT);
    buf_append_bytes(b, bytes_str("{\"issuer-request-uri\":\""));
    buf_append_bytes(b, request_uri);
    buf_append_bytes(b, bytes_str("\",\"token-keys\":["));
    for (size_t i = 0; i < count; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "%s{\"token-type\":%u,\"token-key\":\"",
                           i > 0 ? "," : "", (unsigned)keys[i].token_type);
        buf_append(b, text, (size_t)len);
        base64url_write(b, keys[i].public_key);
        len = snprintf(text, sizeof text, "\",\"not-before\":%" PRIu64 "}", keys[i].not_before);
        buf_append(b, text, (size_t)len);
    }
    buf_append_bytes(b, bytes_str("]}"));
    struct err err = buf_check(b);
    if (!err_is_ok(err))
        b->len = before;
    return err;
}
