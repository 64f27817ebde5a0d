#include "client/core/head_row.h"

#include "client/core/roster.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1, FLAG_FRESH = 1, FLAG_CLAIMED = 2 };

static struct bytes id_of(const struct hearth_id *chat)
{
    return bytes_of(chat->bytes, sizeof chat->bytes);
}

static void read_fixed(struct wire_reader *r, uint8_t *to, size_t len)
{
    struct bytes in = wire_read_fixed(r, len);
    if (in.len == len)
        memcpy(to, in.data, len);
}

static void read_own(struct wire_reader *r, struct head_own *own)
{
    own->number = wire_read_u64(r);
    own->before = wire_read_u64(r);
    own->epoch = wire_read_u64(r);
    read_fixed(r, own->hash, sizeof own->hash);
}

static void read_head(struct wire_reader *r, struct head *h)
{
    read_fixed(r, h->pseudonym, sizeof h->pseudonym);
    h->lane = wire_read_u8(r);
    uint8_t flags = wire_read_u8(r);
    h->fresh = (flags & FLAG_FRESH) != 0;
    h->claimed = (flags & FLAG_CLAIMED) != 0;
    h->epoch = wire_read_u64(r);
    h->number = wire_read_u64(r);
    read_fixed(r, h->hash, sizeof h->hash);
}

static struct err read_row(struct bytes in, struct head_row *row)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    for (size_t i = 0; i < HEAD_LANES; i++)
        read_own(&r, &row->own[i]);
    row->forgot = wire_read_present(&r);
    struct wire_reader heads = wire_read_nested(&r);
    while (wire_reader_more(&heads) && row->count < HEADS_MAX)
        read_head(&heads, &row->heads[row->count++]);
    wire_reader_join(&r, &heads);
    return err_is_ok(wire_reader_end(&r)) ? ERR_OK : ERR(STORE_CORRUPT);
}

struct err head_row_get(struct db_txn *t, const struct hearth_id *chat, struct head_row *ret_row)
{
    struct buf value = BUF_INIT;
    *ret_row = (struct head_row){0};
    struct err err = db_get(t, DB_HEAD, id_of(chat), &value);
    if (err_is_ok(err))
        err = read_row(buf_view(&value), ret_row);
    buf_clear(&value);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

struct err head_row_put(struct db_txn *t, const struct hearth_id *chat, const struct head_row *row)
{
    struct buf b = BUF_INIT;
    wire_write_u8(&b, ROW_VERSION);
    for (size_t i = 0; i < HEAD_LANES; i++) {
        wire_write_u64(&b, row->own[i].number);
        wire_write_u64(&b, row->own[i].before);
        wire_write_u64(&b, row->own[i].epoch);
        wire_write_fixed(&b, bytes_of(row->own[i].hash, HEAD_HASH_BYTES));
    }
    wire_write_present(&b, row->forgot);
    size_t mark = wire_vector_begin(&b);
    for (size_t i = 0; i < row->count; i++) {
        const struct head *h = &row->heads[i];
        wire_write_fixed(&b, bytes_of(h->pseudonym, sizeof h->pseudonym));
        wire_write_u8(&b, h->lane);
        wire_write_u8(&b, (uint8_t)((h->fresh ? FLAG_FRESH : 0) | (h->claimed ? FLAG_CLAIMED : 0)));
        wire_write_u64(&b, h->epoch);
        wire_write_u64(&b, h->number);
        wire_write_fixed(&b, bytes_of(h->hash, HEAD_HASH_BYTES));
    }
    wire_vector_end(&b, mark);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_HEAD, id_of(chat), buf_view(&b));
    buf_clear(&b);
    return err;
}

struct head *head_find(struct head_row *row, const uint8_t *prefix, size_t len, size_t lane)
{
    for (size_t i = 0; i < row->count; i++) {
        struct head *h = &row->heads[i];
        if (h->lane == lane && memcmp(h->pseudonym, prefix, len) == 0)
            return h;
    }
    return NULL;
}

void head_newest(struct head_row *row, const struct head *head)
{
    const struct head *known = head_find(row, head->pseudonym, sizeof head->pseudonym, head->lane);
    size_t before = known != NULL ? (size_t)(known - row->heads) : row->count;
    if (known == NULL && row->count == HEADS_MAX) {
        row->forgot = true;
        before--;
    } else if (known == NULL) {
        row->count++;
    }
    memmove(row->heads + 1, row->heads, before * sizeof *row->heads);
    row->heads[0] = *head;
}

bool head_pseudonym(const struct open_chat *chat, const uint8_t prefix[HEAD_PREFIX_BYTES],
                    uint8_t ret_pseudonym[PSEUDONYM_BYTES])
{
    for (size_t i = 0; i < chat->roster->count; i++) {
        if (memcmp(chat->roster->leaves[i].pseudonym, prefix, HEAD_PREFIX_BYTES) == 0) {
            memcpy(ret_pseudonym, chat->roster->leaves[i].pseudonym, PSEUDONYM_BYTES);
            return true;
        }
    }
    return false;
}

struct err head_drop(struct core *c, struct db_txn *t, const struct hearth_id *chat)
{
    (void)c;
    struct err err = db_drop(t, DB_HEAD, id_of(chat));
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}
