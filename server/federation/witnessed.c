/* What we have cosigned of each log, in federation.db.
 *
 *     witnessed (id, sealed)      id: PRF(origin)
 *     sealed struct { uint8 version = 1; uint64 size; opaque root[32]; }
 *
 * Rows never go: who lets a log be forgotten would cosign two roots of one size. Of a row that
 * can't be read nothing is cosigned any more.
 */
#include "seal/at_rest.h"
#include "server/federation/inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, LOGS_MOST = 65536 };

_Static_assert((int)WITNESSED_SEALED_BYTES ==
                   1 + 8 + (int)HASH_VALUE_BYTES + (int)AT_REST_OVERHEAD_BYTES,
               "the sealed row");

static struct err map_sealed(struct stmt *row, void *arg)
{
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    buf_append_bytes(arg, sealed);
    return buf_check(arg);
}

static struct err read_state(struct bytes plain, struct witness_state *ret_state)
{
    struct wire_reader r = wire_reader_of(plain);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    uint64_t size = wire_read_u64(&r);
    struct bytes root = wire_read_fixed(&r, HASH_VALUE_BYTES);
    TRY(wire_reader_end(&r));
    ret_state->size = size;
    memcpy(ret_state->root.data, root.data, HASH_VALUE_BYTES);
    return ERR_OK;
}

static struct err find(struct store_txn *txn, const struct witnessing *w,
                       struct witness_state *ret_state)
{
    const struct federation *f = w->federation;
    struct buf sealed = BUF_INIT, plain = BUF_INIT;
    struct stmt *s = stmt_use(txn, f->witness_statements + WITNESSED_GET);
    stmt_bind_blob(s, 1, bytes_of(w->id, sizeof w->id));
    struct err err = stmt_first(s, map_sealed, &sealed);
    if (err.code == ERR_NOT_FOUND) {
        *ret_state = (struct witness_state){.size = 0};
        err = ERR_OK;
    } else if (err_is_ok(err)) {
        err = at_rest_open(&plain, f->rows_key, bytes_of(w->id, sizeof w->id), buf_view(&sealed));
        if (err_is_ok(err))
            err = read_state(buf_view(&plain), ret_state);
    }
    buf_clear(&sealed);
    buf_clear(&plain);
    return err;
}

static struct err map_count(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static bool same(const struct witness_state *a, const struct witness_state *b)
{
    return a->size == b->size && (a->size == 0 || hash_value_equal(&a->root, &b->root));
}

static struct err run_witnessed(struct store_txn *txn, void *arg)
{
    struct witnessing *w = arg;
    const struct federation *f = w->federation;
    uint64_t count = 0;
    TRY(find(txn, w, &w->found));
    if (!same(&w->found, &w->old))
        return ERR(TLOG_CONSISTENCY);
    if (w->next.size < w->found.size || (w->next.size == w->found.size && !same(&w->next, &w->old)))
        return ERR(TLOG_FORK); /* whatever the caller believes */
    if (w->found.size > 0 && same(&w->next, &w->found))
        return ERR_OK; /* it stands there: who asks for the same again costs no write */
    if (w->found.size == 0) {
        TRY(stmt_first(stmt_use(txn, f->witness_statements + WITNESSED_COUNT), map_count, &count));
        if (count >= LOGS_MOST)
            return ERR(TOO_LARGE);
    }
    struct stmt *s = stmt_use(txn, f->witness_statements + WITNESSED_PUT);
    stmt_bind_blob(s, 1, bytes_of(w->id, sizeof w->id));
    stmt_bind_blob(s, 2, bytes_of(w->sealed, sizeof w->sealed));
    return stmt_run(s, NULL);
}

static void name(struct federation *f, struct bytes origin, struct witnessing *w)
{
    w->federation = f;
    at_rest_prf(f->ids_key, BYTES_LIST(bytes_str("witnessed"), origin), w->id);
}

static struct err seal(struct federation *f, struct bytes origin, struct witnessing *w)
{
    struct buf plain = BUF_INIT, sealed = BUF_INIT;
    name(f, origin, w);
    wire_write_u8(&plain, VERSION);
    wire_write_u64(&plain, w->next.size);
    wire_write_fixed(&plain, hash_value_view(&w->next.root));
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = at_rest_seal(&sealed, f->rows_key, f->env->rng, bytes_of(w->id, sizeof w->id),
                           buf_view(&plain));
    if (err_is_ok(err) && sealed.len != sizeof w->sealed)
        err = ERR(TOO_LARGE);
    if (err_is_ok(err))
        memcpy(w->sealed, sealed.data, sealed.len);
    buf_clear(&plain);
    buf_clear(&sealed);
    return err_is_ok(err) && f->store == NULL ? ERR(STORE_STOPPED) : err;
}

struct err witnessed_submit(struct federation *f, struct bytes origin,
                            void (*done)(void *witnessing, struct err result), struct witnessing *w)
{
    const struct store_work work = {.cost = 1, .run = run_witnessed, .done = done, .arg = w};
    TRY(seal(f, origin, w));
    return store_submit(f->store, NULL, &work);
}

struct err witnessed_call(struct federation *f, struct bytes origin, struct witnessing *w)
{
    TRY(seal(f, origin, w));
    return store_call(f->store, run_witnessed, w);
}

static struct err run_read(struct store_txn *txn, void *arg)
{
    struct witnessing *w = arg;
    return find(txn, w, &w->found);
}

struct err witnessed_read(struct federation *f, struct bytes origin,
                          struct witness_state *ret_state)
{
    struct witnessing w = {.federation = NULL};
    name(f, origin, &w);
    if (f->store == NULL)
        return ERR(STORE_STOPPED);
    TRY(store_call_read(f->store, run_read, &w));
    *ret_state = w.found;
    return ERR_OK;
}
