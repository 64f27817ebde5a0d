#include "wire/writer.h"

static void write_uint(struct buf *b, uint64_t value, size_t len)
{
    uint8_t *room = buf_extend(b, len);
    if (room == NULL)
        return;
    for (size_t i = len; i > 0; i--) {
        room[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

void wire_write_u8(struct buf *b, uint8_t value)
{
    write_uint(b, value, 1);
}

void wire_write_u16(struct buf *b, uint16_t value)
{
    write_uint(b, value, 2);
}

void wire_write_u32(struct buf *b, uint32_t value)
{
    write_uint(b, value, 4);
}

void wire_write_u64(struct buf *b, uint64_t value)
{
    write_uint(b, value, 8);
}

size_t wire_varint_size(size_t value)
{
    if (value < 1u << 6)
        return 1;
    return value < 1u << 14 ? 2 : 4;
}

void wire_write_varint(struct buf *b, size_t value)
{
    if (value > WIRE_VECTOR_MAX) {
        b->failed = true;
        return;
    }
    size_t size = wire_varint_size(value);
    uint64_t prefix = size == 1 ? 0 : size == 2 ? 0x4000 : 0x80000000u;
    write_uint(b, prefix | value, size);
}

void wire_write_fixed(struct buf *b, struct bytes value)
{
    buf_append_bytes(b, value);
}

void wire_write_vector(struct buf *b, struct bytes value)
{
    wire_write_varint(b, value.len);
    buf_append_bytes(b, value);
}

static void write_vector_sized(struct buf *b, struct bytes value, size_t len_bytes)
{
    if (value.len >= (size_t)1 << (8 * len_bytes)) {
        b->failed = true;
        return;
    }
    write_uint(b, value.len, len_bytes);
    buf_append_bytes(b, value);
}

void wire_write_vector8(struct buf *b, struct bytes value)
{
    write_vector_sized(b, value, 1);
}

void wire_write_vector16(struct buf *b, struct bytes value)
{
    write_vector_sized(b, value, 2);
}

void wire_write_present(struct buf *b, bool present)
{
    wire_write_u8(b, present ? 1 : 0);
}

size_t wire_vector_begin(struct buf *b)
{
    wire_write_u8(b, 0);
    return b->len;
}

void wire_vector_end(struct buf *b, size_t mark)
{
    if (b->failed)
        return;
    size_t len = b->len - mark;
    if (len > WIRE_VECTOR_MAX) {
        b->failed = true;
        return;
    }
    size_t size = wire_varint_size(len);
    if (size > 1) {
        if (buf_extend(b, size - 1) == NULL)
            return;
        memmove(b->data + mark + size - 1, b->data + mark, len);
    }
    struct buf head = {.data = b->data + mark - 1, .cap = size, .limit = size};
    wire_write_varint(&head, len);
}
