/* Pieces of items that are too large for one payload (fan_out.h). They come in order; a piece that
 * does not follow on the one before drops what there was, and the item is then missed.
 *
 *     DB_PART, id chat id: struct { opaque id[16]; uint16 next, count; opaque pieces[what is left];
 * }
 */
#include "client/core/receive.h"
#include "wire/reader.h"
#include "wire/writer.h"

struct err part_add(struct core *c, struct db_txn *t, const struct open_chat *chat,
                    struct bytes body, struct buf *whole, struct delivery_item *ret_item,
                    bool *ret_complete)
{
    struct bytes id = bytes_of(chat->chat.id.bytes, sizeof chat->chat.id.bytes);
    struct fan_out_part part;
    struct buf row = BUF_INIT;
    (void)c;
    *ret_complete = false;
    if (!err_is_ok(fan_out_part_parse(body, &part)))
        return ERR_OK;
    struct err err = db_get(t, DB_PART, id, &row);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    struct wire_reader r = wire_reader_of(buf_view(&row));
    struct bytes before_part = wire_read_fixed(&r, PART_ID_BYTES);
    uint16_t next = wire_read_u16(&r), count = wire_read_u16(&r);
    bool follows = row.len > 0 && next == part.index && count == part.count &&
                   bytes_equal(before_part, bytes_of(part.id, PART_ID_BYTES));
    wire_write_fixed(whole, bytes_of(part.id, PART_ID_BYTES));
    wire_write_u16(whole, (uint16_t)(part.index + 1));
    wire_write_u16(whole, part.count);
    if (follows)
        wire_write_fixed(whole, wire_read_fixed(&r, wire_reader_left(&r)));
    wire_write_fixed(whole, part.piece);
    buf_clear(&row);
    TRY(buf_check(whole));
    if ((!follows && part.index != 0) || part.index + 1 == part.count) {
        err = db_drop(t, DB_PART, id);
        if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
            return err;
    }
    if (!follows && part.index != 0)
        return ERR_OK;
    if (part.index + 1 < part.count)
        return db_put(t, DB_PART, id, buf_view(whole));
    enum { HEAD = PART_ID_BYTES + 4 };
    *ret_complete =
        err_is_ok(delivery_item_parse(bytes_of(whole->data + HEAD, whole->len - HEAD), ret_item));
    return ERR_OK;
}
