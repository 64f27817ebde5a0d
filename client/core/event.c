/* Events. DB_EVENT, owner empty:
 *
 *     struct { uint8 version = 1; uint16 kind; opaque chat[16]; opaque contact[16]; uint64 message;
 *              uint16 result; opaque text<V>; }
 */
#include "client/core/event.h"

#include "client/core/head.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { EVENT_VERSION = 1, EVENT_TEXT_MAX_BYTES = 2048 };
static const struct bytes nobody = {NULL, 0};

struct err event_tell(struct core *c, struct db_txn *t, const struct hearth_event *event)
{
    static const struct hearth_id none;
    /* the devices' own chat is nothing to people */
    if (!hearth_id_equal(&event->chat, &none) &&
        hearth_id_equal(&event->chat, &c->account.devices_chat))
        return ERR_OK;
    struct buf b = BUF_INIT;
    uint64_t number;
    size_t len = event->text != NULL ? strnlen(event->text, EVENT_TEXT_MAX_BYTES) : 0;
    wire_write_u8(&b, EVENT_VERSION);
    wire_write_u16(&b, (uint16_t)event->kind);
    wire_write_fixed(&b, bytes_of(event->chat.bytes, 16));
    wire_write_fixed(&b, bytes_of(event->contact.bytes, 16));
    wire_write_u64(&b, event->message);
    wire_write_u16(&b, (uint16_t)event->result);
    wire_write_vector(&b, bytes_of(event->text, len));
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_append(t, DB_EVENT, nobody, buf_view(&b), &number);
    buf_clear(&b);
    if (err_is_ok(err))
        c->tell_events = true;
    if (err_is_ok(err) && event->kind == HEARTH_EVENT_LOSS)
        err = head_told(c, t, event->message > 0 ? event->message : 1);
    return err;
}

static struct err event_read(struct bytes in, struct buf *scratch, struct hearth_event *ret_event)
{
    struct wire_reader r = wire_reader_of(in);
    struct hearth_event event = {0};
    if (wire_read_u8(&r) != EVENT_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    event.kind = (enum hearth_event_kind)wire_read_u16(&r);
    struct bytes chat = wire_read_fixed(&r, 16);
    struct bytes contact = wire_read_fixed(&r, 16);
    event.message = wire_read_u64(&r);
    event.result = (enum hearth_result)wire_read_u16(&r);
    struct bytes text = wire_read_vector(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    memcpy(event.chat.bytes, chat.data, 16);
    memcpy(event.contact.bytes, contact.data, 16);
    size_t at = scratch->len;
    buf_append_bytes(scratch, text);
    buf_append_byte(scratch, 0);
    TRY(buf_check(scratch));
    event.text = (const char *)scratch->data + at;
    *ret_event = event;
    return ERR_OK;
}

struct first {
    struct buf *scratch;
    struct hearth_event event;
    bool found;
};

static struct err take_first(void *arg, uint64_t number, struct bytes value)
{
    struct first *first = arg;
    TRY(event_read(value, first->scratch, &first->event));
    first->event.number = number;
    first->found = true;
    return ERR_OK;
}

struct err event_first(struct core *c, struct db_txn *t, struct buf *scratch,
                       struct hearth_event *ret_event)
{
    struct first first = {.scratch = scratch};
    (void)c;
    TRY(db_list_each(t, DB_EVENT, nobody, 1, 1, take_first, &first));
    if (!first.found)
        return ERR(NOT_FOUND);
    *ret_event = first.event;
    return ERR_OK;
}

struct err event_taken(struct core *c, struct db_txn *t, uint64_t number)
{
    (void)c;
    return db_list_drop(t, DB_EVENT, nobody, 1, number);
}
