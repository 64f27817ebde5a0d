/* The header: how the file key comes from what the person knows.
 *
 *     struct { uint8 version = 1; uint8 how; opaque salt[16]; opaque sealed<V>; } Header
 *
 * how 1: the key that seals is Argon2id(passphrase, salt); 2: HMAC-SHA256(key, label || salt).
 * `sealed` is the file key (seal/at_rest.h), with the part before it as associated data.
 */
#include "client/db/inside.h"
#include "crypto/argon2.h"
#include "crypto/kdf.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { HOW_PASSPHRASE = 1, HOW_KEY = 2, HEADER_VERSION = 1, HEAD_BYTES = 2 + ARGON2_SALT_BYTES };

struct header {
    struct db *db;
    const struct db_options *options;
    bool replace;
};

static struct err sealing_key(const struct db_options *o, uint8_t how, const uint8_t *salt,
                              uint8_t ret_key[AT_REST_KEY_BYTES])
{
    if (how == HOW_PASSPHRASE)
        return argon2id(o->passphrase, salt, AT_REST_KEY_BYTES, ret_key);
    struct digest mac;
    hmac_once(&hash_sha256, o->key,
              BYTES_LIST(bytes_str("Hearth 1 client file"), bytes_of(salt, ARGON2_SALT_BYTES)),
              &mac);
    memcpy(ret_key, mac.data, AT_REST_KEY_BYTES);
    bytes_wipe(&mac, sizeof mac);
    return ERR_OK;
}

static struct err read_value(struct stmt *row, void *arg)
{
    buf_append_bytes(arg, stmt_blob(row, 0));
    return stmt_row_check(row);
}

static struct err write_header(struct store_txn *txn, void *arg)
{
    struct header *h = arg;
    struct buf value = BUF_INIT;
    uint8_t key[AT_REST_KEY_BYTES] = {0}, salt[ARGON2_SALT_BYTES];
    struct buf sealed = BUF_INIT;
    struct err err = ERR_OK;
    if (!h->replace) {
        err = stmt_first(stmt_use(txn, SQL_HEADER_GET), read_value, &value);
        if (err_is_ok(err))
            err = ERR(STORE_EXISTS);
        if (err.code != ERR_NOT_FOUND)
            goto out;
    }
    TRY_OR(rng_fill(h->db->rng, salt, sizeof salt), err, out);
    uint8_t how = h->options->passphrase.len != 0 ? HOW_PASSPHRASE : HOW_KEY;
    wire_write_u8(&value, HEADER_VERSION);
    wire_write_u8(&value, how);
    wire_write_fixed(&value, bytes_of(salt, sizeof salt));
    TRY_OR(buf_check(&value), err, out);
    TRY_OR(sealing_key(h->options, how, salt, key), err, out);
    TRY_OR(at_rest_seal(&sealed, key, h->db->rng, buf_view(&value),
                        bytes_of(h->db->file_key, AT_REST_KEY_BYTES)),
           err, out);
    wire_write_vector(&value, buf_view(&sealed));
    TRY_OR(buf_check(&value), err, out);
    struct stmt *s = stmt_use(txn, SQL_HEADER_PUT);
    stmt_bind_blob(s, 1, buf_view(&value));
    err = stmt_run(s, NULL);
out:
    bytes_wipe(key, sizeof key);
    buf_clear(&sealed);
    buf_clear(&value);
    return err;
}

static struct err open_header(struct header *h, struct bytes value, struct buf *plain)
{
    struct wire_reader r = wire_reader_of(value);
    uint8_t version = wire_read_u8(&r);
    uint8_t how = wire_read_u8(&r);
    struct bytes salt = wire_read_fixed(&r, ARGON2_SALT_BYTES);
    struct bytes sealed = wire_read_vector(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    if (version != HEADER_VERSION || (how != HOW_PASSPHRASE && how != HOW_KEY))
        return ERR(STORE_SCHEMA_NEWER);
    if ((how == HOW_PASSPHRASE) != (h->options->passphrase.len != 0))
        return ERR(CRYPTO_TAG);
    uint8_t key[AT_REST_KEY_BYTES];
    struct err err = sealing_key(h->options, how, salt.data, key);
    if (err_is_ok(err))
        err = at_rest_open(plain, key, bytes_of(value.data, HEAD_BYTES), sealed);
    bytes_wipe(key, sizeof key);
    TRY(err);
    if (plain->len != AT_REST_KEY_BYTES)
        return ERR(STORE_CORRUPT);
    memcpy(h->db->file_key, plain->data, AT_REST_KEY_BYTES);
    return ERR_OK;
}

static struct err read_header(struct store_txn *txn, void *arg)
{
    struct header *h = arg;
    struct buf value = BUF_INIT, plain = BUF_INIT;
    struct err err = stmt_first(stmt_use(txn, SQL_HEADER_GET), read_value, &value);
    if (err_is_ok(err))
        err = buf_check(&value);
    if (err_is_ok(err))
        err = open_header(h, buf_view(&value), &plain);
    buf_clear(&plain);
    buf_clear(&value);
    return err;
}

struct err header_begin(struct db *db, const struct db_options *options)
{
    struct header h = {.db = db, .options = options};
    if (options->create) {
        TRY(rng_fill(db->rng, db->file_key, sizeof db->file_key));
        TRY(store_call(db->store, write_header, &h));
    } else {
        TRY(store_call_read(db->store, read_header, &h));
    }
    struct bytes file_key = bytes_of(db->file_key, sizeof db->file_key);
    TRY(kdf_expand_into(&kdf_hkdf_sha256, file_key, BYTES_LIST(bytes_str("Hearth 1 client ids")),
                        sizeof db->id_key, db->id_key));
    return kdf_expand_into(&kdf_hkdf_sha256, file_key,
                           BYTES_LIST(bytes_str("Hearth 1 client values")), sizeof db->seal_key,
                           db->seal_key);
}

struct err db_set_passphrase(struct db *db, struct bytes passphrase)
{
    if (passphrase.len == 0)
        return ERR(ARGUMENT);
    struct db_options options = {.passphrase = passphrase};
    struct header h = {.db = db, .options = &options, .replace = true};
    return store_call(db->store, write_header, &h);
}
