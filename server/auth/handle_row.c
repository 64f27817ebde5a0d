/* Rows of handles, which know no user.
 *
 *     handle.sealed  struct { opaque key[32]; opaque key_set<V>; }
 */
#include "server/auth/inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

void handle_clear(struct handle *handle)
{
    buf_clear(&handle->key_set);
    bytes_wipe(handle, sizeof *handle);
}

void handle_id(const struct auth *auth, struct bytes hash, uint8_t ret_id[AUTH_ID_BYTES])
{
    auth_id(auth, "handle", hash, ret_id);
}

static struct err parse(struct bytes plain, struct handle *handle)
{
    struct wire_reader r = wire_reader_of(plain);
    struct bytes key = wire_read_fixed(&r, CREDENTIAL_KEY_BYTES);
    buf_append_bytes(&handle->key_set, wire_read_vector(&r));
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    memcpy(handle->key, key.data, CREDENTIAL_KEY_BYTES);
    return buf_check(&handle->key_set);
}

struct find_handle {
    const struct auth *auth;
    struct handle *handle;
};

static struct err map(struct stmt *row, void *arg)
{
    const struct find_handle *find = arg;
    struct handle *handle = find->handle;
    struct buf plain = BUF_INIT;
    struct bytes sealed = stmt_blob(row, 0);
    handle->next_offer = stmt_u64(row, 1);
    handle->expires_day = stmt_u64(row, 2);
    TRY(stmt_row_check(row));
    struct err err =
        auth_unseal(find->auth, "handle", bytes_of(handle->id, AUTH_ID_BYTES), sealed, &plain);
    if (err_is_ok(err))
        err = parse(buf_view(&plain), handle);
    buf_clear(&plain);
    return err;
}

struct err handle_load(struct store_txn *txn, const struct auth *auth,
                       const uint8_t id[AUTH_ID_BYTES], uint64_t now_s, struct handle *ret_handle)
{
    struct handle handle = {0};
    struct find_handle find = {auth, &handle};
    memcpy(handle.id, id, AUTH_ID_BYTES);
    struct stmt *s = stmt_use(txn, HANDLE_FIND);
    stmt_bind_blob(s, 1, bytes_of(id, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, auth_day(now_s));
    struct err err = stmt_first(s, map, &find);
    if (err_is_ok(err))
        *ret_handle = handle;
    else
        handle_clear(&handle);
    return err;
}

static struct err seal(const struct auth *auth, const struct handle *handle, struct buf *sealed)
{
    struct buf plain = BUF_INIT;
    wire_write_fixed(&plain, bytes_of(handle->key, CREDENTIAL_KEY_BYTES));
    wire_write_vector(&plain, buf_view(&handle->key_set));
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = auth_seal(auth, "handle", bytes_of(handle->id, AUTH_ID_BYTES), buf_view(&plain),
                        sealed);
    buf_clear(&plain);
    return err;
}

struct err handle_insert(struct store_txn *txn, const struct auth *auth,
                         const struct handle *handle)
{
    struct buf sealed = BUF_INIT;
    struct err err = seal(auth, handle, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, HANDLE_INSERT);
        stmt_bind_blob(s, 1, bytes_of(handle->id, AUTH_ID_BYTES));
        stmt_bind_blob(s, 2, buf_view(&sealed));
        stmt_bind_u64(s, 3, handle->expires_day);
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

struct err handle_update(struct store_txn *txn, const struct auth *auth,
                         const struct handle *handle)
{
    struct buf sealed = BUF_INIT;
    struct err err = seal(auth, handle, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, HANDLE_KEY);
        stmt_bind_blob(s, 1, buf_view(&sealed));
        stmt_bind_blob(s, 2, bytes_of(handle->id, AUTH_ID_BYTES));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

struct err handle_delete(struct store_txn *txn, const uint8_t id[AUTH_ID_BYTES])
{
    TRY(auth_run_by_id(txn, PACKAGE_CLEAR, id));
    TRY(auth_run_by_id(txn, OFFER_CLEAR, id));
    return auth_run_by_id(txn, HANDLE_DELETE, id);
}

struct err handle_caller(const struct auth *auth, struct hearth_call *call, struct bytes hash,
                         uint8_t ret_id[AUTH_ID_BYTES])
{
    const struct front_caller *caller = front_caller(call);
    if (caller->kind != REQUEST_HANDLE || !bytes_equal(caller->id, hash))
        return ERR(FRONT_UNAUTHENTICATED);
    handle_id(auth, hash, ret_id);
    return ERR_OK;
}

void handle_place(const uint8_t handle[AUTH_ID_BYTES], uint64_t number,
                  uint8_t ret_place[HANDLE_PLACE_BYTES])
{
    memcpy(ret_place, handle, AUTH_ID_BYTES);
    for (int i = 0; i < 8; i++)
        ret_place[AUTH_ID_BYTES + i] = (uint8_t)(number >> (56 - 8 * i));
}
