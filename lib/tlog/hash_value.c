#include "tlog/hash_value.h"

static struct hash_run read_run(struct wire_reader *r, size_t count)
{
    struct bytes raw = wire_read_fixed(r, count * HASH_VALUE_BYTES);
    return (struct hash_run){raw.data, raw.len / HASH_VALUE_BYTES};
}

struct hash_run hash_run_read8(struct wire_reader *r)
{
    uint8_t count = wire_read_u8(r);
    if (count > LOG_PATH_MAX)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
    return read_run(r, count);
}

struct hash_run hash_run_read16(struct wire_reader *r)
{
    return read_run(r, wire_read_u16(r));
}

void hash_run_write8(struct buf *b, const struct hash_run *run)
{
    if (run->count > UINT8_MAX)
        b->failed = true;
    wire_write_u8(b, (uint8_t)run->count);
    wire_write_fixed(b, bytes_of(run->data, run->count * HASH_VALUE_BYTES));
}

void hash_run_write16(struct buf *b, const struct hash_run *run)
{
    if (run->count > UINT16_MAX)
        b->failed = true;
    wire_write_u16(b, (uint16_t)run->count);
    wire_write_fixed(b, bytes_of(run->data, run->count * HASH_VALUE_BYTES));
}

void hash_value_read(struct wire_reader *r, struct hash_value *ret_hash)
{
    tlog_read_into(r, ret_hash->data, HASH_VALUE_BYTES);
}

void tlog_read_into(struct wire_reader *r, uint8_t *ret_out, size_t len)
{
    struct bytes raw = wire_read_fixed(r, len);
    if (raw.len == len)
        memcpy(ret_out, raw.data, len);
    else
        memset(ret_out, 0, len);
}

struct bytes tlog_read_vector32(struct wire_reader *r, size_t most)
{
    uint32_t len = wire_read_u32(r);
    if (len > most)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
    return wire_read_fixed(r, len);
}

void tlog_write_vector32(struct buf *b, struct bytes value)
{
    if (value.len > UINT32_MAX)
        b->failed = true;
    wire_write_u32(b, (uint32_t)value.len);
    wire_write_fixed(b, value);
}

struct bytes tlog_read_name(struct wire_reader *r)
{
    struct bytes name = wire_read_vector8(r);
    if (name.len == 0)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    return name;
}
