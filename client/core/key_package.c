/* Our KeyPackages. DB_KEY_PACKAGE, id tag:
 *
 *     struct { uint8 version = 1; opaque leaf_key<V>; opaque pseudonym[16];
 *              opaque leaf_identity_key[32]; opaque credential<V>; opaque reference<V>;
 *              opaque reference_signature<V>; opaque bundle<V>; uint8 last_resort;
 *              uint64 batch; uint64 made_ms; }
 *     batch: number of the task that published it
 */
#include "client/core/key_package.h"

#include "client/core/key_package_inside.h"
#include "mls/member/group_save.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1 };

void own_key_package_clear(struct own_key_package *p)
{
    chat_clear(&p->leaf);
    key_package_bundle_clear(&p->bundle);
    bytes_wipe(p, sizeof *p);
}

struct err key_package_put(struct db_txn *t, const struct own_key_package *p)
{
    struct buf b = BUF_INIT;
    const struct chat *leaf = &p->leaf;
    wire_write_u8(&b, ROW_VERSION);
    wire_write_vector(&b, secret_view(&leaf->leaf_key.private_key));
    wire_write_fixed(&b, bytes_of(leaf->pseudonym, sizeof leaf->pseudonym));
    wire_write_fixed(&b, bytes_of(leaf->leaf_identity_key, sizeof leaf->leaf_identity_key));
    wire_write_vector(&b, buf_view(&leaf->credential));
    wire_write_vector(&b, buf_view(&leaf->reference));
    wire_write_vector(&b, buf_view(&leaf->reference_signature));
    size_t mark = wire_vector_begin(&b);
    struct err err = key_package_bundle_write(&b, &p->bundle);
    wire_vector_end(&b, mark);
    wire_write_present(&b, p->last_resort);
    wire_write_u64(&b, p->batch);
    wire_write_u64(&b, p->made_ms);
    if (err_is_ok(err))
        err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_KEY_PACKAGE, bytes_of(leaf->tag, sizeof leaf->tag), buf_view(&b));
    buf_clear(&b);
    return err;
}

static void read_fixed(struct wire_reader *r, uint8_t *out, size_t len)
{
    struct bytes view = wire_read_fixed(r, len);
    if (view.len == len)
        memcpy(out, view.data, len);
}

static struct err read_row(struct bytes in, struct own_key_package *p)
{
    struct wire_reader r = wire_reader_of(in);
    struct chat *leaf = &p->leaf;
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes key = wire_read_vector(&r);
    read_fixed(&r, leaf->pseudonym, sizeof leaf->pseudonym);
    read_fixed(&r, leaf->leaf_identity_key, sizeof leaf->leaf_identity_key);
    buf_append_bytes(&leaf->credential, wire_read_vector(&r));
    buf_append_bytes(&leaf->reference, wire_read_vector(&r));
    buf_append_bytes(&leaf->reference_signature, wire_read_vector(&r));
    struct bytes bundle = wire_read_vector(&r);
    p->last_resort = wire_read_present(&r);
    p->batch = wire_read_u64(&r);
    p->made_ms = wire_read_u64(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    TRY(sig_key_init(chat_suite()->sig, key, &leaf->leaf_key));
    TRY(key_package_bundle_read(bundle, &p->bundle));
    TRY(key_package_ref(buf_view(&p->bundle.key_package), &p->ref));
    TRY(buf_check(&leaf->credential));
    TRY(buf_check(&leaf->reference));
    return buf_check(&leaf->reference_signature);
}

struct err key_package_by_tag(struct core *c, struct db_txn *t, const uint8_t tag[16],
                              struct own_key_package *ret_package)
{
    struct buf value = BUF_INIT;
    struct own_key_package p = {0};
    (void)c;
    struct err err = db_get(t, DB_KEY_PACKAGE, bytes_of(tag, 16), &value);
    if (err_is_ok(err))
        err = read_row(buf_view(&value), &p);
    buf_clear(&value);
    if (!err_is_ok(err)) {
        own_key_package_clear(&p);
        return err;
    }
    memcpy(p.leaf.tag, tag, 16);
    *ret_package = p;
    bytes_wipe(&p, sizeof p);
    return ERR_OK;
}

/* ---- what is left */

struct counting {
    struct db_txn *t;
    uint64_t newest; /* batch */
    size_t left;     /* of it, for one use */
    uint64_t now_ms, made_ms;
};

/* The head of a row is all that is asked for: keys are not made ready. */
static struct err read_facts(struct bytes value, bool *ret_last_resort, uint64_t *ret_batch,
                             uint64_t *ret_made_ms)
{
    enum { TAIL_BYTES = 1 + 8 + 8 };
    if (value.len < TAIL_BYTES)
        return ERR(STORE_CORRUPT);
    struct wire_reader r =
        wire_reader_of(bytes_of(value.data + value.len - TAIL_BYTES, TAIL_BYTES));
    *ret_last_resort = wire_read_present(&r);
    *ret_batch = wire_read_u64(&r);
    *ret_made_ms = wire_read_u64(&r);
    return err_is_ok(wire_reader_end(&r)) ? ERR_OK : ERR(STORE_CORRUPT);
}

static struct err count_one(void *arg, struct bytes id, struct bytes value)
{
    struct counting *n = arg;
    bool last_resort;
    uint64_t batch, made_ms;
    (void)id;
    TRY(read_facts(value, &last_resort, &batch, &made_ms));
    if (batch > n->newest) {
        n->newest = batch;
        n->made_ms = made_ms;
        n->left = 0;
    }
    n->left += batch == n->newest && !last_resort;
    return ERR_OK;
}

struct err key_package_left(struct core *c, struct db_txn *t, size_t *ret_left)
{
    struct counting n = {0};
    (void)c;
    TRY(db_each(t, DB_KEY_PACKAGE, count_one, &n));
    *ret_left = n.left;
    return ERR_OK;
}

struct err key_package_newest(struct core *c, struct db_txn *t, uint64_t *ret_made_ms)
{
    struct counting n = {0};
    (void)c;
    TRY(db_each(t, DB_KEY_PACKAGE, count_one, &n));
    *ret_made_ms = n.made_ms;
    return ERR_OK;
}

static struct err drop_old(void *arg, struct bytes id, struct bytes value)
{
    struct counting *n = arg;
    bool last_resort;
    uint64_t batch, made_ms;
    TRY(read_facts(value, &last_resort, &batch, &made_ms));
    if (made_ms + (uint64_t)KEY_PACKAGE_KEEP_S * 1000 < n->now_ms)
        return db_drop(n->t, DB_KEY_PACKAGE, id);
    return ERR_OK;
}

struct err key_package_forget_old(struct core *c, struct db_txn *t)
{
    struct counting n = {.t = t, .now_ms = core_now_ms(c)};
    return db_each(t, DB_KEY_PACKAGE, drop_old, &n);
}

struct err key_package_used(struct core *c, struct db_txn *t, const uint8_t tag[16])
{
    struct own_key_package p;
    size_t left = 0;
    struct err err = key_package_by_tag(c, t, tag, &p);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    bool last_resort = p.last_resort;
    own_key_package_clear(&p);
    if (last_resort)
        return key_package_publish(c, t);
    TRY(db_drop(t, DB_KEY_PACKAGE, bytes_of(tag, 16)));
    TRY(key_package_left(c, t, &left));
    return left < KEY_PACKAGES_LEAST ? key_package_publish(c, t) : ERR_OK;
}
