/* What is kept of peers over a restart, in federation.db: the pinned root, and the key it vouched
 * for.
 *
 *     peer (id, day, sealed)      id: PRF(domain); day: of the last fetch of its keys
 *     sealed struct { uint8 version = 1; opaque domain<V>; opaque pin[32]; opaque key<V>;
 *                     uint64 key_from_s; uint64 key_until_s; uint64 since_s; }
 *
 * The image of the file names no peer (ME3). A row goes KEPT_DAYS after its last fetch.
 */
#include <stdlib.h>

#include "seal/at_rest.h"
#include "server/federation/inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, KEPT_DAYS = 400, DAY_S = 86400, EXPIRE_ROWS = 256 };

enum {
    ALL,
    PUT,
    OLD,
    KEPT_LOGS,
    WITNESSED = KEPT_LOGS + KEPT_LOG_STATEMENTS,
    STATEMENTS = WITNESSED + WITNESSED_STATEMENTS
};
static const struct stmt_row statements[STATEMENTS] = {
    [ALL] = {"peer_all", "SELECT id, sealed FROM peer ORDER BY day DESC LIMIT $1"},
    [PUT] = {"peer_put", "INSERT INTO peer (id, day, sealed) VALUES ($1, $2, $3) "
                         "ON CONFLICT (id) DO UPDATE SET day = excluded.day, "
                         "sealed = excluded.sealed"},
    [OLD] = {"peer_old",
             "DELETE FROM peer WHERE id IN (SELECT id FROM peer WHERE day < $1 LIMIT $2)"},
    [KEPT_LOGS + KEPT_LOG_ALL] = {"peer_log_all",
                                  "SELECT id, sealed FROM peer_log ORDER BY day DESC LIMIT $1"},
    [KEPT_LOGS + KEPT_LOG_PUT] = {"peer_log_put",
                                  "INSERT INTO peer_log (id, day, sealed) VALUES ($1, $2, $3)"
                                  " ON CONFLICT (id) DO UPDATE SET day = excluded.day,"
                                  " sealed = excluded.sealed"},
    [KEPT_LOGS + KEPT_LOG_OLD] = {"peer_log_old",
                                  "DELETE FROM peer_log WHERE id IN"
                                  " (SELECT id FROM peer_log WHERE day < $1 LIMIT $2)"},
    [WITNESSED + WITNESSED_GET] = {"witnessed_get", "SELECT sealed FROM witnessed WHERE id = $1"},
    [WITNESSED + WITNESSED_PUT] = {"witnessed_put",
                                   "INSERT INTO witnessed (id, sealed) VALUES ($1, $2)"
                                   " ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed"},
    [WITNESSED + WITNESSED_COUNT] = {"witnessed_count", "SELECT count(*) FROM witnessed"},
};
static const struct store_migration migrations[] = {
    {1, "CREATE TABLE peer (id BLOB NOT NULL PRIMARY KEY, day INTEGER NOT NULL, "
        "sealed BLOB NOT NULL) WITHOUT ROWID; CREATE INDEX peer_day ON peer (day);"},
    {2, "CREATE TABLE peer_log (id BLOB NOT NULL PRIMARY KEY, day INTEGER NOT NULL, "
        "sealed BLOB NOT NULL) WITHOUT ROWID; CREATE INDEX peer_log_day ON peer_log (day);"},
    {3, "CREATE TABLE witnessed (id BLOB NOT NULL PRIMARY KEY, sealed BLOB NOT NULL)"
        " WITHOUT ROWID;"},
};
static const struct store_schema schema = {migrations, 3, statements, STATEMENTS};

static uint64_t today(const struct federation *f)
{
    return clock_unix_ms(f->env->clock) / 1000 / DAY_S;
}

/* ---- reading, at the start */

static struct err read_record(struct federation *f, struct bytes plain)
{
    struct wire_reader r = wire_reader_of(plain);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes domain = wire_read_vector(&r);
    struct bytes pin = wire_read_fixed(&r, CREDENTIAL_FINGERPRINT_BYTES);
    struct bytes key = wire_read_vector(&r);
    uint64_t from_s = wire_read_u64(&r), until_s = wire_read_u64(&r), since_s = wire_read_u64(&r);
    TRY(wire_reader_end(&r));
    if (key.len != 32 || !err_is_ok(domain_check(domain, f->env->development)))
        return ERR(WIRE_VALUE);
    struct peer *peer = peer_get(f, domain);
    if (peer == NULL)
        return ERR(NO_MEMORY);
    peer_put(peer);
    memcpy(peer->pin, pin.data, pin.len);
    memcpy(peer->key.data, key.data, key.len);
    peer->key.len = key.len;
    peer->key_from_s = from_s;
    peer->key_until_s = until_s;
    peer->since_s = since_s;
    peer->pinned = peer->known = peer->greet = true;
    return ERR_OK;
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
    /* a damaged row is as good as none: its peer is seen for the first time again */
    return err_class_of(err) == ERR_CLASS_CALLER ? ERR_OK : err;
}

static struct err run_load(struct store_txn *txn, void *arg)
{
    struct stmt *s = stmt_use(txn, ALL);
    stmt_bind_u64(s, 1, PEERS_MOST / 2); /* room for others */
    TRY(stmt_each(s, map_row, arg));
    return kept_logs_load(arg, txn, KEPT_LOGS);
}

struct err kept_open(struct federation *f, const struct store_options *options)
{
    struct store_options o = *options;
    o.schema = &schema;
    TRY(keeper_storage_key(f->env->keeper, KEEPER_FEDERATION_ROWS, f->rows_key));
    TRY(keeper_storage_key(f->env->keeper, KEEPER_FEDERATION_IDS, f->ids_key));
    f->witness_statements = WITNESSED;
    TRY(store_open(&o, NULL, &f->store));
    return store_call(f->store, run_load, f);
}

/* ---- writing */

struct saving {
    uint8_t id[AT_REST_ID_BYTES];
    uint64_t day;
    struct buf sealed;
};

static void saving_free(struct saving *s)
{
    buf_clear(&s->sealed);
    free(s);
}

static struct err run_save(struct store_txn *txn, void *arg)
{
    const struct saving *s = arg;
    struct stmt *put = stmt_use(txn, PUT);
    stmt_bind_blob(put, 1, bytes_of(s->id, sizeof s->id));
    stmt_bind_u64(put, 2, s->day);
    stmt_bind_blob(put, 3, buf_view(&s->sealed));
    return stmt_run(put, NULL);
}

static void on_saved(void *arg, struct err result)
{
    (void)result; /* not kept: fetched again after the next start */
    saving_free(arg);
}

/* What stands in a row. */
struct record {
    const char *domain;
    const uint8_t *pin;
    const struct public_key *key;
    uint64_t from_s, until_s, since_s;
};

static struct err seal(const struct federation *f, const struct record *r, struct saving *s)
{
    struct buf plain = BUF_INIT;
    s->day = today(f);
    at_rest_prf(f->ids_key, BYTES_LIST(bytes_str("peer"), bytes_str(r->domain)), s->id);
    wire_write_u8(&plain, VERSION);
    wire_write_vector(&plain, bytes_str(r->domain));
    wire_write_fixed(&plain, bytes_of(r->pin, CREDENTIAL_FINGERPRINT_BYTES));
    wire_write_vector(&plain, public_key_view(r->key));
    wire_write_u64(&plain, r->from_s);
    wire_write_u64(&plain, r->until_s);
    wire_write_u64(&plain, r->since_s);
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = at_rest_seal(&s->sealed, f->rows_key, f->env->rng, bytes_of(s->id, sizeof s->id),
                           buf_view(&plain));
    buf_clear(&plain);
    return err;
}

void kept_save(const struct peer *peer)
{
    struct federation *f = peer->federation;
    struct saving *s = f->store != NULL ? calloc(1, sizeof *s) : NULL;
    if (s == NULL)
        return;
    const struct record r = {.domain = peer->domain,
                             .pin = peer->pin,
                             .key = &peer->key,
                             .from_s = peer->key_from_s,
                             .until_s = peer->key_until_s,
                             .since_s = peer->since_s};
    const struct store_work work = {.cost = 1, .run = run_save, .done = on_saved, .arg = s};
    if (!err_is_ok(seal(f, &r, s)) || !err_is_ok(store_submit(f->store, NULL, &work)))
        saving_free(s);
}

struct err kept_accept(struct peer *peer, const struct told_keys *told)
{
    struct federation *f = peer->federation;
    struct saving s = {.sealed = BUF_INIT};
    federation_lock(f);
    const struct record r = {.domain = peer->domain,
                             .pin = told->root,
                             .key = &told->key,
                             .from_s = told->from_s,
                             .until_s = told->until_s,
                             .since_s = peer->since_s};
    struct err err = seal(f, &r, &s);
    federation_unlock(f);
    if (err_is_ok(err))
        err = store_call(f->store, run_save, &s);
    buf_clear(&s.sealed);
    if (!err_is_ok(err))
        return err;
    federation_lock(f);
    keys_set(peer, told);
    federation_unlock(f);
    return ERR_OK;
}

/* ---- the end */

struct expiring {
    uint64_t before, gone;
};

static struct err run_expire(struct store_txn *txn, void *arg)
{
    struct expiring *e = arg;
    struct stmt *s = stmt_use(txn, OLD);
    stmt_bind_u64(s, 1, e->before);
    stmt_bind_u64(s, 2, EXPIRE_ROWS);
    return stmt_run(s, &e->gone);
}

static struct err run_expire_logs(struct store_txn *txn, void *arg)
{
    const struct expiring *e = arg;
    struct stmt *s = stmt_use(txn, KEPT_LOGS + KEPT_LOG_OLD);
    stmt_bind_u64(s, 1, e->before);
    stmt_bind_u64(s, 2, EXPIRE_ROWS);
    return stmt_run(s, NULL);
}

bool federation_expire(struct federation *f)
{
    uint64_t day = today(f);
    struct expiring e = {.before = day > KEPT_DAYS ? day - KEPT_DAYS : 0};
    struct err err = store_call(f->store, run_expire, &e);
    if (err_is_ok(err))
        err = store_call(f->store, run_expire_logs, &e);
    return err_is_ok(err) && e.gone == EXPIRE_ROWS;
}

struct store *federation_store(struct federation *f)
{
    return f->store;
}

void kept_close(struct federation *f)
{
    if (f->store != NULL)
        store_close(f->store);
    f->store = NULL;
    bytes_wipe(f->rows_key, sizeof f->rows_key);
    bytes_wipe(f->ids_key, sizeof f->ids_key);
}
