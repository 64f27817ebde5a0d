#include "server/queue/tag.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { TAG_VERSION = 1, FLAG_USED = 1, FLAG_BLOCKED = 2 };

void queue_tag_id(const struct queue *q, struct bytes client_id, struct bytes tag,
                  uint8_t ret_id[QUEUE_PRF_BYTES])
{
    queue_prf(q, "tag", client_id, tag, ret_id);
}

struct err queue_tag_read(const struct queue *q, uint64_t client, struct bytes sealed,
                          struct queue_tag *tag)
{
    struct buf plain = BUF_INIT;
    struct err err = queue_open_sealed(q, &plain, "queue_tag", client,
                                       bytes_of(tag->id, sizeof tag->id), sealed);
    if (err_is_ok(err)) {
        struct wire_reader r = wire_reader_of(buf_view(&plain));
        if (wire_read_u8(&r) != TAG_VERSION)
            wire_reader_fail(&r, ERR_STORE_TYPE);
        uint8_t flags = wire_read_u8(&r);
        struct bytes origin = wire_read_fixed(&r, sizeof tag->origin);
        struct bytes print = wire_read_fixed(&r, sizeof tag->print);
        uint64_t last = wire_read_u64(&r);
        err = wire_reader_end(&r);
        if (err_is_ok(err)) {
            tag->stored = true;
            tag->used = (flags & FLAG_USED) != 0;
            tag->blocked = (flags & FLAG_BLOCKED) != 0;
            memcpy(tag->origin, origin.data, origin.len);
            memcpy(tag->print, print.data, print.len);
            tag->last = last;
        }
    }
    buf_clear(&plain);
    return err;
}

struct loading {
    const struct queue *q;
    uint64_t client;
    struct queue_tag tag;
};

static struct err map_cursor(struct stmt *row, void *arg)
{
    struct loading *l = arg;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    return queue_tag_read(l->q, l->client, sealed, &l->tag);
}

struct err queue_tag_get(struct store_txn *txn, const struct queue *q, uint64_t client,
                         const uint8_t id[QUEUE_PRF_BYTES], struct queue_tag *ret_tag)
{
    struct loading l = {.q = q, .client = client};
    memcpy(l.tag.id, id, sizeof l.tag.id);
    struct stmt *s = stmt_use(txn, SQL_TAG_GET);
    stmt_bind_u64(s, 1, client);
    stmt_bind_blob(s, 2, bytes_of(id, QUEUE_PRF_BYTES));
    struct err err = stmt_first(s, map_cursor, &l);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    *ret_tag = l.tag;
    return ERR_OK;
}

struct err queue_tag_set(struct store_txn *txn, const struct queue *q, uint64_t client,
                         struct queue_tag *tag, uint64_t now_s)
{
    struct buf plain = BUF_INIT, sealed = BUF_INIT;
    wire_write_u8(&plain, TAG_VERSION);
    wire_write_u8(&plain,
                  (uint8_t)((tag->used ? FLAG_USED : 0) | (tag->blocked ? FLAG_BLOCKED : 0)));
    wire_write_fixed(&plain, bytes_of(tag->origin, sizeof tag->origin));
    wire_write_fixed(&plain, bytes_of(tag->print, sizeof tag->print));
    wire_write_u64(&plain, tag->last);
    struct bytes id = bytes_of(tag->id, sizeof tag->id);
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = queue_seal(q, &sealed, "queue_tag", client, id, buf_view(&plain));
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, SQL_TAG_SET);
        stmt_bind_u64(s, 1, client);
        stmt_bind_blob(s, 2, id);
        stmt_bind_u64(s, 3, now_s / QUEUE_DAY_S);
        stmt_bind_blob(s, 4, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    if (err_is_ok(err))
        tag->stored = true;
    buf_clear(&plain);
    buf_clear(&sealed);
    return err;
}
