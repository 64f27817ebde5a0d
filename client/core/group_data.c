#include "client/core/group_data.h"

#include "client/core/group.h"
#include "crypto/labelled.h"
#include "seal/envelope.h"
#include "seal/leaf_credential.h"
#include "seal/pad.h"
#include "wire/writer.h"

enum { DATA_VERSION = 1, DATA_PADDED_BYTES = 256 };

/* ---- sealed data */

static struct err data_key(const uint8_t identity_key[IDENTITY_KEY_BYTES], struct bytes group_id,
                           struct secret *ret_key)
{
    return labelled_expand(chat_suite()->hpke.kdf, bytes_of(identity_key, IDENTITY_KEY_BYTES),
                           LABEL_HEARTH, bytes_str("group data"), group_id, ENVELOPE_KEY_BYTES,
                           ret_key);
}

struct err group_data_seal(struct core *c, const struct chat *chat, const char *name, struct buf *b)
{
    struct secret key = {0};
    size_t mark;
    TRY(data_key(chat->identity_key, chat_group_id(chat), &key));
    wire_write_u8(b, DATA_VERSION);
    struct err err = envelope_begin(b, c->rng, &mark);
    if (err_is_ok(err)) {
        size_t inner = pad_begin(b);
        wire_write_vector(b, bytes_str(name));
        wire_write_u8(b, (uint8_t)chat->kind);
        pad_end(b, inner, DATA_PADDED_BYTES);
        err = envelope_end(b, mark, key.data, chat_group_id(chat));
    }
    secret_clear(&key);
    return err_is_ok(err) ? buf_check(b) : err;
}

static struct err read_data(struct bytes padded, char ret_name[CHAT_NAME_MAX_BYTES + 1],
                            int *ret_kind)
{
    struct bytes content;
    TRY(pad_read(padded, &content));
    struct wire_reader r = wire_reader_of(content);
    struct bytes name = wire_read_vector(&r);
    int kind = wire_read_u8(&r);
    TRY(wire_reader_check(&r));
    if (name.len > CHAT_NAME_MAX_BYTES || (name.len > 0 && memchr(name.data, 0, name.len) != NULL))
        return ERR(WIRE_VALUE);
    if (name.len > 0)
        memcpy(ret_name, name.data, name.len);
    ret_name[name.len] = '\0';
    *ret_kind = kind;
    return ERR_OK;
}

static struct err open_under(const struct chat *chat, const uint8_t *identity_key,
                             struct bytes sealed, char *ret_name, int *ret_kind)
{
    struct secret key = {0};
    struct buf padded = BUF_INIT;
    TRY(data_key(identity_key, chat_group_id(chat), &key));
    struct err err = envelope_open(&padded, key.data, chat_group_id(chat), sealed);
    if (err_is_ok(err))
        err = read_data(buf_view(&padded), ret_name, ret_kind);
    buf_clear(&padded);
    secret_clear(&key);
    return err;
}

struct err group_data_open(const struct chat *chat, struct bytes data,
                           char ret_name[CHAT_NAME_MAX_BYTES + 1], int *ret_kind)
{
    struct wire_reader r = wire_reader_of(data);
    if (wire_read_u8(&r) != DATA_VERSION)
        return ERR(WIRE_VALUE);
    struct bytes sealed = wire_read_fixed(&r, wire_reader_left(&r));
    struct err err = open_under(chat, chat->identity_key, sealed, ret_name, ret_kind);
    for (size_t i = 0; i < chat->identity_before_count && err.code == ERR_CRYPTO_TAG; i++)
        err = open_under(chat, chat->identity_before[i], sealed, ret_name, ret_kind);
    return err;
}

struct err group_read_data(const struct open_chat *chat, char ret_name[CHAT_NAME_MAX_BYTES + 1],
                           int *ret_kind)
{
    struct bytes data;
    if (chat->group == NULL || !extensions_find(&group_public(chat->group)->context.extensions,
                                                GROUP_DATA_EXTENSION_TYPE, &data))
        return ERR(NOT_FOUND);
    struct err err = group_data_open(&chat->chat, data, ret_name, ret_kind);
    return err_is_ok(err) || err.code == ERR_NO_MEMORY ? err : ERR(NOT_FOUND);
}

struct err group_take_name(struct open_chat *chat)
{
    char name[CHAT_NAME_MAX_BYTES + 1];
    int kind;
    if (chat->chat.kind != HEARTH_CHAT_GROUP)
        return ERR_OK;
    struct err err = group_read_data(chat, name, &kind);
    if (err_is_ok(err))
        memcpy(chat->chat.name, name, sizeof name);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

/* ---- roles */

bool group_is_admin(const struct open_chat *chat, const uint8_t user_pseudonym[PSEUDONYM_BYTES])
{
    struct bytes roles;
    return chat->group != NULL &&
           extensions_find(&group_public(chat->group)->context.extensions, ROLES_EXTENSION_TYPE,
                           &roles) &&
           roles_is_admin(roles, user_pseudonym);
}

bool group_we_are_admin(const struct open_chat *chat)
{
    return group_is_admin(chat, chat->chat.user_pseudonym);
}

static struct err next_roles(const struct extensions *now, const uint8_t *promote,
                             const uint8_t *demote, struct buf *roles)
{
    struct bytes data;
    uint8_t admins[GROUP_ADMINS_MAX][PSEUDONYM_BYTES];
    size_t count = 0;
    if (!extensions_find(now, ROLES_EXTENSION_TYPE, &data))
        return ERR(WIRE_VALUE);
    TRY(roles_check(data));
    struct wire_reader r = wire_reader_of(data);
    struct wire_reader in = wire_read_nested(&r);
    while (wire_reader_more(&in)) {
        struct bytes admin = wire_read_fixed(&in, PSEUDONYM_BYTES);
        if (admin.len != PSEUDONYM_BYTES ||
            (demote != NULL && memcmp(admin.data, demote, PSEUDONYM_BYTES) == 0))
            continue;
        if (count == GROUP_ADMINS_MAX)
            return ERR(TOO_LARGE);
        memcpy(admins[count++], admin.data, PSEUDONYM_BYTES);
    }
    if (promote != NULL && !roles_is_admin(data, promote)) {
        if (count == GROUP_ADMINS_MAX)
            return ERR(TOO_LARGE);
        memcpy(admins[count++], promote, PSEUDONYM_BYTES);
    }
    if (count == 0)
        return ERR(ARGUMENT);
    roles_write(roles, (const uint8_t(*)[PSEUDONYM_BYTES])admins, count);
    return buf_check(roles);
}

/* ---- the context's extensions */

static struct err write_data(struct core *c, const struct chat *chat, const char *name,
                             struct buf *list)
{
    struct buf data = BUF_INIT;
    struct err err = group_data_seal(c, chat, name, &data);
    if (err_is_ok(err))
        extension_write(list, GROUP_DATA_EXTENSION_TYPE, buf_view(&data));
    buf_clear(&data);
    return err_is_ok(err) ? buf_check(list) : err;
}

struct err group_context_first(struct core *c, const struct chat *chat, struct bytes sender_key,
                               struct buf *list)
{
    struct buf roles = BUF_INIT, sender = BUF_INIT, senders = BUF_INIT;
    uint8_t admins[1][PSEUDONYM_BYTES];
    memcpy(admins[0], chat->user_pseudonym, PSEUDONYM_BYTES);
    roles_write(&roles, (const uint8_t(*)[PSEUDONYM_BYTES])admins, 1);
    external_sender_write(
        &sender, &(struct external_sender){.signature_key = sender_key,
                                           .credential = {CREDENTIAL_BASIC, chat_domain(chat)}});
    wire_write_vector(&senders, buf_view(&sender));
    extension_write(list, EXTENSION_EXTERNAL_SENDERS, buf_view(&senders));
    extension_write(list, ROLES_EXTENSION_TYPE, buf_view(&roles));
    struct err err = buf_check(&senders);
    if (err_is_ok(err))
        err = buf_check(&roles);
    if (err_is_ok(err))
        err = write_data(c, chat, chat->name, list);
    buf_clear(&roles);
    buf_clear(&sender);
    buf_clear(&senders);
    return err;
}

struct err group_context_next(struct core *c, const struct open_chat *chat, const uint8_t *promote,
                              const uint8_t *demote, const char *name, struct buf *list)
{
    const struct extensions *now = &group_public(chat->group)->context.extensions;
    struct buf roles = BUF_INIT;
    struct err err = next_roles(now, promote, demote, &roles);
    struct wire_reader it = extensions_begin(now);
    struct extension x;
    while (err_is_ok(err) && extensions_next(&it, &x)) {
        if (x.type == ROLES_EXTENSION_TYPE)
            extension_write(list, x.type, buf_view(&roles));
        else if (x.type != GROUP_DATA_EXTENSION_TYPE || name == NULL)
            extension_write(list, x.type, x.data);
    }
    if (err_is_ok(err) && name != NULL)
        err = write_data(c, &chat->chat, name, list);
    buf_clear(&roles);
    return err_is_ok(err) ? buf_check(list) : err;
}

/* ---- identity keys for joiners */

void identity_history_write(const struct chat *chat, struct buf *b)
{
    wire_write_u64(b, chat->identity_epoch);
    wire_write_vector(
        b, bytes_of(chat->identity_before, chat->identity_before_count * IDENTITY_KEY_BYTES));
}

struct err identity_history_read(struct bytes data, struct chat *chat)
{
    struct wire_reader r = wire_reader_of(data);
    uint64_t epoch = wire_read_u64(&r);
    struct bytes keys = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (keys.len % IDENTITY_KEY_BYTES != 0 || keys.len > sizeof chat->identity_before)
        return ERR(WIRE_VALUE);
    chat->identity_epoch = epoch;
    if (keys.len > 0)
        memcpy(chat->identity_before, keys.data, keys.len);
    chat->identity_before_count = keys.len / IDENTITY_KEY_BYTES;
    return ERR_OK;
}
