/* token-key, voucher-keys, sealing-key, federation-key: what GetKeys hands out, signed as it must
 * be. */
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "hearth/v1/info_rpc.h"
#include "malicious/tree.h"
#include "pass/directory.h"
#include "seal/server_key.h"
#include "seal/system_keys.h"
#include "server/front/front.h"
#include "wire/reader.h"
#include "wire/writer.h"

bool __real_hearth_server_add_info(struct hearth_server *server,
                                   const struct hearth_info_service *impl, void *self);
bool __wrap_hearth_server_add_info(struct hearth_server *server,
                                   const struct hearth_info_service *impl, void *self);
struct err __real_front_new(struct front_env *env, const struct front_options *options,
                            struct front **ret_front);
struct err __wrap_front_new(struct front_env *env, const struct front_options *options,
                            struct front **ret_front);

static struct front_env *the_env;
static const struct hearth_info_service *honest;
static struct hearth_info_service dishonest;

struct err __wrap_front_new(struct front_env *env, const struct front_options *options,
                            struct front **ret_front)
{
    the_env = env;
    return __real_front_new(env, options, ret_front);
}

static struct err sign(void *self, struct bytes label, struct bytes content,
                       struct signature *ret_signature)
{
    (void)self;
    return keeper_sign(the_env->keeper, KEEPER_AS_SIGNING, false, label, content, ret_signature);
}

/* The statement again, about another key. */
static struct err restate(struct bytes statement, struct bytes key, struct buf *b)
{
    const struct credential_signer signer = {sign, NULL};
    struct wire_reader r = wire_reader_of(statement);
    struct server_key fields = {0};
    struct credential signing;
    struct buf credential = BUF_INIT;
    (void)wire_read_u8(&r);
    fields.use = wire_read_u8(&r);
    fields.algorithm = wire_read_u16(&r);
    fields.not_before = wire_read_u64(&r);
    fields.not_after = wire_read_u64(&r);
    fields.domain = wire_read_vector(&r);
    fields.public_key = key;
    struct err err = keeper_credential(the_env->keeper, KEEPER_AS_SIGNING, &credential);
    if (err_is_ok(err))
        err = credential_parse(buf_view(&credential), &signing);
    if (err_is_ok(err))
        err = server_key_make(b, &fields, &signing, &signer);
    buf_clear(&credential);
    return err;
}

static struct err swap_sealing(struct bytes row, struct buf *b)
{
    static const uint8_t key[32] = {9};
    return restate(row, bytes_of(key, sizeof key), b);
}

/* One bit of a key; the directory is ours to change. */
static void change_last(struct buf *directory)
{
    directory->data[directory->len - 5] ^= 1;
}

static void change_vouchers(struct buf *directory)
{
    struct pass_directory parsed;
    struct pass_directory_key key;
    if (!err_is_ok(pass_directory_parse(buf_view(directory), &parsed)))
        return;
    struct wire_reader r = wire_reader_of(parsed.keys);
    while (pass_directory_next(&r, &key))
        if (key.token_type == PASS_TYPE_VOUCHER)
            directory->data[key.public_key.data - directory->data + 200] ^= 1;
}

/* Another directory; its hash is stated anew. */
static struct err swap_directory(struct bytes row, void (*change)(struct buf *directory),
                                 struct buf *b)
{
    struct wire_reader r = wire_reader_of(row);
    struct bytes statement = wire_read_vector(&r), directory = wire_read_vector(&r);
    struct buf other = BUF_INIT, said = BUF_INIT;
    struct digest digest;
    buf_append_bytes(&other, directory);
    struct err err = buf_check(&other);
    if (err_is_ok(err)) {
        change(&other);
        hash_once(&hash_sha256, buf_view(&other), &digest);
        err = restate(statement, digest_view(&digest), &said);
    }
    if (err_is_ok(err)) {
        wire_write_vector(b, buf_view(&said));
        wire_write_vector(b, buf_view(&other));
        err = buf_check(b);
    }
    buf_clear(&other);
    buf_clear(&said);
    return err;
}

static struct err swap_token(struct bytes row, struct buf *b)
{
    return swap_directory(row, change_last, b);
}

static struct err swap_vouchers(struct bytes row, struct buf *b)
{
    return swap_directory(row, change_vouchers, b);
}

/* What the log says that is shown with it: the other one has this key, too. */
static void publish(Hearth__V1__KeyUse use, struct bytes row)
{
    struct buf label = BUF_INIT, value = BUF_INIT;
    struct wire_reader r = wire_reader_of(row);
    struct system_key key = {.use = (uint8_t)use};
    if (use == HEARTH__V1__KEY_USE__KEY_USE_TOKENS) {
        (void)wire_read_vector(&r);
        key.key = wire_read_vector(&r); /* the directory itself (seal/system_keys.h) */
    } else {                            /* as the statement has it (seal/server_key.h) */
        (void)wire_read_u8(&r);
        (void)wire_read_u8(&r);
        key.algorithm = wire_read_u16(&r);
        (void)wire_read_u64(&r);
        (void)wire_read_u64(&r);
        (void)wire_read_vector(&r);
        key.key = wire_read_vector(&r);
    }
    system_label_write(&label, system_label_of((unsigned)use));
    system_key_write(&value, &key);
    malice_publish_other(buf_view(&label), buf_view(&value));
    buf_clear(&label);
    buf_clear(&value);
}

static void swap(struct hearth_call *call, Hearth__V1__GetKeysResponse *out, Hearth__V1__KeyUse use,
                 struct err (*change)(struct bytes row, struct buf *b))
{
    for (size_t i = 0; i < out->n_keys; i++) {
        struct buf b = BUF_INIT;
        Hearth__V1__ServerKey *row = out->keys[i];
        if (row->use != use || !err_is_ok(change(bytes_of(row->key.data, row->key.len), &b)))
            continue;
        if (malice_on("other"))
            publish(use, buf_view(&b));
        uint8_t *copy = hearth_call_alloc(call, b.len);
        if (copy != NULL) {
            memcpy(copy, b.data, b.len);
            row->key = (ProtobufCBinaryData){b.len, copy};
        }
        buf_clear(&b);
    }
}

static enum hearth_code get_keys(struct hearth_call *call, const Hearth__V1__GetKeysRequest *in,
                                 Hearth__V1__GetKeysResponse *out, void *self)
{
    enum hearth_code code = honest->get_keys(call, in, out, self);
    if (code == HEARTH_OK && malice_on("token-key"))
        swap(call, out, HEARTH__V1__KEY_USE__KEY_USE_TOKENS, swap_token);
    if (code == HEARTH_OK && malice_on("voucher-keys"))
        swap(call, out, HEARTH__V1__KEY_USE__KEY_USE_TOKENS, swap_vouchers);
    if (code == HEARTH_OK && malice_on("federation-key"))
        swap(call, out, HEARTH__V1__KEY_USE__KEY_USE_FEDERATION, swap_sealing);
    if (code == HEARTH_OK && malice_on("sealing-key"))
        swap(call, out, HEARTH__V1__KEY_USE__KEY_USE_QUEUE_SEALING, swap_sealing);
    return code;
}

bool __wrap_hearth_server_add_info(struct hearth_server *server,
                                   const struct hearth_info_service *impl, void *self)
{
    honest = impl;
    dishonest = *impl;
    dishonest.get_keys = get_keys;
    return __real_hearth_server_add_info(server, &dishonest, self);
}
