/* Items that are too large for one payload. */
#include "seal/fan_out.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    PART_HEAD_BYTES = PART_ID_BYTES + 2 + 2,
    PIECE_BYTES = FAN_OUT_BODY_MAX_BYTES - PART_HEAD_BYTES,
};

size_t fan_out_parts(size_t body_bytes)
{
    if (body_bytes <= FAN_OUT_BODY_MAX_BYTES)
        return 1;
    if (body_bytes > (size_t)FAN_OUT_PARTS_MAX * PIECE_BYTES - DELIVERY_ITEM_HEAD_BYTES)
        return 0;
    return (body_bytes + DELIVERY_ITEM_HEAD_BYTES + PIECE_BYTES - 1) / PIECE_BYTES;
}

struct err fan_out_seal_part(struct buf *b, const struct rng *rng,
                             const uint8_t state_key[STATE_KEY_BYTES], struct bytes group_id,
                             const struct delivery_item *item, const uint8_t id[PART_ID_BYTES],
                             size_t index)
{
    size_t count = fan_out_parts(item->body.len);
    if (count < 2 || index >= count || (unsigned)item->kind > UINT8_MAX)
        return ERR(ARGUMENT);
    struct buf body = BUF_INIT;
    wire_write_fixed(&body, bytes_of(id, PART_ID_BYTES));
    wire_write_u16(&body, (uint16_t)index);
    wire_write_u16(&body, (uint16_t)count);
    if (index == 0) {
        wire_write_u8(&body, (uint8_t)item->kind);
        wire_write_u64(&body, item->accepted_s);
    }
    /* in the item's body, which lies behind the item's head */
    size_t from = index == 0 ? 0 : index * PIECE_BYTES - DELIVERY_ITEM_HEAD_BYTES;
    size_t to = (index + 1) * PIECE_BYTES - DELIVERY_ITEM_HEAD_BYTES;
    if (to > item->body.len)
        to = item->body.len;
    wire_write_fixed(&body, bytes_of(item->body.data + from, to - from));
    struct err err = buf_check(&body);
    if (err_is_ok(err)) {
        const struct delivery_item part = {DELIVERY_PART, item->accepted_s, buf_view(&body)};
        err = fan_out_seal(b, rng, state_key, group_id, &part);
    }
    buf_clear(&body);
    return err;
}

struct err fan_out_part_parse(struct bytes body, struct fan_out_part *ret_part)
{
    struct wire_reader r = wire_reader_of(body);
    struct fan_out_part part = {.id = wire_read_fixed(&r, PART_ID_BYTES).data};
    part.index = wire_read_u16(&r);
    part.count = wire_read_u16(&r);
    part.piece = wire_read_fixed(&r, wire_reader_left(&r));
    TRY(wire_reader_end(&r));
    if (part.count < 2 || part.count > FAN_OUT_PARTS_MAX || part.index >= part.count)
        return ERR(WIRE_VALUE);
    *ret_part = part;
    return ERR_OK;
}
