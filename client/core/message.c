/* Messages. DB_MESSAGE, owner chat id:
 *
 *     struct { uint8 version = 1; opaque id[16]; uint8 kind; uint8 state; uint8 flags;
 *              opaque sender[16]; uint64 sent_ms; uint64 accepted_s; opaque text<V>;
 *              opaque detail<V>; uint64 file_bytes; }
 *     flags: 1 own, 2 targeted, 4 sender verified
 */
#include <stdarg.h>
#include <stdio.h>

#include "client/core/event.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1, FLAG_OWN = 1, FLAG_TARGETED = 2, FLAG_VERIFIED = 4 };

static struct bytes chat_owner(const struct hearth_id *chat)
{
    return bytes_of(chat->bytes, sizeof chat->bytes);
}

void message_row_write(struct buf *b, const struct message_row *row)
{
    unsigned flags = (row->own ? FLAG_OWN : 0U) | (row->targeted ? FLAG_TARGETED : 0U) |
                     (row->sender_verified ? FLAG_VERIFIED : 0U);
    wire_write_u8(b, ROW_VERSION);
    wire_write_fixed(b, bytes_of(row->id.bytes, 16));
    wire_write_u8(b, (uint8_t)row->kind);
    wire_write_u8(b, (uint8_t)row->state);
    wire_write_u8(b, (uint8_t)flags);
    wire_write_fixed(b, bytes_of(row->sender, 16));
    wire_write_u64(b, row->sent_ms);
    wire_write_u64(b, row->accepted_s);
    wire_write_vector(b, row->text);
    wire_write_vector(b, row->detail);
    wire_write_u64(b, row->file_bytes);
}

struct err message_row_read(struct bytes in, struct message_row *ret_row)
{
    struct wire_reader r = wire_reader_of(in);
    struct message_row row = {0};
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes id = wire_read_fixed(&r, 16);
    row.kind = (enum hearth_message_kind)wire_read_u8(&r);
    row.state = (enum hearth_message_state)wire_read_u8(&r);
    uint8_t flags = wire_read_u8(&r);
    struct bytes sender = wire_read_fixed(&r, 16);
    row.sent_ms = wire_read_u64(&r);
    row.accepted_s = wire_read_u64(&r);
    row.text = wire_read_vector(&r);
    row.detail = wire_read_vector(&r);
    row.file_bytes = wire_read_u64(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    memcpy(row.id.bytes, id.data, 16);
    memcpy(row.sender, sender.data, 16);
    row.own = (flags & FLAG_OWN) != 0;
    row.targeted = (flags & FLAG_TARGETED) != 0;
    row.sender_verified = (flags & FLAG_VERIFIED) != 0;
    *ret_row = row;
    return ERR_OK;
}

struct err message_add(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                       const struct message_row *row, uint64_t *ret_number)
{
    struct buf b = BUF_INIT;
    uint64_t number = 0;
    message_row_write(&b, row);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_append(t, DB_MESSAGE, chat_owner(chat), buf_view(&b), &number);
    buf_clear(&b);
    TRY(err);
    if (!row->own) {
        struct hearth_event event = {
            .kind = HEARTH_EVENT_MESSAGE, .chat = *chat, .message = number};
        TRY(event_tell(c, t, &event));
    }
    if (ret_number != NULL)
        *ret_number = number;
    return ERR_OK;
}

struct err message_get(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                       uint64_t number, struct buf *scratch, struct message_row *ret_row)
{
    (void)c;
    size_t at = scratch->len;
    TRY(db_list_get(t, DB_MESSAGE, chat_owner(chat), number, scratch));
    return message_row_read(bytes_of(scratch->data + at, scratch->len - at), ret_row);
}

struct err message_set_state(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                             uint64_t number, enum hearth_message_state state, uint64_t accepted_s)
{
    struct buf scratch = BUF_INIT, b = BUF_INIT;
    struct message_row row;
    struct err err = message_get(c, t, chat, number, &scratch, &row);
    if (err_is_ok(err)) {
        row.state = state;
        row.accepted_s = accepted_s;
        message_row_write(&b, &row);
        err = buf_check(&b);
    }
    if (err_is_ok(err))
        err = db_list_put(t, DB_MESSAGE, chat_owner(chat), number, buf_view(&b));
    buf_clear(&b);
    buf_clear(&scratch);
    TRY(err);
    struct hearth_event event = {.kind = HEARTH_EVENT_MESSAGE_STATE,
                                 .chat = *chat,
                                 .message = number,
                                 .result =
                                     state == HEARTH_MESSAGE_FAILED ? HEARTH_FAILED : HEARTH_DONE};
    return event_tell(c, t, &event);
}

struct err message_note(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                        const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct message_row row = {.kind = HEARTH_MESSAGE_NOTE,
                              .state = HEARTH_MESSAGE_RECEIVED,
                              .sent_ms = core_now_ms(c),
                              .text = bytes_str(text)};
    TRY(core_random_id(c, &row.id));
    return message_add(c, t, chat, &row, NULL);
}
