/* Payloads as if they held next to nothing, so that what is large in groups of hundreds is so in
 * groups of ten: all but the shortest items go in parts. fan_out_parts() and fan_out_seal_part()
 * are wrapped by the linker for that; who cuts and who sends is the server's own code. */
#include "flow/worlds/world.h"
#include "wire/writer.h"

static size_t payload_bytes; /* 0: as they are */

void parts_of_bytes(size_t bytes)
{
    payload_bytes = bytes;
}

__typeof__(fan_out_parts) __real_fan_out_parts, __wrap_fan_out_parts;
size_t __wrap_fan_out_parts(size_t body_bytes)
{
    size_t item = DELIVERY_ITEM_HEAD_BYTES + body_bytes;
    if (payload_bytes == 0 || item <= payload_bytes)
        return __real_fan_out_parts(body_bytes);
    size_t parts = (item + payload_bytes - 1) / payload_bytes;
    return parts <= FAN_OUT_PARTS_MAX ? parts : 0;
}

__typeof__(fan_out_seal_part) __real_fan_out_seal_part, __wrap_fan_out_seal_part;
struct err __wrap_fan_out_seal_part(struct buf *b, const struct rng *rng,
                                    const uint8_t state_key[STATE_KEY_BYTES], struct bytes group_id,
                                    const struct delivery_item *item,
                                    const uint8_t id[PART_ID_BYTES], size_t index)
{
    if (payload_bytes == 0)
        return __real_fan_out_seal_part(b, rng, state_key, group_id, item, id, index);
    struct buf whole = BUF_INIT, body = BUF_INIT;
    wire_write_u8(&whole, (uint8_t)item->kind);
    wire_write_u64(&whole, item->accepted_s);
    wire_write_fixed(&whole, item->body);
    size_t from = index * payload_bytes, left = whole.len - from;
    wire_write_fixed(&body, bytes_of(id, PART_ID_BYTES));
    wire_write_u16(&body, (uint16_t)index);
    wire_write_u16(&body, (uint16_t)__wrap_fan_out_parts(item->body.len));
    wire_write_fixed(&body,
                     bytes_of(whole.data + from, left < payload_bytes ? left : payload_bytes));
    const struct delivery_item part = {DELIVERY_PART, item->accepted_s, buf_view(&body)};
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = fan_out_seal(b, rng, state_key, group_id, &part);
    buf_clear(&whole);
    buf_clear(&body);
    return err;
}
