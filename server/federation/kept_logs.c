/* What is kept of peers' logs over a restart, in federation.db, and of those that forked for good.
 *
 *     peer_log (id, day, sealed)      id: PRF(domain); day: of the last look that went well
 *     sealed struct { uint8 version = 1; opaque domain<V>; opaque view<V>; opaque evidence<V>; }
 *
 * An empty view: it was forgotten (peer_log_forget).
 * A row goes KEPT_DAYS after that day, as the peer's own does (kept.c).
 */
#include <stdlib.h>

#include "seal/at_rest.h"
#include "server/federation/inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, DAY_S = 86400 };

void kept_log_free(struct peer_log *log)
{
    if (log == NULL)
        return;
    buf_clear(&log->evidence);
    buf_clear(&log->published);
    free(log);
}

static struct err fill(struct peer_log *log, struct bytes view, struct bytes evidence)
{
    if (view.len > 0)
        TRY(kt_view_read(view, &log->view));
    log->has_view = view.len > 0;
    buf_append_bytes(&log->evidence, evidence);
    return buf_check(&log->evidence);
}

static struct err read_record(struct federation *f, struct bytes plain)
{
    struct wire_reader r = wire_reader_of(plain);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes domain = wire_read_vector(&r), view = wire_read_vector(&r);
    struct bytes evidence = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    struct peer *peer = peer_find(f, domain);
    if (peer == NULL || peer->log != NULL)
        return ERR_OK; /* its row is gone, or the policy admits it no more */
    struct peer_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return ERR(NO_MEMORY);
    struct err err = fill(log, view, evidence);
    if (err_is_ok(err))
        peer->log = log;
    else
        kept_log_free(log);
    return err;
}

static struct err map_row(struct stmt *row, void *arg)
{
    struct federation *f = arg;
    uint8_t id[AT_REST_ID_BYTES];
    struct buf plain = BUF_INIT;
    stmt_fixed(row, 0, id, sizeof id);
    struct bytes sealed = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    struct err err = at_rest_open(&plain, f->rows_key, bytes_of(id, sizeof id), sealed);
    if (err_is_ok(err))
        err = read_record(f, buf_view(&plain));
    buf_clear(&plain);
    /* a damaged row is as good as none */
    return err_class_of(err) == ERR_CLASS_OURS ? err : ERR_OK;
}

struct err kept_logs_load(struct federation *f, struct store_txn *txn, unsigned first)
{
    f->log_statements = first;
    struct stmt *s = stmt_use(txn, first + KEPT_LOG_ALL);
    stmt_bind_u64(s, 1, PEERS_MOST / 2);
    return stmt_each(s, map_row, f);
}

/* ---- writing */

struct saving {
    unsigned statement;
    uint8_t id[AT_REST_ID_BYTES];
    uint64_t day;
    struct buf sealed;
};

static struct err run_save(struct store_txn *txn, void *arg)
{
    const struct saving *s = arg;
    struct stmt *put = stmt_use(txn, s->statement);
    stmt_bind_blob(put, 1, bytes_of(s->id, sizeof s->id));
    stmt_bind_u64(put, 2, s->day);
    stmt_bind_blob(put, 3, buf_view(&s->sealed));
    return stmt_run(put, NULL);
}

static void on_saved(void *arg, struct err result)
{
    struct saving *s = arg;
    (void)result; /* not kept: what is older is looked at again after the next start */
    buf_clear(&s->sealed);
    free(s);
}

static struct err seal(const struct peer *peer, struct saving *s)
{
    struct federation *f = peer->federation;
    struct buf plain = BUF_INIT;
    at_rest_prf(f->ids_key, BYTES_LIST(bytes_str("peer log"), bytes_str(peer->domain)), s->id);
    wire_write_u8(&plain, VERSION);
    wire_write_vector(&plain, bytes_str(peer->domain));
    size_t mark = wire_vector_begin(&plain);
    if (peer->log->has_view)
        kt_view_write(&plain, &peer->log->view);
    wire_vector_end(&plain, mark);
    wire_write_vector(&plain, buf_view(&peer->log->evidence));
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = at_rest_seal(&s->sealed, f->rows_key, f->env->rng, bytes_of(s->id, sizeof s->id),
                           buf_view(&plain));
    buf_clear(&plain);
    return err;
}

void kept_log_save(const struct peer *peer)
{
    struct federation *f = peer->federation;
    struct saving *s = f->store != NULL ? calloc(1, sizeof *s) : NULL;
    if (s == NULL)
        return;
    s->statement = f->log_statements + KEPT_LOG_PUT;
    s->day = clock_unix_ms(f->env->clock) / 1000 / DAY_S;
    const struct store_work work = {.cost = 1, .run = run_save, .done = on_saved, .arg = s};
    struct err err = seal(peer, s);
    if (err_is_ok(err))
        err = store_submit(f->store, NULL, &work);
    if (!err_is_ok(err))
        on_saved(s, err);
}
