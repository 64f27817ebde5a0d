#include "client/core/commit_body.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum {
    BODY_VERSION = 1,
    FLAG_ADD_DEVICES = 1,
    FLAG_UPDATE = 2,
    FLAG_COVER = 4,
    FLAG_RENAMES = 8,
};

static struct err check_size(const struct commit_wish *wish)
{
    return wish->add_count <= WISH_ADD_MAX && wish->remove_count <= WISH_REMOVE_MAX &&
                   wish->remove_client_count <= WISH_REMOVE_MAX &&
                   (wish->rename == NULL || strlen(wish->rename) <= CHAT_NAME_MAX_BYTES)
               ? ERR_OK
               : ERR(ARGUMENT);
}

struct err commit_body_of(const struct commit_wish *wish, struct commit_body *ret_body)
{
    struct commit_body *b = ret_body;
    TRY(check_size(wish));
    *b = (struct commit_body){.add_count = wish->add_count,
                              .remove_count = wish->remove_count,
                              .remove_client_count = wish->remove_client_count,
                              .add_devices = wish->add_devices,
                              .update = wish->update,
                              .cover = wish->cover,
                              .promotes = wish->promote != NULL,
                              .demotes = wish->demote != NULL,
                              .renames = wish->rename != NULL};
    for (size_t i = 0; i < wish->add_count; i++)
        b->add[i] = wish->add[i];
    for (size_t i = 0; i < wish->remove_count; i++)
        memcpy(b->remove[i], wish->remove[i], 16);
    for (size_t i = 0; i < wish->remove_client_count; i++)
        memcpy(b->remove_clients[i], wish->remove_clients[i], 16);
    if (wish->promote != NULL)
        memcpy(b->promote, wish->promote, 16);
    if (wish->demote != NULL)
        memcpy(b->demote, wish->demote, 16);
    if (wish->rename != NULL)
        memcpy(b->rename, wish->rename, strlen(wish->rename) + 1);
    return ERR_OK;
}

void commit_body_clear(struct commit_body *body)
{
    for (size_t i = 0; i < FETCHED_MAX; i++)
        buf_clear(&body->fetched[i]);
    chat_clear(&body->leaf);
    buf_clear(&body->request);
    bytes_wipe(body, sizeof *body);
}

static void write_wish(struct buf *b, const struct commit_body *body)
{
    unsigned flags = (body->add_devices ? FLAG_ADD_DEVICES : 0U) |
                     (body->update ? FLAG_UPDATE : 0U) | (body->cover ? FLAG_COVER : 0U) |
                     (body->renames ? FLAG_RENAMES : 0U);
    wire_write_vector(b, bytes_of(body->add, body->add_count * 16));
    wire_write_vector(b, bytes_of(body->remove, body->remove_count * 16));
    wire_write_vector(b, bytes_of(body->remove_clients, body->remove_client_count * 16));
    wire_write_u8(b, (uint8_t)flags);
    wire_write_vector(b, bytes_of(body->promote, body->promotes ? 16 : 0));
    wire_write_vector(b, bytes_of(body->demote, body->demotes ? 16 : 0));
    wire_write_vector(b, bytes_str(body->rename));
}

struct err commit_body_write(const struct commit_body *body, struct buf *b)
{
    wire_write_u8(b, BODY_VERSION);
    write_wish(b, body);
    wire_write_u32(b, body->tries);
    wire_write_u64(b, body->not_before_ms);
    wire_write_u64(b, body->epoch);
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < body->fetched_count; i++)
        wire_write_vector(b, buf_view(&body->fetched[i]));
    wire_vector_end(b, mark);
    mark = wire_vector_begin(b);
    if (body->fresh_leaf)
        chat_leaf_write(b, &body->leaf);
    wire_vector_end(b, mark);
    wire_write_vector(b, bytes_of(body->identity_key, body->rotates ? IDENTITY_KEY_BYTES : 0));
    wire_write_vector(b, buf_view(&body->request));
    return buf_check(b);
}

/* Elements of 16 bytes; returns how many. */
static size_t read_sixteens(struct wire_reader *r, void *out, size_t most)
{
    struct bytes in = wire_read_vector(r);
    if (in.len % 16 != 0 || in.len / 16 > most) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return 0;
    }
    if (in.len > 0)
        memcpy(out, in.data, in.len);
    return in.len / 16;
}

static void read_buf(struct wire_reader *r, struct buf *out)
{
    buf_append_bytes(out, wire_read_vector(r));
    if (out->failed)
        wire_reader_fail(r, ERR_NO_MEMORY);
}

static void read_wish(struct wire_reader *r, struct commit_body *body)
{
    body->add_count = read_sixteens(r, body->add, WISH_ADD_MAX);
    body->remove_count = read_sixteens(r, body->remove, WISH_REMOVE_MAX);
    body->remove_client_count = read_sixteens(r, body->remove_clients, WISH_REMOVE_MAX);
    unsigned flags = wire_read_u8(r);
    body->add_devices = (flags & FLAG_ADD_DEVICES) != 0;
    body->update = (flags & FLAG_UPDATE) != 0;
    body->cover = (flags & FLAG_COVER) != 0;
    body->renames = (flags & FLAG_RENAMES) != 0;
    body->promotes = read_sixteens(r, body->promote, 1) == 1;
    body->demotes = read_sixteens(r, body->demote, 1) == 1;
    struct bytes name = wire_read_vector(r);
    if (name.len > CHAT_NAME_MAX_BYTES)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    else if (name.len > 0)
        memcpy(body->rename, name.data, name.len);
}

static void read_rest(struct wire_reader *r, struct commit_body *body)
{
    struct wire_reader in = wire_read_nested(r);
    while (wire_reader_more(&in)) {
        if (body->fetched_count == FETCHED_MAX) {
            wire_reader_fail(&in, ERR_WIRE_VALUE);
            break;
        }
        read_buf(&in, &body->fetched[body->fetched_count++]);
    }
    wire_reader_join(r, &in);
    in = wire_read_nested(r);
    body->fresh_leaf = wire_reader_more(&in);
    if (body->fresh_leaf)
        chat_leaf_read(&in, &body->leaf);
    wire_reader_join(r, &in);
    struct bytes key = wire_read_vector(r);
    body->rotates = key.len == IDENTITY_KEY_BYTES;
    if (body->rotates)
        memcpy(body->identity_key, key.data, key.len);
    read_buf(r, &body->request);
}

struct err commit_body_read(struct bytes in, struct commit_body *ret_body)
{
    struct wire_reader r = wire_reader_of(in);
    struct commit_body *body = ret_body;
    *body = (struct commit_body){0};
    if (wire_read_u8(&r) != BODY_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    read_wish(&r, body);
    body->tries = wire_read_u32(&r);
    body->not_before_ms = wire_read_u64(&r);
    body->epoch = wire_read_u64(&r);
    read_rest(&r, body);
    struct err err = wire_reader_end(&r);
    if (!err_is_ok(err))
        commit_body_clear(body);
    return err;
}
