#include "server/queue/record.h"

#include "seal/sealed_ref.h"
#include "server/front/limit.h"
#include "server/queue/revoked.h"
#include "server/queue/state.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { RECORD_VERSION = 1, ROW_TRIES = 32 };

void queue_user_clear(struct queue_user *user)
{
    bytes_wipe(user, sizeof *user);
}

void queue_client_clear(struct queue_client *client)
{
    bytes_wipe(client, sizeof *client);
}

struct err queue_check_auth_key(ProtobufCBinaryData key)
{
    return sig_check_public(&sig_ed25519, bytes_of(key.data, key.len));
}

struct err queue_client_settings(const Hearth__V1__QueueClientSettings *in,
                                 struct queue_client *client)
{
    TRY(queue_check_auth_key(in->auth_key));
    if (in->queue_key.len != seal_hpke->kem->public_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    if (in->auth_key.len > sizeof client->auth_key ||
        in->queue_key.len > sizeof client->queue_key ||
        in->sealed_push_token.len > sizeof client->push_token)
        return ERR(TOO_LARGE);
    memcpy(client->auth_key, in->auth_key.data, in->auth_key.len);
    client->auth_key_len = in->auth_key.len;
    memcpy(client->queue_key, in->queue_key.data, in->queue_key.len);
    client->queue_key_len = in->queue_key.len;
    if (in->sealed_push_token.len != 0)
        memcpy(client->push_token, in->sealed_push_token.data, in->sealed_push_token.len);
    client->push_token_len = in->sealed_push_token.len;
    client->policy = (uint8_t)in->notification_policy;
    return ERR_OK;
}

/* ---- wire form */

static void read_key(struct wire_reader *r, uint8_t *out, size_t room, size_t *ret_len)
{
    struct bytes v = wire_read_vector(r);
    if (v.len > room) {
        wire_reader_fail(r, ERR_STORE_TYPE);
        return;
    }
    if (v.len != 0)
        memcpy(out, v.data, v.len);
    *ret_len = v.len;
}

static void read_fixed(struct wire_reader *r, uint8_t *out, size_t len)
{
    struct bytes v = wire_read_fixed(r, len);
    if (v.len == len)
        memcpy(out, v.data, len);
}

static void read_version(struct wire_reader *r)
{
    if (wire_read_u8(r) != RECORD_VERSION)
        wire_reader_fail(r, ERR_STORE_TYPE);
}

static struct err user_parse(struct bytes in, struct queue_user *user)
{
    struct wire_reader r = wire_reader_of(in);
    read_version(&r);
    read_fixed(&r, user->id, sizeof user->id);
    read_key(&r, user->auth_key, sizeof user->auth_key, &user->auth_key_len);
    read_fixed(&r, user->contact_key, sizeof user->contact_key);
    struct wire_reader list = wire_read_nested(&r);
    user->client_count = 0;
    while (wire_reader_more(&list)) {
        uint64_t row = wire_read_u64(&list);
        if (user->client_count == QUEUE_CLIENTS_MOST)
            wire_reader_fail(&list, ERR_STORE_TYPE);
        else
            user->clients[user->client_count++] = row;
    }
    wire_reader_join(&r, &list);
    return wire_reader_end(&r);
}

static void user_write(struct buf *b, const struct queue_user *user)
{
    wire_write_u8(b, RECORD_VERSION);
    wire_write_fixed(b, bytes_of(user->id, sizeof user->id));
    wire_write_vector(b, bytes_of(user->auth_key, user->auth_key_len));
    wire_write_fixed(b, bytes_of(user->contact_key, sizeof user->contact_key));
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < user->client_count; i++)
        wire_write_u64(b, user->clients[i]);
    wire_vector_end(b, mark);
}

static struct err client_parse(struct bytes in, struct queue_client *client)
{
    struct wire_reader r = wire_reader_of(in);
    read_version(&r);
    read_fixed(&r, client->id, sizeof client->id);
    client->user = wire_read_u64(&r);
    read_key(&r, client->auth_key, sizeof client->auth_key, &client->auth_key_len);
    read_key(&r, client->queue_key, sizeof client->queue_key, &client->queue_key_len);
    read_key(&r, client->push_token, sizeof client->push_token, &client->push_token_len);
    client->policy = wire_read_u8(&r);
    return wire_reader_end(&r);
}

static void client_write(struct buf *b, const struct queue_client *client)
{
    wire_write_u8(b, RECORD_VERSION);
    wire_write_fixed(b, bytes_of(client->id, sizeof client->id));
    wire_write_u64(b, client->user);
    wire_write_vector(b, bytes_of(client->auth_key, client->auth_key_len));
    wire_write_vector(b, bytes_of(client->queue_key, client->queue_key_len));
    wire_write_vector(b, bytes_of(client->push_token, client->push_token_len));
    wire_write_u8(b, client->policy);
}

/* ---- rows */

/* One row: number and sealed record, opened. */
struct opened {
    const struct queue *q;
    const char *table;
    uint64_t row;
    struct buf record;
};

static struct err map_record(struct stmt *row, void *arg)
{
    struct opened *o = arg;
    o->row = stmt_u64(row, 0);
    struct bytes sealed = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    return queue_open_sealed(o->q, &o->record, o->table, o->row, bytes_of(NULL, 0), sealed);
}

static struct err user_of(struct stmt *s, const struct queue *q, struct queue_user *ret_user)
{
    struct opened o = {.q = q, .table = "queue_user"};
    struct queue_user user = {0};
    struct err err = stmt_first(s, map_record, &o);
    if (err_is_ok(err))
        err = user_parse(buf_view(&o.record), &user);
    user.row = o.row;
    if (err_is_ok(err))
        *ret_user = user;
    queue_user_clear(&user);
    buf_clear(&o.record);
    return err;
}

static struct err client_of(struct stmt *s, const struct queue *q, struct queue_client *ret_client)
{
    struct opened o = {.q = q, .table = "queue_client"};
    struct queue_client client = {0};
    struct err err = stmt_first(s, map_record, &o);
    if (err_is_ok(err))
        err = client_parse(buf_view(&o.record), &client);
    client.row = o.row;
    if (err_is_ok(err))
        *ret_client = client;
    queue_client_clear(&client);
    buf_clear(&o.record);
    return err;
}

static struct stmt *by_id(struct store_txn *txn, const struct queue *q, unsigned index,
                          const char *what, struct bytes id, uint8_t prf[QUEUE_PRF_BYTES])
{
    queue_prf(q, what, id, bytes_of(NULL, 0), prf);
    struct stmt *s = stmt_use(txn, index);
    stmt_bind_blob(s, 1, bytes_of(prf, QUEUE_PRF_BYTES));
    return s;
}

/* The column that is searched is not sealed: in a file that somebody wrote to it may stand beside
 * another's record, which opens in its own row. */
static bool is_named(const uint8_t name[QUEUE_ID_BYTES], struct bytes id)
{
    return bytes_equal_ct(bytes_of(name, QUEUE_ID_BYTES), id);
}

struct err queue_user_by_id(struct store_txn *txn, const struct queue *q, struct bytes id,
                            struct queue_user *ret_user)
{
    uint8_t prf[QUEUE_PRF_BYTES];
    struct queue_user user;
    TRY(user_of(by_id(txn, q, SQL_USER_BY_ID, "user", id, prf), q, &user));
    bool same = is_named(user.id, id);
    if (same)
        *ret_user = user;
    queue_user_clear(&user);
    return same ? ERR_OK : ERR(STORE_CORRUPT);
}

struct err queue_client_by_id(struct store_txn *txn, const struct queue *q, struct bytes id,
                              struct queue_client *ret_client)
{
    uint8_t prf[QUEUE_PRF_BYTES];
    struct queue_client client;
    TRY(client_of(by_id(txn, q, SQL_CLIENT_BY_ID, "client", id, prf), q, &client));
    bool same = is_named(client.id, id);
    if (same)
        *ret_client = client;
    queue_client_clear(&client);
    return same ? ERR_OK : ERR(STORE_CORRUPT);
}

struct err queue_user_by_row(struct store_txn *txn, const struct queue *q, uint64_t row,
                             struct queue_user *ret_user)
{
    struct stmt *s = stmt_use(txn, SQL_USER_BY_ROW);
    stmt_bind_u64(s, 1, row);
    return user_of(s, q, ret_user);
}

struct err queue_client_by_row(struct store_txn *txn, const struct queue *q, uint64_t row,
                               struct queue_client *ret_client)
{
    struct stmt *s = stmt_use(txn, SQL_CLIENT_BY_ROW);
    stmt_bind_u64(s, 1, row);
    return client_of(s, q, ret_client);
}

/* The sealed record of a row, in b. */
static struct err seal_user(const struct queue *q, const struct queue_user *user, struct buf *b)
{
    struct buf plain = BUF_INIT;
    user_write(&plain, user);
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = queue_seal(q, b, "queue_user", user->row, bytes_of(NULL, 0), buf_view(&plain));
    buf_clear(&plain);
    return err;
}

static struct err seal_client(const struct queue *q, const struct queue_client *client,
                              struct buf *b)
{
    struct buf plain = BUF_INIT;
    client_write(&plain, client);
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = queue_seal(q, b, "queue_client", client->row, bytes_of(NULL, 0), buf_view(&plain));
    buf_clear(&plain);
    return err;
}

static struct err map_nothing(struct stmt *row, void *arg)
{
    (void)row;
    *(bool *)arg = true;
    return ERR_OK;
}

/* A number that a deleted client still has rows under must not be drawn. */
static struct err is_dead(struct store_txn *txn, uint64_t row, bool *ret_dead)
{
    struct stmt *s = stmt_use(txn, SQL_DEAD_HAS);
    stmt_bind_u64(s, 1, row);
    bool dead = false;
    TRY(stmt_each(s, map_nothing, &dead));
    *ret_dead = dead;
    return ERR_OK;
}

static struct err add_row(struct store_txn *txn, unsigned index, uint64_t row, const uint8_t *id,
                          struct bytes record, bool *ret_added)
{
    struct stmt *s = stmt_use(txn, index);
    stmt_bind_u64(s, 1, row);
    stmt_bind_blob(s, 2, bytes_of(id, QUEUE_PRF_BYTES));
    stmt_bind_blob(s, 3, record);
    uint64_t changes = 0;
    TRY(stmt_run(s, &changes));
    *ret_added = changes == 1;
    return ERR_OK;
}

struct err queue_user_add(struct store_txn *txn, const struct queue *q, struct queue_user *user)
{
    TRY(rng_fill(q->env->rng, user->id, sizeof user->id));
    uint8_t prf[QUEUE_PRF_BYTES];
    queue_prf(q, "user", bytes_of(user->id, sizeof user->id), bytes_of(NULL, 0), prf);
    for (int i = 0; i < ROW_TRIES; i++) {
        struct buf sealed = BUF_INIT;
        bool added = false;
        struct err err;
        TRY_OR(queue_random_row(q, &user->row), err, next);
        TRY_OR(seal_user(q, user, &sealed), err, next);
        err = add_row(txn, SQL_USER_ADD, user->row, prf, buf_view(&sealed), &added);
    next:
        buf_clear(&sealed);
        if (!err_is_ok(err) || added)
            return err;
    }
    return ERR(QUOTA);
}

static struct err client_add_row(struct store_txn *txn, const struct queue *q,
                                 const struct queue_client *client, bool *ret_added)
{
    bool dead = false;
    TRY(is_dead(txn, client->row, &dead));
    if (dead) {
        *ret_added = false;
        return ERR_OK;
    }
    uint8_t prf[QUEUE_PRF_BYTES];
    queue_prf(q, "client", bytes_of(client->id, sizeof client->id), bytes_of(NULL, 0), prf);
    struct buf sealed = BUF_INIT;
    struct err err = seal_client(q, client, &sealed);
    if (err_is_ok(err))
        err = add_row(txn, SQL_CLIENT_ADD, client->row, prf, buf_view(&sealed), ret_added);
    buf_clear(&sealed);
    return err;
}

struct err queue_client_add(struct store_txn *txn, const struct queue *q, uint64_t now_s,
                            struct queue_user *user, struct queue_client *client)
{
    size_t most = (size_t)limit_value(q->limits, LIMIT_QUEUE_CLIENTS_PER_USER);
    if (user->client_count >= most || user->client_count >= QUEUE_CLIENTS_MOST)
        return ERR(QUOTA);
    client->user = user->row;
    TRY(rng_fill(q->env->rng, client->id, sizeof client->id));
    bool added = false;
    for (int i = 0; i < ROW_TRIES && !added; i++) {
        TRY(queue_random_row(q, &client->row));
        TRY(client_add_row(txn, q, client, &added));
    }
    if (!added)
        return ERR(QUOTA);
    user->clients[user->client_count++] = client->row;
    return queue_state_begin(txn, q, client, now_s);
}

static struct err set_row(struct store_txn *txn, unsigned index, struct bytes record, uint64_t row)
{
    struct stmt *s = stmt_use(txn, index);
    stmt_bind_blob(s, 1, record);
    stmt_bind_u64(s, 2, row);
    uint64_t changes = 0;
    TRY(stmt_run(s, &changes));
    return changes == 1 ? ERR_OK : ERR(NOT_FOUND);
}

struct err queue_user_set(struct store_txn *txn, const struct queue *q,
                          const struct queue_user *user)
{
    struct buf sealed = BUF_INIT;
    struct err err = seal_user(q, user, &sealed);
    if (err_is_ok(err))
        err = set_row(txn, SQL_USER_SET, buf_view(&sealed), user->row);
    buf_clear(&sealed);
    return err;
}

struct err queue_client_set(struct store_txn *txn, const struct queue *q,
                            const struct queue_client *client)
{
    struct buf sealed = BUF_INIT;
    struct err err = seal_client(q, client, &sealed);
    if (err_is_ok(err))
        err = set_row(txn, SQL_CLIENT_SET, buf_view(&sealed), client->row);
    buf_clear(&sealed);
    return err;
}

struct err queue_user_delete(struct store_txn *txn, uint64_t user)
{
    struct stmt *s = stmt_use(txn, SQL_USER_DELETE);
    stmt_bind_u64(s, 1, user);
    TRY(stmt_run(s, NULL));
    return queue_revoked_forget(txn, user);
}

struct err queue_client_delete(struct store_txn *txn, uint64_t client)
{
    static const unsigned steps[] = {SQL_CLIENT_DELETE, SQL_STATE_DELETE, SQL_DEAD_ADD};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct stmt *s = stmt_use(txn, steps[i]);
        stmt_bind_u64(s, 1, client);
        TRY(stmt_run(s, NULL));
    }
    return ERR_OK;
}

void queue_user_forget(struct queue_user *user, uint64_t client)
{
    for (size_t i = 0; i < user->client_count; i++)
        if (user->clients[i] == client) {
            user->clients[i] = user->clients[--user->client_count];
            return;
        }
}
