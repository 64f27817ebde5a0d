/* Connection packages of handles. DB_HANDLE_PACKAGE, id package hash:
 *
 *     struct { uint8 version = 1; opaque handle_hash[32]; opaque private_key<V>;
 *              opaque public_key<V>; uint64 not_after; uint8 last_resort; }
 */
#include "client/core/handle_inside.h"
#include "client/core/queue.h"
#include "hearth/v1/auth.pb-c.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    ROW_VERSION = 1,
    KEEP_S = 30 * 24 * 3600, /* offers wait so long at the homeserver */
    SHARED_VERSION = 1,
    SHARED_MAX_BYTES = 32768
};

struct half {
    uint8_t handle[HANDLE_HASH_BYTES];
    struct secret private_key;
    struct public_key public_key;
    uint64_t not_after;
    bool last_resort;
};

static void half_write(struct buf *b, const struct half *h)
{
    wire_write_u8(b, ROW_VERSION);
    wire_write_fixed(b, bytes_of(h->handle, sizeof h->handle));
    wire_write_vector(b, secret_view(&h->private_key));
    wire_write_vector(b, public_key_view(&h->public_key));
    wire_write_u64(b, h->not_after);
    wire_write_present(b, h->last_resort);
}

static struct err half_read(struct bytes in, struct half *ret_half)
{
    struct wire_reader r = wire_reader_of(in);
    struct half h = {0};
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes handle = wire_read_fixed(&r, sizeof h.handle);
    struct bytes private_key = wire_read_vector(&r);
    struct bytes public_key = wire_read_vector(&r);
    h.not_after = wire_read_u64(&r);
    h.last_resort = wire_read_present(&r);
    TRY(wire_reader_end(&r));
    if (public_key.len > sizeof h.public_key.data)
        return ERR(WIRE_LIMIT);
    memcpy(h.handle, handle.data, sizeof h.handle);
    if (public_key.len > 0)
        memcpy(h.public_key.data, public_key.data, public_key.len);
    h.public_key.len = public_key.len;
    TRY(secret_set(private_key, &h.private_key));
    *ret_half = h;
    bytes_wipe(&h, sizeof h);
    return ERR_OK;
}

static struct err half_put(struct db_txn *t, struct bytes package_hash, const struct half *h)
{
    struct buf b = BUF_INIT;
    half_write(&b, h);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_HANDLE_PACKAGE, package_hash, buf_view(&b));
    buf_clear(&b);
    return err;
}

static struct err half_get(struct db_txn *t, struct bytes package_hash, struct half *ret_half)
{
    struct buf value = BUF_INIT;
    struct err err = db_get(t, DB_HANDLE_PACKAGE, package_hash, &value);
    if (err_is_ok(err) && !err_is_ok(half_read(buf_view(&value), ret_half)))
        err = ERR(STORE_CORRUPT);
    buf_clear(&value);
    return err;
}

struct err handle_package_get(struct core *c, struct db_txn *t, struct bytes package_hash,
                              struct secret *ret_private, struct public_key *ret_public)
{
    struct half h;
    (void)c;
    TRY(half_get(t, package_hash, &h));
    *ret_private = h.private_key;
    *ret_public = h.public_key;
    bytes_wipe(&h, sizeof h);
    return ERR_OK;
}

/* ---- publishing */

/* A package with its private half; appended to b. */
static struct err make_one(struct core *c, struct db_txn *t, const struct handle_row *row,
                           const struct sig_key *key, bool last_resort, struct buf *b)
{
    uint64_t now = core_now_ms(c) / 1000;
    struct half h = {.last_resort = last_resort};
    uint8_t hash[32];
    size_t from = b->len;
    memcpy(h.handle, row->hash, sizeof h.handle);
    h.not_after = now + (uint64_t)HANDLE_PACKAGE_DAYS * 24 * 3600;
    struct err err = kem_generate(&kem_x25519, c->rng, &h.private_key, &h.public_key);
    struct connection_package fields = {
        .hpke_key = public_key_view(&h.public_key),
        .not_before = now - 3600, /* clocks differ */
        .not_after = h.not_after,
        .handle_hash = row->hash,
        .last_resort = last_resort,
    };
    if (err_is_ok(err))
        err = connection_package_make(b, &fields, key);
    if (err_is_ok(err)) {
        connection_package_hash(bytes_of(b->data + from, b->len - from), hash);
        err = half_put(t, bytes_of(hash, sizeof hash), &h);
    }
    bytes_wipe(&h, sizeof h);
    return err;
}

struct err handle_packages_make(struct core *c, struct db_txn *t, const struct handle_row *row,
                                const struct sig_key *key, struct handle_packages *ret_packages)
{
    struct handle_packages p = {.all = BUF_INIT};
    size_t ends[HANDLE_PACKAGES_ALL];
    struct err err = ERR_OK;
    for (size_t i = 0; i < HANDLE_PACKAGES_ALL && err_is_ok(err); i++) {
        err = make_one(c, t, row, key, i == HANDLE_PACKAGES_ALL - 1, &p.all);
        ends[i] = p.all.len;
    }
    if (!err_is_ok(err)) {
        buf_clear(&p.all);
        return err;
    }
    for (size_t i = 0, from = 0; i < HANDLE_PACKAGES_ALL; from = ends[i], i++)
        p.rows[i] = core_out(bytes_of(p.all.data + from, ends[i] - from));
    *ret_packages = p;
    return ERR_OK;
}

static struct err make_request(struct core *c, struct db_txn *t, const struct task *task,
                               const struct handle_row *row, struct task_call *call)
{
    Hearth__V1__PublishConnectionPackagesRequest in;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    struct handle_packages packages;
    TRY(handle_packages_make(c, t, row, &row->key, &packages));
    hearth__v1__publish_connection_packages_request__init(&in);
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.handle_hash = core_out(bytes_of(row->hash, sizeof row->hash));
    in.packages = packages.rows;
    in.n_packages = HANDLE_PACKAGES_ALL;
    struct err err = task_call_request(call, "Auth", "PublishConnectionPackages", &in.base);
    buf_clear(&packages.all);
    return err;
}

struct err handle_packages_call(struct core *c, struct db_txn *t, struct task *task,
                                struct handle_row *row, struct buf *request, struct task_call *call)
{
    if (request->len != 0) { /* a repeat says the same */
        call->endpoint = api_endpoint("Auth", "PublishConnectionPackages");
        buf_append_bytes(&call->request, buf_view(request));
        return buf_check(&call->request);
    }
    TRY(make_request(c, t, task, row, call));
    buf_append_bytes(request, buf_view(&call->request));
    return buf_check(request);
}

struct cleaning {
    struct db_txn *t;
    uint64_t now;
    const uint8_t *handle; /* all of this one; NULL: those that are over */
};

static struct err clean_one(void *arg, struct bytes id, struct bytes value)
{
    const struct cleaning *k = arg;
    struct half h;
    if (!err_is_ok(half_read(value, &h)))
        return ERR(STORE_CORRUPT);
    bool over = k->handle != NULL ? memcmp(h.handle, k->handle, sizeof h.handle) == 0
                                  : h.not_after + KEEP_S < k->now;
    bytes_wipe(&h, sizeof h);
    return over ? db_drop(k->t, DB_HANDLE_PACKAGE, id) : ERR_OK;
}

struct err handle_published(struct core *c, struct db_txn *t, struct handle_row *row)
{
    struct cleaning k = {.t = t, .now = core_now_ms(c) / 1000};
    row->published_ms = core_now_ms(c);
    row->packages_used = 0;
    TRY(db_each(t, DB_HANDLE_PACKAGE, clean_one, &k));
    return handle_put(t, row);
}

struct err handle_drop(struct db_txn *t, const uint8_t hash[HANDLE_HASH_BYTES])
{
    struct cleaning k = {.t = t, .handle = hash};
    TRY(db_each(t, DB_HANDLE_PACKAGE, clean_one, &k));
    return db_drop(t, DB_HANDLE, bytes_of(hash, HANDLE_HASH_BYTES));
}

/* ---- shared with our other devices
 *     struct { uint8 version = 1; struct { opaque hash[32]; opaque local<V>; opaque key<V>;
 *              opaque key_set<V>; uint64 offers; struct { opaque hash[32]; opaque half<V>; }
 *              packages<V>; } handles<V>; } */

struct sharing {
    struct db_txn *t;
    struct buf *b;
    const uint8_t *handle;
};

static struct err share_half(void *arg, struct bytes id, struct bytes value)
{
    const struct sharing *s = arg;
    struct half h;
    if (!err_is_ok(half_read(value, &h)))
        return ERR(STORE_CORRUPT);
    bool its = memcmp(h.handle, s->handle, sizeof h.handle) == 0;
    bytes_wipe(&h, sizeof h);
    if (its && s->b->len + value.len < SHARED_MAX_BYTES) {
        wire_write_fixed(s->b, id);
        wire_write_vector(s->b, value);
    }
    return ERR_OK;
}

static struct err share_one(void *arg, const struct handle_row *row)
{
    struct sharing *s = arg;
    if (row->state != HANDLE_OURS || s->b->len + 1024 > SHARED_MAX_BYTES)
        return ERR_OK;
    s->handle = row->hash;
    wire_write_fixed(s->b, bytes_of(row->hash, sizeof row->hash));
    wire_write_vector(s->b, bytes_str(row->local));
    wire_write_vector(s->b, secret_view(&row->key.private_key));
    wire_write_vector(s->b, buf_view(&row->key_set));
    wire_write_u64(s->b, row->offers);
    size_t mark = wire_vector_begin(s->b);
    struct err err = db_each(s->t, DB_HANDLE_PACKAGE, share_half, s);
    wire_vector_end(s->b, mark);
    return err;
}

struct err handles_write(struct core *c, struct db_txn *t, struct buf *b)
{
    struct sharing s = {.t = t, .b = b};
    wire_write_u8(b, SHARED_VERSION);
    size_t mark = wire_vector_begin(b);
    struct err err = handle_each(c, t, share_one, &s);
    wire_vector_end(b, mark);
    TRY(err);
    return buf_check(b);
}

static struct err take_halves(struct db_txn *t, struct wire_reader *r)
{
    while (wire_reader_more(r)) {
        struct bytes hash = wire_read_fixed(r, 32);
        struct bytes value = wire_read_vector(r);
        struct half h;
        TRY(wire_reader_check(r));
        TRY(half_read(value, &h));
        struct err err = half_put(t, hash, &h);
        bytes_wipe(&h, sizeof h);
        TRY(err);
    }
    return ERR_OK;
}

/* Ours stays, unless another device has given it another key since. */
static struct err take_newer(struct core *c, struct db_txn *t, struct handle_row *there,
                             struct bytes key, struct bytes key_set)
{
    struct handle_row told = {.state = HANDLE_OURS};
    uint32_t held = 0, version = 0;
    buf_append_bytes(&told.key_set, key_set);
    struct err err = buf_check(&told.key_set);
    if (err_is_ok(err))
        err = handle_version(there, &held);
    if (err_is_ok(err))
        err = handle_version(&told, &version);
    if (err_is_ok(err) && version > held) {
        sig_key_clear(&there->key);
        err = sig_key_init(&sig_ed25519, key, &there->key);
        if (err_is_ok(err)) {
            buf_clear(&there->key_set);
            there->key_set = told.key_set;
            told.key_set = BUF_INIT;
            err = handle_put(t, there);
            queue_handles_changed(c);
        }
    }
    handle_row_clear(&told);
    return err;
}

static struct err take_handle(struct core *c, struct db_txn *t, struct wire_reader *r)
{
    struct handle_row row = {.state = HANDLE_OURS}, there = {0};
    struct bytes hash = wire_read_fixed(r, HANDLE_HASH_BYTES);
    struct bytes local = wire_read_vector(r);
    struct bytes key = wire_read_vector(r);
    struct bytes key_set = wire_read_vector(r);
    row.offers = wire_read_u64(r);
    struct wire_reader halves = wire_read_nested(r);
    TRY(wire_reader_check(r));
    TRY(handle_check(local));
    TRY(take_halves(t, &halves));
    struct err err = handle_get(t, hash.data, &there);
    if (err_is_ok(err)) {
        err = take_newer(c, t, &there, key, key_set);
        handle_row_clear(&there);
        return err;
    }
    if (err.code != ERR_NOT_FOUND)
        return err;
    memcpy(row.hash, hash.data, sizeof row.hash);
    memcpy(row.local, local.data, local.len);
    row.published_ms = core_now_ms(c);
    buf_append_bytes(&row.key_set, key_set);
    err = buf_check(&row.key_set);
    if (err_is_ok(err))
        err = sig_key_init(&sig_ed25519, key, &row.key);
    if (err_is_ok(err))
        err = handle_put(t, &row);
    handle_row_clear(&row);
    return err;
}

struct err handles_take(struct core *c, struct db_txn *t, struct bytes in)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != SHARED_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct wire_reader handles = wire_read_nested(&r);
    TRY(wire_reader_end(&r));
    while (wire_reader_more(&handles))
        TRY(take_handle(c, t, &handles));
    return wire_reader_end(&handles);
}
