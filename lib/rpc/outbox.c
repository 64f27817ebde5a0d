#include "rpc/outbox.h"

#include <stdlib.h>

#include "rpc/frame.h"
#include "rpc/gzip.h"

enum { KEEP_BYTES = 4 * 1024 };

static uint8_t *make_room(struct outbox *o, size_t more)
{
    if (o->off == o->len) {
        o->off = o->len = 0;
    } else if (o->off > o->cap / 2) {
        memmove(o->data, o->data + o->off, o->len - o->off);
        o->len -= o->off;
        o->off = 0;
    }
    size_t need = o->len + more;
    if (need > UINT32_MAX / 2)
        return NULL;
    if (need > o->cap) {
        size_t cap = o->cap == 0 ? more : (size_t)o->cap * 2;
        if (cap < need)
            cap = need;
        uint8_t *data = malloc(cap);
        if (data == NULL)
            return NULL;
        if (o->len > 0)
            memcpy(data, o->data, o->len);
        bytes_wipe(o->data, o->len);
        free(o->data);
        o->data = data;
        o->cap = (uint32_t)cap;
    }
    return o->data + o->len;
}

static struct err append_compressed(struct outbox *o, const ProtobufCMessage *message, size_t size)
{
    struct buf plain = BUF_INIT, packed = BUF_INIT;
    struct err err = ERR(NO_MEMORY);
    uint8_t *room = size > 0 ? buf_extend(&plain, size) : NULL;
    if (room == NULL && size > 0)
        goto out;
    if (size > 0)
        protobuf_c_message_pack(message, room);
    TRY_OR(gzip_deflate(buf_view(&plain), &packed), err, out);
    room = make_room(o, FRAME_HEAD_BYTES + packed.len);
    err = room == NULL ? ERR(NO_MEMORY) : ERR_OK;
    if (room != NULL) {
        frame_head_write(room, true, (uint32_t)packed.len);
        memcpy(room + FRAME_HEAD_BYTES, packed.data, packed.len);
        o->len += (uint32_t)(FRAME_HEAD_BYTES + packed.len);
    }
out:
    buf_clear(&plain);
    buf_clear(&packed);
    return err;
}

struct err outbox_append(struct outbox *o, const ProtobufCMessage *message, size_t size,
                         bool compress)
{
    if (compress)
        return append_compressed(o, message, size);
    uint8_t *room = make_room(o, FRAME_HEAD_BYTES + size);
    if (room == NULL)
        return ERR(NO_MEMORY);
    frame_head_write(room, false, (uint32_t)size);
    protobuf_c_message_pack(message, room + FRAME_HEAD_BYTES);
    o->len += (uint32_t)(FRAME_HEAD_BYTES + size);
    return ERR_OK;
}

struct err outbox_append_raw(struct outbox *o, struct bytes raw)
{
    uint8_t *room = make_room(o, raw.len);
    if (room == NULL)
        return ERR(NO_MEMORY);
    if (raw.len > 0)
        memcpy(room, raw.data, raw.len);
    o->len += (uint32_t)raw.len;
    return ERR_OK;
}

size_t outbox_take(struct outbox *o, uint8_t *buf, size_t len)
{
    size_t n = outbox_waiting(o) < len ? outbox_waiting(o) : len;
    if (n > 0)
        memcpy(buf, o->data + o->off, n);
    o->off += (uint32_t)n;
    return n;
}

void outbox_reset(struct outbox *o)
{
    if (o->cap > KEEP_BYTES) {
        outbox_clear(o);
        return;
    }
    bytes_wipe(o->data, o->len);
    o->len = o->off = 0;
}

void outbox_clear(struct outbox *o)
{
    bytes_wipe(o->data, o->len);
    free(o->data);
    *o = (struct outbox){0};
}
