/* struct chat as it is stored (DB_CHAT), and its life.
 *
 *     struct { uint8 version = 1; opaque id[16]; uint8 kind, state, notify, leaving; opaque
 * name<V>; opaque contact[16]; opaque group_id<V>; opaque state_keys<V>; uint64 state_key_epoch;
 * opaque identity_key[32]; uint64 identity_epoch; opaque identity_before<V>; Rotation rotations<V>,
 * committers<V>; uint64 joined_epoch; Leaf leaf; opaque tag_before[16], tag_next[16]; uint64 seen,
 * broken_epoch, commit_task; } Chat struct { uint64 epoch; uint32 leaf; } Rotation struct { opaque
 * leaf_key<V>; opaque tag[16], pseudonym[16], leaf_identity_key[32], user_pseudonym[16]; opaque
 * credential<V>, reference<V>, reference_signature<V>; } Leaf
 */
#include "client/core/chat.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1 };

static void leaf_clear(struct chat *chat)
{
    sig_key_clear(&chat->leaf_key);
    bytes_wipe(chat->leaf_identity_key, sizeof chat->leaf_identity_key);
    buf_clear(&chat->credential);
    buf_clear(&chat->reference);
    buf_clear(&chat->reference_signature);
}

void chat_clear(struct chat *chat)
{
    leaf_clear(chat);
    bytes_wipe(chat, sizeof *chat);
}

struct bytes chat_group_id(const struct chat *chat)
{
    return bytes_of(chat->group_id, chat->group_id_len);
}

struct bytes chat_domain(const struct chat *chat)
{
    struct domain_name name;
    if (chat->group_id_len == 0 || !err_is_ok(domain_name_parse(chat_group_id(chat), &name)))
        return bytes_of(NULL, 0);
    return name.domain;
}

/* ---- keys */

void chat_add_state_key(struct chat *chat, const uint8_t key[STATE_KEY_BYTES], uint64_t epoch)
{
    for (size_t i = 0; i < chat->state_key_count; i++)
        if (memcmp(chat->state_keys[i], key, STATE_KEY_BYTES) == 0)
            return;
    size_t at = chat->state_key_count > 0 && epoch < chat->state_key_epoch ? 1 : 0;
    if (chat->state_key_count == CHAT_STATE_KEYS)
        chat->state_key_count--;
    memmove(chat->state_keys[at + 1], chat->state_keys[at],
            (chat->state_key_count - at) * STATE_KEY_BYTES);
    memcpy(chat->state_keys[at], key, STATE_KEY_BYTES);
    chat->state_key_count++;
    if (at == 0)
        chat->state_key_epoch = epoch;
}

static void add_before(struct chat *chat, const uint8_t key[IDENTITY_KEY_BYTES])
{
    if (chat->identity_before_count == CHAT_IDENTITY_KEYS)
        chat->identity_before_count--;
    memmove(chat->identity_before[1], chat->identity_before[0],
            chat->identity_before_count * IDENTITY_KEY_BYTES);
    memcpy(chat->identity_before[0], key, IDENTITY_KEY_BYTES);
    chat->identity_before_count++;
}

void chat_add_identity_key(struct chat *chat, const uint8_t key[IDENTITY_KEY_BYTES], uint64_t epoch)
{
    static const uint8_t none[IDENTITY_KEY_BYTES];
    if (memcmp(chat->identity_key, key, IDENTITY_KEY_BYTES) == 0)
        return;
    for (size_t i = 0; i < chat->identity_before_count; i++)
        if (memcmp(chat->identity_before[i], key, IDENTITY_KEY_BYTES) == 0)
            return;
    if (memcmp(chat->identity_key, none, sizeof none) == 0 || epoch > chat->identity_epoch) {
        if (memcmp(chat->identity_key, none, sizeof none) != 0)
            add_before(chat, chat->identity_key);
        memcpy(chat->identity_key, key, IDENTITY_KEY_BYTES);
        chat->identity_epoch = epoch;
    } else {
        add_before(chat, key);
    }
}

void chat_retire_tag(struct chat *chat)
{
    if (chat->tags_before_count == CHAT_TAGS)
        chat->tags_before_count--;
    memmove(chat->tags_before[1], chat->tags_before[0], chat->tags_before_count * QUEUE_TAG_BYTES);
    memcpy(chat->tags_before[0], chat->tag, sizeof chat->tag);
    chat->tags_before_count++;
}

/* ---- the leaf */

void chat_leaf_write(struct buf *b, const struct chat *chat)
{
    wire_write_vector(b, secret_view(&chat->leaf_key.private_key));
    wire_write_fixed(b, bytes_of(chat->tag, sizeof chat->tag));
    wire_write_fixed(b, bytes_of(chat->pseudonym, sizeof chat->pseudonym));
    wire_write_fixed(b, bytes_of(chat->leaf_identity_key, sizeof chat->leaf_identity_key));
    wire_write_fixed(b, bytes_of(chat->user_pseudonym, sizeof chat->user_pseudonym));
    wire_write_vector(b, buf_view(&chat->credential));
    wire_write_vector(b, buf_view(&chat->reference));
    wire_write_vector(b, buf_view(&chat->reference_signature));
}

static void read_into(struct wire_reader *r, void *out, size_t len)
{
    struct bytes view = wire_read_fixed(r, len);
    if (view.len == len)
        memcpy(out, view.data, len);
}

static void read_buf(struct wire_reader *r, struct buf *out)
{
    struct bytes view = wire_read_vector(r);
    buf_append_bytes(out, view);
    if (out->failed)
        wire_reader_fail(r, ERR_NO_MEMORY);
}

void chat_leaf_read(struct wire_reader *r, struct chat *chat)
{
    struct bytes key = wire_read_vector(r);
    read_into(r, chat->tag, sizeof chat->tag);
    read_into(r, chat->pseudonym, sizeof chat->pseudonym);
    read_into(r, chat->leaf_identity_key, sizeof chat->leaf_identity_key);
    read_into(r, chat->user_pseudonym, sizeof chat->user_pseudonym);
    read_buf(r, &chat->credential);
    read_buf(r, &chat->reference);
    read_buf(r, &chat->reference_signature);
    if (r->failure == ERR_NONE && key.len > 0) {
        struct err err = sig_key_init(chat_suite()->sig, key, &chat->leaf_key);
        if (!err_is_ok(err))
            wire_reader_fail(r, err.code);
    }
    if (r->failure != ERR_NONE)
        leaf_clear(chat);
}

void chat_leaf_move(struct chat *to, struct chat *from)
{
    leaf_clear(to);
    to->leaf_key = from->leaf_key;
    from->leaf_key = (struct sig_key){0};
    memcpy(to->tag, from->tag, sizeof to->tag);
    memcpy(to->pseudonym, from->pseudonym, sizeof to->pseudonym);
    memcpy(to->leaf_identity_key, from->leaf_identity_key, sizeof to->leaf_identity_key);
    memcpy(to->user_pseudonym, from->user_pseudonym, sizeof to->user_pseudonym);
    to->credential = from->credential;
    to->reference = from->reference;
    to->reference_signature = from->reference_signature;
    from->credential = from->reference = from->reference_signature = BUF_INIT;
    leaf_clear(from);
}

/* ---- the row */

static void write_flag(struct buf *b, bool flag)
{
    wire_write_u8(b, flag ? 1 : 0);
}

static void write_rotations(struct buf *b, const struct chat_rotation *list, size_t count)
{
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < count; i++) {
        wire_write_u64(b, list[i].epoch);
        wire_write_u32(b, list[i].leaf);
    }
    wire_vector_end(b, mark);
}

void chat_write(struct buf *b, const struct chat *chat)
{
    wire_write_u8(b, ROW_VERSION);
    wire_write_fixed(b, bytes_of(chat->id.bytes, sizeof chat->id.bytes));
    wire_write_u8(b, (uint8_t)chat->kind);
    wire_write_u8(b, (uint8_t)chat->state);
    wire_write_u8(b, (uint8_t)chat->notify);
    write_flag(b, chat->leaving);
    wire_write_vector(b, bytes_str(chat->name));
    wire_write_fixed(b, bytes_of(chat->contact.bytes, sizeof chat->contact.bytes));
    wire_write_vector(b, chat_group_id(chat));
    wire_write_vector(b, bytes_of(chat->state_keys, chat->state_key_count * STATE_KEY_BYTES));
    wire_write_u64(b, chat->state_key_epoch);
    wire_write_fixed(b, bytes_of(chat->identity_key, sizeof chat->identity_key));
    wire_write_u64(b, chat->identity_epoch);
    wire_write_vector(
        b, bytes_of(chat->identity_before, chat->identity_before_count * IDENTITY_KEY_BYTES));
    write_rotations(b, chat->rotations, chat->rotation_count);
    write_rotations(b, chat->committers, chat->committer_count);
    wire_write_u64(b, chat->joined_epoch);
    chat_leaf_write(b, chat);
    wire_write_vector(b, bytes_of(chat->tags_before, chat->tags_before_count * QUEUE_TAG_BYTES));
    wire_write_fixed(b, bytes_of(chat->tag_next, sizeof chat->tag_next));
    wire_write_u64(b, chat->seen);
    wire_write_u64(b, chat->broken_epoch);
    wire_write_u64(b, chat->commit_task);
}

/* Whole keys of 32 bytes; returns how many. */
static size_t read_keys(struct wire_reader *r, uint8_t (*keys)[32], size_t most)
{
    struct bytes in = wire_read_vector(r);
    if (in.len % 32 != 0 || in.len / 32 > most) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return 0;
    }
    if (in.len > 0)
        memcpy(keys, in.data, in.len);
    return in.len / 32;
}

static void read_tags(struct wire_reader *r, struct chat *chat)
{
    struct bytes in = wire_read_vector(r);
    if (in.len % QUEUE_TAG_BYTES != 0 || in.len > sizeof chat->tags_before) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return;
    }
    if (in.len > 0)
        memcpy(chat->tags_before, in.data, in.len);
    chat->tags_before_count = in.len / QUEUE_TAG_BYTES;
}

static void read_text(struct wire_reader *r, char *text, size_t most)
{
    struct bytes in = wire_read_vector(r);
    if (in.len > most) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return;
    }
    if (in.len > 0)
        memcpy(text, in.data, in.len);
    text[in.len] = '\0';
}

static size_t read_rotations(struct wire_reader *r, struct chat_rotation list[CHAT_ROTATIONS])
{
    struct wire_reader in = wire_read_nested(r);
    size_t count = 0;
    while (wire_reader_more(&in)) {
        struct chat_rotation rotation = {.epoch = wire_read_u64(&in)};
        rotation.leaf = wire_read_u32(&in);
        if (count < CHAT_ROTATIONS)
            list[count++] = rotation;
        else
            wire_reader_fail(&in, ERR_WIRE_VALUE);
    }
    wire_reader_join(r, &in);
    return count;
}

static void read_group(struct wire_reader *r, struct chat *chat)
{
    struct bytes group_id = wire_read_vector(r);
    if (group_id.len > sizeof chat->group_id) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return;
    }
    if (group_id.len > 0)
        memcpy(chat->group_id, group_id.data, group_id.len);
    chat->group_id_len = group_id.len;
    chat->state_key_count = read_keys(r, chat->state_keys, CHAT_STATE_KEYS);
    chat->state_key_epoch = wire_read_u64(r);
    read_into(r, chat->identity_key, sizeof chat->identity_key);
    chat->identity_epoch = wire_read_u64(r);
    chat->identity_before_count = read_keys(r, chat->identity_before, CHAT_IDENTITY_KEYS);
    chat->rotation_count = read_rotations(r, chat->rotations);
    chat->committer_count = read_rotations(r, chat->committers);
    chat->joined_epoch = wire_read_u64(r);
}

struct err chat_read(struct bytes in, struct chat *ret_chat)
{
    struct wire_reader r = wire_reader_of(in);
    struct chat chat = {0};
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    read_into(&r, chat.id.bytes, sizeof chat.id.bytes);
    chat.kind = wire_read_u8(&r);
    chat.state = (enum hearth_chat_state)wire_read_u8(&r);
    chat.notify = (enum hearth_notify)wire_read_u8(&r);
    chat.leaving = wire_read_present(&r);
    read_text(&r, chat.name, CHAT_NAME_MAX_BYTES);
    read_into(&r, chat.contact.bytes, sizeof chat.contact.bytes);
    read_group(&r, &chat);
    chat_leaf_read(&r, &chat);
    read_tags(&r, &chat);
    read_into(&r, chat.tag_next, sizeof chat.tag_next);
    chat.seen = wire_read_u64(&r);
    chat.broken_epoch = wire_read_u64(&r);
    chat.commit_task = wire_read_u64(&r);
    struct err err = wire_reader_end(&r);
    if (!err_is_ok(err)) {
        chat_clear(&chat);
        return err;
    }
    *ret_chat = chat;
    bytes_wipe(&chat, sizeof chat);
    return ERR_OK;
}
