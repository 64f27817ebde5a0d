#include "client/core/content.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { CONTENT_VERSION = 1, TEXT_MAX_BYTES = 65536, FILE_NAME_MAX_BYTES = 255 };

void content_write(struct buf *b, const struct content *content)
{
    wire_write_u8(b, CONTENT_VERSION);
    wire_write_u16(b, content->kind);
    wire_write_fixed(b, bytes_of(content->id, 16));
    wire_write_u64(b, content->sent_ms);
    wire_write_vector(b, content->body);
}

struct err content_read(struct bytes in, struct content *ret_content)
{
    struct wire_reader r = wire_reader_of(in);
    struct content c = {0};
    if (wire_read_u8(&r) != CONTENT_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    c.kind = wire_read_u16(&r);
    c.id = wire_read_fixed(&r, 16).data;
    c.sent_ms = wire_read_u64(&r);
    c.body = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (c.kind == CONTENT_TEXT && (c.body.len == 0 || c.body.len > TEXT_MAX_BYTES))
        return ERR(WIRE_VALUE);
    *ret_content = c;
    return ERR_OK;
}

void file_keys_write(struct buf *b, const struct file_keys *keys)
{
    wire_write_vector(b, keys->domain);
    wire_write_fixed(b, bytes_of(keys->attachment_id, 16));
    wire_write_fixed(b, bytes_of(keys->capability, 32));
    wire_write_fixed(b, bytes_of(keys->key, 32));
    wire_write_fixed(b, bytes_of(keys->sha256, 32));
    wire_write_u64(b, keys->bytes);
    wire_write_vector(b, keys->name);
}

struct err file_keys_read(struct bytes in, struct file_keys *ret_keys)
{
    struct wire_reader r = wire_reader_of(in);
    struct file_keys k = {0};
    k.domain = wire_read_vector(&r);
    k.attachment_id = wire_read_fixed(&r, 16).data;
    k.capability = wire_read_fixed(&r, 32).data;
    k.key = wire_read_fixed(&r, 32).data;
    k.sha256 = wire_read_fixed(&r, 32).data;
    k.bytes = wire_read_u64(&r);
    k.name = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (k.name.len == 0 || k.name.len > FILE_NAME_MAX_BYTES || k.domain.len == 0)
        return ERR(WIRE_VALUE);
    *ret_keys = k;
    return ERR_OK;
}
