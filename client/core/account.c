/* The account's row (DB_ACCOUNT).
 *
 *     struct { uint8 version = 1; uint8 registered; opaque domain<V>; opaque device<V>;
 *              opaque name<V>; opaque user_uuid[16]; opaque client_uuid[16]; opaque user_id<V>;
 *              opaque client_id<V>; opaque client_key<V>; opaque credential<V>; opaque signing<V>;
 *              opaque key_set<V>; opaque user_secrets<V>; opaque queue_client_key<V>;
 *              opaque queue_client_id[16]; opaque queue_private<V>; opaque queue_public<V>;
 *              opaque devices_chat[16]; }
 *
 *     struct { uint8 version = 1; opaque queue_user_key<V>; opaque queue_user_id[16];
 *              opaque contact_key[32]; opaque friendship_key[32]; opaque friendship_before[32];
 *              opaque profile_key[32]; } UserSecrets
 *
 * Keys are private parts; an empty one is none yet.
 */
#include "client/core/account.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1 };

void account_clear(struct account *a)
{
    buf_clear(&a->user_id);
    buf_clear(&a->client_id);
    sig_key_clear(&a->client_key);
    buf_clear(&a->credential);
    buf_clear(&a->signing);
    buf_clear(&a->key_set);
    sig_key_clear(&a->user.queue_user_key);
    sig_key_clear(&a->queue_client_key);
    bytes_wipe(a, sizeof *a);
}

static void write_key(struct buf *b, const struct sig_key *key)
{
    wire_write_vector(b, secret_view(&key->private_key));
}

static void write_text(struct buf *b, const char *text)
{
    wire_write_vector(b, bytes_str(text));
}

void user_secrets_write(struct buf *b, const struct user_secrets *s)
{
    wire_write_u8(b, ROW_VERSION);
    write_key(b, &s->queue_user_key);
    wire_write_fixed(b, bytes_of(s->queue_user_id, sizeof s->queue_user_id));
    wire_write_fixed(b, bytes_of(s->contact_key, sizeof s->contact_key));
    wire_write_fixed(b, bytes_of(s->friendship_key, sizeof s->friendship_key));
    wire_write_fixed(b, bytes_of(s->friendship_before, sizeof s->friendship_before));
    wire_write_fixed(b, bytes_of(s->profile_key, sizeof s->profile_key));
}

struct err account_write(const struct account *a, struct db_txn *t)
{
    struct buf b = BUF_INIT;
    wire_write_u8(&b, ROW_VERSION);
    wire_write_u8(&b, a->registered);
    write_text(&b, a->domain);
    write_text(&b, a->device);
    write_text(&b, a->name);
    wire_write_fixed(&b, bytes_of(a->user_uuid, sizeof a->user_uuid));
    wire_write_fixed(&b, bytes_of(a->client_uuid, sizeof a->client_uuid));
    wire_write_vector(&b, buf_view(&a->user_id));
    wire_write_vector(&b, buf_view(&a->client_id));
    write_key(&b, &a->client_key);
    wire_write_vector(&b, buf_view(&a->credential));
    wire_write_vector(&b, buf_view(&a->signing));
    wire_write_vector(&b, buf_view(&a->key_set));
    size_t mark = wire_vector_begin(&b);
    user_secrets_write(&b, &a->user);
    wire_vector_end(&b, mark);
    write_key(&b, &a->queue_client_key);
    wire_write_fixed(&b, bytes_of(a->queue_client_id, sizeof a->queue_client_id));
    wire_write_vector(&b, secret_view(&a->queue_private));
    wire_write_vector(&b, public_key_view(&a->queue_public));
    wire_write_fixed(&b, bytes_of(a->devices_chat.bytes, sizeof a->devices_chat.bytes));
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_ACCOUNT, bytes_of(NULL, 0), buf_view(&b));
    buf_clear(&b);
    return err;
}

/* ---- reading. What fails memory is kept in *err, what is malformed in the reader. */

static void read_fixed(struct wire_reader *r, uint8_t *out, size_t len)
{
    struct bytes view = wire_read_fixed(r, len);
    if (view.len == len)
        memcpy(out, view.data, len);
}

static void read_key(struct wire_reader *r, struct sig_key *key, struct err *err)
{
    struct bytes view = wire_read_vector(r);
    if (view.len != 0 && err_is_ok(*err))
        *err = sig_key_init(&sig_ed25519, view, key);
}

static void read_text(struct wire_reader *r, char *out, size_t size)
{
    struct bytes view = wire_read_vector(r);
    if (view.len >= size)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
    else if (view.len > 0)
        memcpy(out, view.data, view.len);
}

static void read_buf(struct wire_reader *r, struct buf *out)
{
    buf_append_bytes(out, wire_read_vector(r));
}

static void read_secrets(struct wire_reader *r, struct user_secrets *s, struct err *err)
{
    if (wire_read_u8(r) != ROW_VERSION)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    read_key(r, &s->queue_user_key, err);
    read_fixed(r, s->queue_user_id, sizeof s->queue_user_id);
    read_fixed(r, s->contact_key, sizeof s->contact_key);
    read_fixed(r, s->friendship_key, sizeof s->friendship_key);
    read_fixed(r, s->friendship_before, sizeof s->friendship_before);
    read_fixed(r, s->profile_key, sizeof s->profile_key);
}

struct err user_secrets_read(struct bytes in, struct user_secrets *ret_secrets)
{
    struct wire_reader r = wire_reader_of(in);
    struct user_secrets s = {0};
    struct err err = ERR_OK;
    read_secrets(&r, &s, &err);
    if (err_is_ok(err))
        err = wire_reader_end(&r);
    if (err_is_ok(err))
        *ret_secrets = s;
    else
        sig_key_clear(&s.queue_user_key);
    bytes_wipe(&s, sizeof s);
    return err;
}

static struct err read_account(struct bytes in, struct account *a)
{
    struct wire_reader r = wire_reader_of(in);
    struct err err = ERR_OK;
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    a->registered = wire_read_u8(&r) != 0;
    read_text(&r, a->domain, sizeof a->domain);
    read_text(&r, a->device, sizeof a->device);
    read_text(&r, a->name, sizeof a->name);
    read_fixed(&r, a->user_uuid, sizeof a->user_uuid);
    read_fixed(&r, a->client_uuid, sizeof a->client_uuid);
    read_buf(&r, &a->user_id);
    read_buf(&r, &a->client_id);
    read_key(&r, &a->client_key, &err);
    read_buf(&r, &a->credential);
    read_buf(&r, &a->signing);
    read_buf(&r, &a->key_set);
    struct wire_reader secrets = wire_read_nested(&r);
    read_secrets(&secrets, &a->user, &err);
    wire_reader_join(&r, &secrets);
    read_key(&r, &a->queue_client_key, &err);
    read_fixed(&r, a->queue_client_id, sizeof a->queue_client_id);
    struct bytes private_key = wire_read_vector(&r);
    struct bytes public_key = wire_read_vector(&r);
    read_fixed(&r, a->devices_chat.bytes, sizeof a->devices_chat.bytes);
    TRY(err);
    if (!err_is_ok(wire_reader_end(&r)) || public_key.len > sizeof a->queue_public.data)
        return ERR(STORE_CORRUPT);
    if (public_key.len > 0)
        memcpy(a->queue_public.data, public_key.data, public_key.len);
    a->queue_public.len = public_key.len;
    TRY(secret_set(private_key, &a->queue_private));
    TRY(buf_check(&a->user_id));
    TRY(buf_check(&a->client_id));
    TRY(buf_check(&a->credential));
    TRY(buf_check(&a->signing));
    return buf_check(&a->key_set);
}

struct err account_read(struct db_txn *t, struct account *ret_account)
{
    struct buf value = BUF_INIT;
    struct account a = {0};
    struct err err = db_get(t, DB_ACCOUNT, bytes_of(NULL, 0), &value);
    if (err_is_ok(err))
        err = read_account(buf_view(&value), &a);
    buf_clear(&value);
    if (!err_is_ok(err)) {
        account_clear(&a);
        return err;
    }
    *ret_account = a;
    bytes_wipe(&a, sizeof a);
    return ERR_OK;
}
