#include <stdlib.h>

#include "client/core/receive.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { FORM_SEALED = 0, FORM_ITEM = 1 };

static struct bytes owner_of(const struct open_chat *chat)
{
    return bytes_of(chat->chat.id.bytes, sizeof chat->chat.id.bytes);
}

/* Rows are numbered; what was dropped leaves a gap at the front only, so the oldest is found by
 * looking at one row. */
static struct err first_number(void *arg, uint64_t number, struct bytes value)
{
    (void)value;
    *(uint64_t *)arg = number;
    return ERR_OK;
}

static struct err hold(struct core *c, struct db_txn *t, struct open_chat *chat, struct bytes row)
{
    uint64_t number, first = 0;
    TRY(db_append(t, DB_HELD, owner_of(chat), row, &number));
    if (number <= HELD_MAX)
        return ERR_OK;
    TRY(db_list_each(t, DB_HELD, owner_of(chat), 1, 1, first_number, &first));
    if (first == 0 || number - first < HELD_MAX)
        return ERR_OK;
    TRY(db_list_drop(t, DB_HELD, owner_of(chat), first, first));
    return receive_event(c, t, chat, HEARTH_EVENT_LOSS, 1, "too much waited for the chat");
}

struct err hold_sealed(struct core *c, struct db_txn *t, struct open_chat *chat,
                       struct bytes sealed)
{
    struct buf row = BUF_INIT;
    wire_write_u8(&row, FORM_SEALED);
    wire_write_fixed(&row, sealed);
    struct err err = buf_check(&row);
    if (err_is_ok(err))
        err = hold(c, t, chat, buf_view(&row));
    buf_clear(&row);
    return err;
}

struct err hold_item(struct core *c, struct db_txn *t, struct open_chat *chat,
                     const struct delivery_item *item)
{
    struct buf row = BUF_INIT;
    wire_write_u8(&row, FORM_ITEM);
    wire_write_u8(&row, (uint8_t)item->kind);
    wire_write_u64(&row, item->accepted_s);
    wire_write_fixed(&row, item->body);
    struct err err = buf_check(&row);
    if (err_is_ok(err))
        err = hold(c, t, chat, buf_view(&row));
    buf_clear(&row);
    return err;
}

/* ---- going through */

struct held_rows {
    struct buf *rows;
    size_t count;
    uint64_t first, last;
};

static struct err collect(void *arg, uint64_t number, struct bytes value)
{
    struct held_rows *h = arg;
    struct buf *rows = realloc(h->rows, (h->count + 1) * sizeof *rows);
    if (rows == NULL)
        return ERR(NO_MEMORY);
    h->rows = rows;
    rows[h->count] = BUF_INIT;
    buf_append_bytes(&rows[h->count++], value);
    h->first = h->first == 0 ? number : h->first;
    h->last = number;
    return buf_check(&rows[h->count - 1]);
}

static struct err replay_row(struct core *c, struct db_txn *t, struct open_chat *chat,
                             struct bytes row)
{
    struct wire_reader r = wire_reader_of(row);
    bool opened;
    if (wire_read_u8(&r) == FORM_SEALED) {
        struct bytes sealed = wire_read_fixed(&r, wire_reader_left(&r));
        TRY(receive_sealed(c, t, chat, sealed, &opened));
        return opened ? ERR_OK : hold_sealed(c, t, chat, sealed);
    }
    struct delivery_item item = {.kind = (enum delivery_kind)wire_read_u8(&r)};
    item.accepted_s = wire_read_u64(&r);
    item.body = wire_read_fixed(&r, wire_reader_left(&r));
    TRY(wire_reader_check(&r));
    return receive_delivery(c, t, chat, &item);
}

static void rows_free(struct held_rows *h)
{
    for (size_t i = 0; i < h->count; i++)
        buf_clear(&h->rows[i]);
    free(h->rows);
}

struct err held_replay(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    struct held_rows h = {0};
    struct err err = ERR_OK;
    if (chat->replaying) { /* something in it makes more of it usable: once more then */
        chat->replay_again = true;
        return ERR_OK;
    }
    chat->replaying = true;
    do {
        chat->replay_again = false;
        h = (struct held_rows){0};
        err = db_list_each(t, DB_HELD, owner_of(chat), 1, 0, collect, &h);
        if (err_is_ok(err) && h.count > 0)
            err = db_list_drop(t, DB_HELD, owner_of(chat), h.first, h.last);
        for (size_t i = 0; i < h.count && err_is_ok(err); i++)
            err = replay_row(c, t, chat, buf_view(&h.rows[i]));
        rows_free(&h);
    } while (err_is_ok(err) && chat->replay_again);
    chat->replaying = false;
    return err;
}

struct err held_drop(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    uint64_t last;
    (void)c;
    TRY(db_list_last(t, DB_HELD, owner_of(chat), &last));
    return last > 0 ? db_list_drop(t, DB_HELD, owner_of(chat), 1, last) : ERR_OK;
}
