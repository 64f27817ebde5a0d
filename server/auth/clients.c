/* Rows of clients.
 *
 *     client.sealed  struct { opaque uuid[16]; opaque key[32]; opaque credential<V>;
 *                    struct { opaque fingerprint[32]; uint64 not_after; } credentials<V>; }
 */
#include "server/auth/inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

void client_clear(struct client *client)
{
    buf_clear(&client->credential);
    bytes_wipe(client, sizeof *client);
}

static struct err client_parse(struct bytes plain, struct client *client)
{
    struct wire_reader r = wire_reader_of(plain);
    struct bytes uuid = wire_read_fixed(&r, UUID_BYTES);
    struct bytes key = wire_read_fixed(&r, CREDENTIAL_KEY_BYTES);
    buf_append_bytes(&client->credential, wire_read_vector(&r));
    struct wire_reader list = wire_read_nested(&r);
    while (wire_reader_more(&list) && client->credential_count < CLIENT_CREDENTIALS_MOST) {
        struct client_credential *c = &client->credentials[client->credential_count++];
        struct bytes fingerprint = wire_read_fixed(&list, CREDENTIAL_FINGERPRINT_BYTES);
        if (fingerprint.len == CREDENTIAL_FINGERPRINT_BYTES)
            memcpy(c->fingerprint, fingerprint.data, fingerprint.len);
        c->not_after = wire_read_u64(&list);
    }
    wire_reader_join(&r, &list);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    memcpy(client->uuid, uuid.data, UUID_BYTES);
    memcpy(client->key, key.data, CREDENTIAL_KEY_BYTES);
    return buf_check(&client->credential);
}

/* A row of CLIENT_FIND or CLIENT_LIST: sealed, the other id, seen_month, suspended. */
struct client_row {
    const struct auth *auth;
    struct client *client;
    uint8_t *other; /* where the other id goes */
};

static struct err map_client(struct stmt *row, void *arg)
{
    const struct client_row *to = arg;
    struct client *client = to->client;
    stmt_fixed(row, 1, to->other, AUTH_ID_BYTES);
    client->seen_month = stmt_u64(row, 2);
    client->suspended = stmt_u64(row, 3) != 0;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    struct buf plain = BUF_INIT;
    struct err err =
        auth_unseal(to->auth, "client", bytes_of(client->id, AUTH_ID_BYTES), sealed, &plain);
    if (err_is_ok(err))
        err = client_parse(buf_view(&plain), client);
    buf_clear(&plain);
    return err;
}

struct err client_load(struct store_txn *txn, const struct auth *auth,
                       const uint8_t id[AUTH_ID_BYTES], struct client *ret_client)
{
    struct client client = {0};
    memcpy(client.id, id, AUTH_ID_BYTES);
    struct stmt *s = stmt_use(txn, CLIENT_FIND);
    stmt_bind_blob(s, 1, bytes_of(id, AUTH_ID_BYTES));
    struct client_row row = {auth, &client, client.user};
    struct err err = stmt_first(s, map_client, &row);
    if (err_is_ok(err))
        *ret_client = client;
    else
        client_clear(&client);
    return err;
}

struct each_client {
    const struct auth *auth;
    const uint8_t *user;
    struct err (*each)(const struct client *client, void *arg);
    void *arg;
};

static struct err map_each(struct stmt *row, void *arg)
{
    const struct each_client *each = arg;
    struct client client = {0};
    memcpy(client.user, each->user, AUTH_ID_BYTES);
    struct client_row to = {each->auth, &client, client.id};
    struct err err = map_client(row, &to);
    if (err_is_ok(err))
        err = each->each(&client, each->arg);
    client_clear(&client);
    return err;
}

struct err client_each(struct store_txn *txn, const struct auth *auth,
                       const uint8_t user[AUTH_ID_BYTES],
                       struct err (*each)(const struct client *client, void *arg), void *arg)
{
    struct each_client rows = {auth, user, each, arg};
    struct stmt *s = stmt_use(txn, CLIENT_LIST);
    stmt_bind_blob(s, 1, bytes_of(user, AUTH_ID_BYTES));
    return stmt_each(s, map_each, &rows);
}

struct err client_add_credential(struct client *client, struct bytes credential, uint64_t now_s)
{
    struct credential parsed;
    TRY(credential_parse(credential, &parsed));
    size_t kept = 0;
    for (size_t i = 0; i < client->credential_count; i++)
        if (client->credentials[i].not_after >= now_s)
            client->credentials[kept++] = client->credentials[i];
    client->credential_count = kept;
    if (kept == CLIENT_CREDENTIALS_MOST)
        return ERR(QUOTA);
    credential_fingerprint(credential, client->credentials[kept].fingerprint);
    client->credentials[kept].not_after = parsed.not_after;
    client->credential_count++;
    buf_clear(&client->credential);
    buf_append_bytes(&client->credential, credential);
    return buf_check(&client->credential);
}

static struct err client_seal(const struct auth *auth, const struct client *client,
                              struct buf *sealed)
{
    struct buf plain = BUF_INIT;
    wire_write_fixed(&plain, bytes_of(client->uuid, UUID_BYTES));
    wire_write_fixed(&plain, bytes_of(client->key, CREDENTIAL_KEY_BYTES));
    wire_write_vector(&plain, buf_view(&client->credential));
    size_t mark = wire_vector_begin(&plain);
    for (size_t i = 0; i < client->credential_count; i++) {
        wire_write_fixed(
            &plain, bytes_of(client->credentials[i].fingerprint, CREDENTIAL_FINGERPRINT_BYTES));
        wire_write_u64(&plain, client->credentials[i].not_after);
    }
    wire_vector_end(&plain, mark);
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = auth_seal(auth, "client", bytes_of(client->id, AUTH_ID_BYTES), buf_view(&plain),
                        sealed);
    buf_clear(&plain);
    return err;
}

struct err client_insert(struct store_txn *txn, const struct auth *auth,
                         const struct client *client, bool *ret_fresh)
{
    struct buf sealed = BUF_INIT;
    uint64_t changes = 0;
    struct err err = client_seal(auth, client, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, CLIENT_INSERT);
        stmt_bind_blob(s, 1, bytes_of(client->id, AUTH_ID_BYTES));
        stmt_bind_blob(s, 2, bytes_of(client->user, AUTH_ID_BYTES));
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, &changes);
    }
    buf_clear(&sealed);
    TRY(err);
    *ret_fresh = changes == 1;
    return ERR_OK;
}

struct err client_update(struct store_txn *txn, const struct auth *auth,
                         const struct client *client)
{
    struct buf sealed = BUF_INIT;
    struct err err = client_seal(auth, client, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, CLIENT_UPDATE);
        stmt_bind_blob(s, 1, buf_view(&sealed));
        stmt_bind_blob(s, 2, bytes_of(client->id, AUTH_ID_BYTES));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

struct err client_delete(struct store_txn *txn, const struct auth *auth,
                         const struct client *client, uint64_t now_s)
{
    (void)auth;
    for (size_t i = 0; i < client->credential_count; i++)
        if (client->credentials[i].not_after >= now_s)
            TRY(revoke(txn, client->credentials[i].fingerprint, client->credentials[i].not_after));
    return auth_run_by_id(txn, CLIENT_DELETE, client->id);
}

struct err client_seen(struct store_txn *txn, const uint8_t id[AUTH_ID_BYTES],
                       const uint8_t user[AUTH_ID_BYTES], uint64_t now_s)
{
    uint64_t changes = 0;
    struct stmt *s = stmt_use(txn, CLIENT_SEEN);
    stmt_bind_u64(s, 1, auth_month(now_s));
    stmt_bind_blob(s, 2, bytes_of(id, AUTH_ID_BYTES));
    TRY(stmt_run(s, &changes));
    return changes == 0 ? ERR_OK : auth_run_by_id(txn, USER_USED, user);
}

struct err client_caller(const struct auth *auth, struct hearth_call *call,
                         struct client_caller *ret_caller)
{
    const struct front_caller *caller = front_caller(call);
    struct client_caller c;
    /* The key source took this id apart before: an id that can't be read has no key. */
    if (caller->kind != REQUEST_CLIENT || !err_is_ok(client_id_parse(caller->id, &c.name)))
        return ERR(FRONT_UNAUTHENTICATED);
    c.user = bytes_of(caller->id.data, caller->id.len - UUID_BYTES);
    auth_id(auth, "client", caller->id, c.id);
    user_id(auth, c.user, c.user_id);
    *ret_caller = c;
    return ERR_OK;
}
