/* Rows of users.
 *
 *     user.sealed    struct { opaque name<V>; opaque key_set<V>; opaque profile<V>; opaque
 *                    staged<V>; }                        the last two: id at rest, or empty */
#include <stdlib.h>

#include "server/auth/inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

void user_clear(struct user *user)
{
    buf_clear(&user->name);
    buf_clear(&user->key_set);
    bytes_wipe(user, sizeof *user);
}

void user_id(const struct auth *auth, struct bytes name, uint8_t ret_id[AUTH_ID_BYTES])
{
    auth_id(auth, "user", name, ret_id);
}

static bool read_profile(struct wire_reader *r, uint8_t id[AUTH_ID_BYTES])
{
    struct bytes view = wire_read_vector(r);
    if (view.len == 0)
        return false;
    if (view.len != AUTH_ID_BYTES) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return false;
    }
    memcpy(id, view.data, AUTH_ID_BYTES);
    return true;
}

static struct err user_parse(struct bytes plain, struct user *user)
{
    struct wire_reader r = wire_reader_of(plain);
    buf_append_bytes(&user->name, wire_read_vector(&r));
    buf_append_bytes(&user->key_set, wire_read_vector(&r));
    user->has_profile = read_profile(&r, user->profile);
    user->has_staged = read_profile(&r, user->staged);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    TRY(buf_check(&user->name));
    return buf_check(&user->key_set);
}

struct err user_load(struct store_txn *txn, const struct auth *auth,
                     const uint8_t id[AUTH_ID_BYTES], struct user *ret_user)
{
    struct buf sealed = BUF_INIT, plain = BUF_INIT;
    struct user user = {0};
    memcpy(user.id, id, AUTH_ID_BYTES);
    struct stmt *s = stmt_use(txn, USER_FIND);
    stmt_bind_blob(s, 1, bytes_of(id, AUTH_ID_BYTES));
    struct err err;
    TRY_OR(stmt_first(s, auth_map_blob, &sealed), err, out);
    TRY_OR(auth_unseal(auth, "user", bytes_of(id, AUTH_ID_BYTES), buf_view(&sealed), &plain), err,
           out);
    TRY_OR(user_parse(buf_view(&plain), &user), err, out);
    *ret_user = user;
out:
    if (!err_is_ok(err))
        user_clear(&user);
    buf_clear(&plain);
    buf_clear(&sealed);
    return err;
}

static struct err user_seal(const struct auth *auth, const struct user *user, struct buf *sealed)
{
    struct buf plain = BUF_INIT;
    wire_write_vector(&plain, buf_view(&user->name));
    wire_write_vector(&plain, buf_view(&user->key_set));
    wire_write_vector(&plain, bytes_of(user->profile, user->has_profile ? AUTH_ID_BYTES : 0));
    wire_write_vector(&plain, bytes_of(user->staged, user->has_staged ? AUTH_ID_BYTES : 0));
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = auth_seal(auth, "user", bytes_of(user->id, AUTH_ID_BYTES), buf_view(&plain), sealed);
    buf_clear(&plain);
    return err;
}

struct err user_insert(struct store_txn *txn, const struct auth *auth, const struct user *user,
                       uint64_t unused_hour)
{
    struct buf sealed = BUF_INIT;
    struct err err = user_seal(auth, user, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, USER_INSERT);
        stmt_bind_blob(s, 1, bytes_of(user->id, AUTH_ID_BYTES));
        stmt_bind_blob(s, 2, buf_view(&sealed));
        stmt_bind_u64(s, 3, unused_hour);
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

struct err user_update(struct store_txn *txn, const struct auth *auth, const struct user *user)
{
    struct buf sealed = BUF_INIT;
    struct err err = user_seal(auth, user, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, USER_UPDATE);
        stmt_bind_blob(s, 1, buf_view(&sealed));
        stmt_bind_blob(s, 2, bytes_of(user->id, AUTH_ID_BYTES));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

/* Clients are collected first: a statement is not stepped while another changes its table. */
struct doomed {
    struct client *clients; /* KEY_SET_CLIENTS_MAX */
    size_t count;
};

static struct err note_doomed(const struct client *client, void *arg)
{
    struct doomed *doomed = arg;
    if (doomed->count == KEY_SET_CLIENTS_MAX)
        return ERR(STORE_CORRUPT);
    doomed->clients[doomed->count] = *client;
    doomed->clients[doomed->count].credential = BUF_INIT; /* not ours */
    doomed->count++;
    return ERR_OK;
}

struct err user_delete(struct store_txn *txn, const struct auth *auth, const struct user *user,
                       uint64_t now_s)
{
    struct doomed doomed = {calloc(KEY_SET_CLIENTS_MAX, sizeof(struct client)), 0};
    if (doomed.clients == NULL)
        return ERR(NO_MEMORY);
    struct err err = client_each(txn, auth, user->id, note_doomed, &doomed);
    for (size_t i = 0; err_is_ok(err) && i < doomed.count; i++)
        err = client_delete(txn, auth, &doomed.clients[i], now_s);
    bytes_wipe(doomed.clients, KEY_SET_CLIENTS_MAX * sizeof(struct client));
    free(doomed.clients);
    TRY(err);
    if (user->has_profile)
        TRY(auth_run_by_id(txn, PROFILE_DELETE, user->profile));
    if (user->has_staged)
        TRY(auth_run_by_id(txn, PROFILE_DELETE, user->staged));
    TRY(auth_run_by_id(txn, SUSPENDED_DROP, user->id));
    TRY(auth_run_by_id(txn, TOKEN_GRANT_CLEAR, user->id));
    TRY(auth_run_by_id(txn, TOKEN_SINCE_DROP, user->id));
    return auth_run_by_id(txn, USER_DELETE, user->id);
}
