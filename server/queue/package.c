#include "server/queue/package.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { PACKAGE_VERSION = 1 };

static struct err package_parse(struct bytes in, struct package *package)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != PACKAGE_VERSION)
        wire_reader_fail(&r, ERR_STORE_TYPE);
    package->published = wire_read_u32(&r);
    package->not_after = wire_read_u64(&r);
    package->ref = wire_read_vector(&r);
    package->bundle = wire_read_vector(&r);
    return wire_reader_end(&r);
}

struct err package_add(struct store_txn *txn, const struct queue *q, const struct package *package)
{
    struct buf plain = BUF_INIT, sealed = BUF_INIT;
    wire_write_u8(&plain, PACKAGE_VERSION);
    wire_write_u32(&plain, package->published);
    wire_write_u64(&plain, package->not_after);
    wire_write_vector(&plain, package->ref);
    wire_write_vector(&plain, package->bundle);
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = queue_seal(q, &sealed, "key_package", package->key, bytes_of(NULL, 0),
                         buf_view(&plain));
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, SQL_PACKAGE_ADD);
        stmt_bind_u64(s, 1, package->key);
        stmt_bind_u64(s, 2, package->not_after / QUEUE_DAY_S);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&plain);
    buf_clear(&sealed);
    return err;
}

struct err package_clear(struct store_txn *txn, uint64_t client)
{
    struct stmt *s = stmt_use(txn, SQL_PACKAGE_SWEEP);
    stmt_bind_u64(s, 1, queue_row_key(client, 0));
    stmt_bind_u64(s, 2, queue_row_key(client, QUEUE_SEQUENCE_MOST));
    return stmt_run(s, NULL);
}

static struct err map_count(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

struct err package_count(struct store_txn *txn, uint64_t client, uint64_t now_s,
                         uint64_t *ret_count)
{
    struct stmt *s = stmt_use(txn, SQL_PACKAGE_COUNT);
    stmt_bind_u64(s, 1, queue_row_key(client, 1));
    stmt_bind_u64(s, 2, queue_row_key(client, QUEUE_SEQUENCE_MOST));
    stmt_bind_u64(s, 3, now_s / QUEUE_DAY_S);
    return stmt_first(s, map_count, ret_count);
}

struct loading {
    const struct queue *q;
    struct buf *b;
    uint64_t key;
};

static struct err map_package(struct stmt *row, void *arg)
{
    struct loading *l = arg;
    l->key = stmt_u64(row, 0);
    struct bytes sealed = stmt_blob(row, 2);
    TRY(stmt_row_check(row));
    return queue_open_sealed(l->q, l->b, "key_package", l->key, bytes_of(NULL, 0), sealed);
}

/* The package of a statement; earlier contents of b go. */
static struct err load(struct stmt *s, const struct queue *q, struct buf *b,
                       struct package *ret_package)
{
    struct loading l = {.q = q, .b = b};
    buf_clear(b);
    TRY(stmt_first(s, map_package, &l));
    struct package package = {.key = l.key};
    TRY(package_parse(buf_view(b), &package));
    *ret_package = package;
    return ERR_OK;
}

static struct err remove_row(struct store_txn *txn, uint64_t key)
{
    struct stmt *s = stmt_use(txn, SQL_PACKAGE_DELETE);
    stmt_bind_u64(s, 1, key);
    return stmt_run(s, NULL);
}

struct err package_take(struct store_txn *txn, const struct queue *q, uint64_t client,
                        uint64_t now_s, struct buf *b, struct package *ret_package)
{
    struct package package;
    do { /* those that ended today are deleted on the way */
        struct stmt *s = stmt_use(txn, SQL_PACKAGE_FIRST);
        stmt_bind_u64(s, 1, queue_row_key(client, 1));
        stmt_bind_u64(s, 2, queue_row_key(client, QUEUE_SEQUENCE_MOST));
        stmt_bind_u64(s, 3, now_s / QUEUE_DAY_S);
        TRY(load(s, q, b, &package));
        TRY(remove_row(txn, package.key));
    } while (package.not_after < now_s);
    *ret_package = package;
    return ERR_OK;
}

struct err package_last_resort(struct store_txn *txn, const struct queue *q, uint64_t client,
                               uint64_t now_s, struct buf *b, struct package *ret_package)
{
    struct package package;
    struct stmt *s = stmt_use(txn, SQL_PACKAGE_GET);
    stmt_bind_u64(s, 1, queue_row_key(client, 0));
    TRY(load(s, q, b, &package));
    if (package.not_after < now_s)
        return ERR(NOT_FOUND);
    *ret_package = package;
    return ERR_OK;
}
