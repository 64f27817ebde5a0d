#include "client/core/chat_store.h"

#include <stdlib.h>

#include "wire/reader.h"
#include "wire/writer.h"

enum { INDEX_ENTRY_BYTES = 12, PIECES_MAX = 1 << 20 };

struct place {
    uint64_t epoch;
    uint32_t place;
};

/* The ratchets that there are, sorted by epoch, then place. */
struct piece_list {
    struct place *at;
    size_t count, room;
    bool changed;
};

struct sink {
    struct db_txn *txn;
    const struct hearth_id *id;
    struct piece_list list;
};

static struct bytes id_view(const struct hearth_id *id)
{
    return bytes_of(id->bytes, sizeof id->bytes);
}

/* ---- the index */

static int place_compare(struct place a, struct place b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return a.place < b.place ? -1 : a.place > b.place;
}

static struct err list_add(struct piece_list *l, struct place p)
{
    size_t i = l->count;
    while (i > 0 && place_compare(l->at[i - 1], p) > 0)
        i--;
    if (i > 0 && place_compare(l->at[i - 1], p) == 0)
        return ERR_OK;
    if (l->count == PIECES_MAX)
        return ERR(TOO_LARGE);
    if (l->count == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : 16;
        struct place *at = realloc(l->at, room * sizeof *at);
        if (at == NULL)
            return ERR(NO_MEMORY);
        l->at = at;
        l->room = room;
    }
    memmove(l->at + i + 1, l->at + i, (l->count - i) * sizeof *l->at);
    l->at[i] = p;
    l->count++;
    l->changed = true;
    return ERR_OK;
}

static struct err list_read(struct db_txn *t, const struct hearth_id *id, struct piece_list *l)
{
    struct buf b = BUF_INIT;
    struct err err = db_get(t, DB_RATCHETS, id_view(id), &b);
    if (err.code == ERR_NOT_FOUND)
        err = ERR_OK;
    struct wire_reader r = wire_reader_of(buf_view(&b));
    while (err_is_ok(err) && wire_reader_more(&r)) {
        struct place p = {.epoch = wire_read_u64(&r)};
        p.place = wire_read_u32(&r);
        err = wire_reader_check(&r);
        if (err_is_ok(err))
            err = list_add(l, p);
    }
    buf_clear(&b);
    l->changed = false;
    return err;
}

static struct err list_write(struct db_txn *t, const struct hearth_id *id,
                             const struct piece_list *l)
{
    struct buf b = BUF_INIT;
    if (!l->changed)
        return ERR_OK;
    for (size_t i = 0; i < l->count; i++) {
        wire_write_u64(&b, l->at[i].epoch);
        wire_write_u32(&b, l->at[i].place);
    }
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_RATCHETS, id_view(id), buf_view(&b));
    buf_clear(&b);
    return err;
}

/* ---- pieces */

struct piece_id {
    uint8_t bytes[16 + INDEX_ENTRY_BYTES];
};

static struct piece_id piece_id(const struct hearth_id *id, struct place p)
{
    struct piece_id out;
    memcpy(out.bytes, id->bytes, 16);
    for (size_t i = 0; i < 8; i++)
        out.bytes[16 + i] = (uint8_t)(p.epoch >> (56 - 8 * i));
    for (size_t i = 0; i < 4; i++)
        out.bytes[24 + i] = (uint8_t)(p.place >> (24 - 8 * i));
    return out;
}

static struct err drop_piece(struct db_txn *t, const struct hearth_id *id, struct place p)
{
    struct piece_id key = piece_id(id, p);
    struct err err = db_drop(t, DB_RATCHETS, bytes_of(key.bytes, sizeof key.bytes));
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Those of epochs below `from` and above `to`. */
static struct err drop_outside(struct db_txn *t, const struct hearth_id *id, struct piece_list *l,
                               uint64_t from, uint64_t to)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        struct place p = l->at[i];
        if (p.epoch < from || p.epoch > to) {
            TRY(drop_piece(t, id, p));
            l->changed = true;
        } else {
            l->at[kept++] = p;
        }
    }
    l->count = kept;
    return ERR_OK;
}

/* ---- saving */

static struct err sink_state(void *self, struct bytes state)
{
    struct sink *s = self;
    return db_put(s->txn, DB_GROUP, id_view(s->id), state);
}

static struct err sink_ratchet(void *self, uint64_t epoch, uint32_t place, struct bytes ratchet)
{
    struct sink *s = self;
    struct place p = {epoch, place};
    struct piece_id key = piece_id(s->id, p);
    TRY(list_add(&s->list, p));
    return db_put(s->txn, DB_RATCHETS, bytes_of(key.bytes, sizeof key.bytes), ratchet);
}

static struct err sink_drop(void *self, uint64_t from, uint64_t to)
{
    struct sink *s = self;
    return drop_outside(s->txn, s->id, &s->list, from, to);
}

static struct err drop_all(struct db_txn *t, const struct hearth_id *id, struct piece_list *l)
{
    TRY(drop_outside(t, id, l, 1, 0));
    struct err err = db_drop(t, DB_RATCHETS, id_view(id));
    if (err_is_ok(err) || err.code == ERR_NOT_FOUND)
        err = db_drop(t, DB_GROUP, id_view(id));
    l->changed = false;
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

struct err chat_group_save(struct db_txn *t, const struct hearth_id *id, struct mls_group *group,
                           bool all)
{
    struct sink s = {.txn = t, .id = id};
    struct group_sink sink = {sink_state, sink_ratchet, sink_drop, &s};
    if (group == NULL && !all)
        return ERR_OK;
    struct err err = list_read(t, id, &s.list);
    if (err_is_ok(err) && all)
        err = drop_all(t, id, &s.list);
    if (err_is_ok(err) && group != NULL)
        err = group_save(group, all ? GROUP_SAVE_ALL : GROUP_SAVE_CHANGED, &sink);
    if (err_is_ok(err) && group != NULL)
        err = list_write(t, id, &s.list);
    /* if the step fails after this, chat_forget frees the group */
    if (err_is_ok(err) && group != NULL)
        group_saved(group);
    free(s.list.at);
    return err;
}

/* ---- loading */

struct loading {
    struct group_ratchet_piece *pieces;
    struct buf *bytes;
};

static struct err load_pieces(struct db_txn *t, const struct hearth_id *id,
                              const struct piece_list *list, struct loading *l)
{
    for (size_t i = 0; i < list->count; i++) {
        struct piece_id key = piece_id(id, list->at[i]);
        TRY(db_get(t, DB_RATCHETS, bytes_of(key.bytes, sizeof key.bytes), &l->bytes[i]));
        l->pieces[i] = (struct group_ratchet_piece){list->at[i].epoch, list->at[i].place,
                                                    buf_view(&l->bytes[i])};
    }
    return ERR_OK;
}

struct err chat_group_load(struct db_txn *t, const struct hearth_id *id,
                           const struct mls_client *client, struct mls_group **ret_group)
{
    struct piece_list list = {0};
    struct loading l = {0};
    struct buf state = BUF_INIT;
    struct err err = db_get(t, DB_GROUP, id_view(id), &state);
    if (err_is_ok(err))
        err = list_read(t, id, &list);
    if (err_is_ok(err)) {
        l.pieces = calloc(list.count + 1, sizeof *l.pieces);
        l.bytes = calloc(list.count + 1, sizeof *l.bytes);
        err = l.pieces != NULL && l.bytes != NULL ? load_pieces(t, id, &list, &l) : ERR(NO_MEMORY);
    }
    if (err_is_ok(err))
        err = group_load(client, buf_view(&state), l.pieces, list.count, ret_group);
    for (size_t i = 0; l.bytes != NULL && i < list.count; i++)
        buf_clear(&l.bytes[i]);
    free(l.bytes);
    free(l.pieces);
    free(list.at);
    buf_clear(&state);
    return err.code == ERR_NOT_FOUND && list.count > 0 ? ERR(MLS_GROUP_STATE) : err;
}
