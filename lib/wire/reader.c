#include "wire/reader.h"

struct wire_reader wire_reader_of(struct bytes input)
{
    static const uint8_t nothing[1];
    const uint8_t *at = input.data != NULL ? input.data : nothing;
    return (struct wire_reader){at, at + input.len, ERR_NONE};
}

void wire_reader_fail(struct wire_reader *r, enum err_code code)
{
    if (r->failure != ERR_NONE)
        return;
    r->failure = code;
    r->end = r->at;
}

struct bytes wire_read_fixed(struct wire_reader *r, size_t len)
{
    if (r->failure != ERR_NONE || len > wire_reader_left(r)) {
        wire_reader_fail(r, ERR_WIRE_SHORT);
        return bytes_of(NULL, 0);
    }
    struct bytes view = bytes_of(r->at, len);
    r->at += len;
    return view;
}

static uint64_t read_uint(struct wire_reader *r, size_t len)
{
    struct bytes raw = wire_read_fixed(r, len);
    uint64_t value = 0;
    for (size_t i = 0; i < raw.len; i++)
        value = value << 8 | raw.data[i];
    return value;
}

uint8_t wire_read_u8(struct wire_reader *r)
{
    return (uint8_t)read_uint(r, 1);
}

uint16_t wire_read_u16(struct wire_reader *r)
{
    return (uint16_t)read_uint(r, 2);
}

uint32_t wire_read_u32(struct wire_reader *r)
{
    return (uint32_t)read_uint(r, 4);
}

uint64_t wire_read_u64(struct wire_reader *r)
{
    return read_uint(r, 8);
}

uint32_t wire_read_varint(struct wire_reader *r)
{
    uint8_t first = wire_read_u8(r);
    switch (first >> 6) {
    case 0:
        return first;
    case 1: {
        uint32_t value = (uint32_t)(first & 0x3f) << 8 | wire_read_u8(r);
        if (value < 1u << 6)
            wire_reader_fail(r, ERR_WIRE_VARINT);
        return r->failure == ERR_NONE ? value : 0;
    }
    case 2: {
        uint32_t value = (uint32_t)(first & 0x3f) << 24 | (uint32_t)read_uint(r, 3);
        if (value < 1u << 14)
            wire_reader_fail(r, ERR_WIRE_VARINT);
        return r->failure == ERR_NONE ? value : 0;
    }
    default:
        wire_reader_fail(r, ERR_WIRE_VARINT);
        return 0;
    }
}

struct bytes wire_read_vector(struct wire_reader *r)
{
    uint32_t len = wire_read_varint(r);
    return wire_read_fixed(r, len);
}

struct bytes wire_read_vector8(struct wire_reader *r)
{
    uint8_t len = wire_read_u8(r);
    return wire_read_fixed(r, len);
}

struct bytes wire_read_vector16(struct wire_reader *r)
{
    uint16_t len = wire_read_u16(r);
    return wire_read_fixed(r, len);
}

struct wire_reader wire_read_nested(struct wire_reader *r)
{
    struct bytes contents = wire_read_vector(r);
    return wire_reader_of(contents);
}

void wire_reader_join(struct wire_reader *outer, const struct wire_reader *inner)
{
    if (inner->failure != ERR_NONE)
        wire_reader_fail(outer, inner->failure);
    else if (inner->at != inner->end)
        wire_reader_fail(outer, ERR_WIRE_TRAILING);
}

bool wire_read_present(struct wire_reader *r)
{
    uint8_t flag = wire_read_u8(r);
    if (flag > 1)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    return flag == 1;
}

struct err wire_reader_check(const struct wire_reader *r)
{
    return (struct err){r->failure};
}

struct err wire_reader_end(const struct wire_reader *r)
{
    if (r->failure == ERR_NONE && r->at != r->end)
        return ERR(WIRE_TRAILING);
    return (struct err){r->failure};
}
