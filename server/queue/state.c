#include "server/queue/state.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { STATE_VERSION = 1 };

void queue_state_clear(struct queue_state *state)
{
    bytes_wipe(state, sizeof *state);
}

static struct err state_parse(struct bytes in, struct queue_state *s)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != STATE_VERSION)
        wire_reader_fail(&r, ERR_STORE_TYPE);
    struct bytes chain = wire_read_fixed(&r, sizeof s->ratchet.chain);
    s->ratchet.sequence = wire_read_u64(&r);
    s->first = wire_read_u64(&r);
    s->acked_end = wire_read_u64(&r);
    s->delivered_end = wire_read_u64(&r);
    s->bytes = wire_read_u64(&r);
    s->since_refresh = wire_read_u32(&r);
    s->refresh_hour = wire_read_u32(&r);
    s->gap_items = wire_read_u64(&r);
    s->gap_bytes = wire_read_u64(&r);
    s->tags = wire_read_u32(&r);
    s->blocked = wire_read_u32(&r);
    s->told = wire_read_present(&r);
    struct bytes hash = wire_read_fixed(&r, sizeof s->ratchet.head);
    TRY(wire_reader_end(&r));
    memcpy(s->ratchet.chain, chain.data, chain.len);
    memcpy(s->ratchet.head, hash.data, hash.len);
    return ERR_OK;
}

static void state_write(struct buf *b, const struct queue_state *s)
{
    wire_write_u8(b, STATE_VERSION);
    wire_write_fixed(b, bytes_of(s->ratchet.chain, sizeof s->ratchet.chain));
    wire_write_u64(b, s->ratchet.sequence);
    wire_write_u64(b, s->first);
    wire_write_u64(b, s->acked_end);
    wire_write_u64(b, s->delivered_end);
    wire_write_u64(b, s->bytes);
    wire_write_u32(b, s->since_refresh);
    wire_write_u32(b, s->refresh_hour);
    wire_write_u64(b, s->gap_items);
    wire_write_u64(b, s->gap_bytes);
    wire_write_u32(b, s->tags);
    wire_write_u32(b, s->blocked);
    wire_write_present(b, s->told);
    wire_write_fixed(b, bytes_of(s->ratchet.head, sizeof s->ratchet.head));
}

/* ---- rows */

struct loading {
    const struct queue *q;
    struct queue_state state;
};

static struct err map_state(struct stmt *row, void *arg)
{
    struct loading *l = arg;
    l->state.active_day = stmt_u64(row, 0);
    struct bytes sealed = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    struct buf plain = BUF_INIT;
    struct err err =
        queue_open_sealed(l->q, &plain, "queue_state", l->state.client, bytes_of(NULL, 0), sealed);
    if (err_is_ok(err))
        err = state_parse(buf_view(&plain), &l->state);
    buf_clear(&plain);
    return err;
}

struct err queue_state_get(struct store_txn *txn, const struct queue *q, uint64_t client,
                           struct queue_state *ret_state)
{
    struct loading l = {.q = q, .state.client = client};
    struct stmt *s = stmt_use(txn, SQL_STATE_GET);
    stmt_bind_u64(s, 1, client);
    struct err err = stmt_first(s, map_state, &l);
    if (err_is_ok(err))
        *ret_state = l.state;
    queue_state_clear(&l.state);
    return err;
}

static struct err seal_state(const struct queue *q, const struct queue_state *state, struct buf *b)
{
    struct buf plain = BUF_INIT;
    state_write(&plain, state);
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = queue_seal(q, b, "queue_state", state->client, bytes_of(NULL, 0), buf_view(&plain));
    buf_clear(&plain);
    return err;
}

struct err queue_state_set(struct store_txn *txn, const struct queue *q,
                           const struct queue_state *state)
{
    struct buf sealed = BUF_INIT;
    uint64_t changes = 0;
    struct err err = seal_state(q, state, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, SQL_STATE_SET);
        stmt_bind_u64(s, 1, state->active_day);
        stmt_bind_blob(s, 2, buf_view(&sealed));
        stmt_bind_u64(s, 3, state->client);
        err = stmt_run(s, &changes);
    }
    buf_clear(&sealed);
    if (err_is_ok(err) && changes != 1)
        return ERR(NOT_FOUND);
    return err;
}

static struct err state_add(struct store_txn *txn, const struct queue *q,
                            const struct queue_state *state)
{
    struct buf sealed = BUF_INIT;
    struct err err = seal_state(q, state, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, SQL_STATE_ADD);
        stmt_bind_u64(s, 1, state->client);
        stmt_bind_u64(s, 2, state->active_day);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

struct err queue_state_begin(struct store_txn *txn, const struct queue *q,
                             const struct queue_client *client, uint64_t now_s)
{
    struct queue_state state = {.client = client->row, .active_day = now_s / QUEUE_DAY_S};
    struct err err =
        queue_refresh(txn, q, &state, bytes_of(client->queue_key, client->queue_key_len), now_s);
    if (err_is_ok(err))
        err = state_add(txn, q, &state);
    queue_state_clear(&state);
    return err;
}
