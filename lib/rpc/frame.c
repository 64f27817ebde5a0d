#include "rpc/frame.h"

#include <stdlib.h>

enum { FIRST_ROOM_BYTES = 4 * 1024 };

void frame_reader_init(struct frame_reader *f, uint32_t cap_bytes)
{
    *f = (struct frame_reader){.cap_bytes = cap_bytes, .body = f->body, .room = f->room};
}

void frame_reader_reset(struct frame_reader *f)
{
    frame_reader_next(f);
    *f = (struct frame_reader){.body = f->body, .room = f->room};
}

void frame_reader_clear(struct frame_reader *f)
{
    bytes_wipe(f->body, f->got);
    free(f->body);
    *f = (struct frame_reader){.cap_bytes = f->cap_bytes};
}

static struct err read_head(struct frame_reader *f)
{
    if (f->head[0] > 1)
        return ERR(RPC_FRAME);
    f->compressed = f->head[0] == 1;
    f->want = (uint32_t)f->head[1] << 24 | (uint32_t)f->head[2] << 16 | (uint32_t)f->head[3] << 8 |
              f->head[4];
    f->got = 0;
    return f->want > f->cap_bytes ? ERR(TOO_LARGE) : ERR_OK;
}

static struct err make_room(struct frame_reader *f, uint32_t need)
{
    if (need <= f->room)
        return ERR_OK;
    uint32_t room = f->room == 0 ? FIRST_ROOM_BYTES : f->room > f->want / 2 ? f->want : f->room * 2;
    if (room < need)
        room = need;
    if (room > f->want)
        room = f->want;
    uint8_t *body = malloc(room);
    if (body == NULL)
        return ERR(NO_MEMORY);
    if (f->got > 0)
        memcpy(body, f->body, f->got);
    bytes_wipe(f->body, f->got);
    free(f->body);
    f->body = body;
    f->room = room;
    return ERR_OK;
}

struct err frame_reader_feed(struct frame_reader *f, const uint8_t *data, size_t len,
                             size_t *ret_used, bool *ret_complete)
{
    size_t used = 0;
    while (f->head_len < FRAME_HEAD_BYTES && used < len) {
        f->head[f->head_len++] = data[used++];
        if (f->head_len == FRAME_HEAD_BYTES)
            TRY(read_head(f));
    }
    if (f->head_len == FRAME_HEAD_BYTES && f->got < f->want && used < len) {
        size_t n = len - used < f->want - f->got ? len - used : f->want - f->got;
        TRY(make_room(f, f->got + (uint32_t)n));
        memcpy(f->body + f->got, data + used, n);
        f->got += (uint32_t)n;
        used += n;
    }
    *ret_used = used;
    *ret_complete = f->head_len == FRAME_HEAD_BYTES && f->got == f->want;
    return ERR_OK;
}

struct bytes frame_reader_message(const struct frame_reader *f)
{
    return bytes_of(f->body, f->want);
}

void frame_reader_next(struct frame_reader *f)
{
    bytes_wipe(f->body, f->got);
    /* a large message must not keep its memory for the small ones after it */
    if (f->room > FIRST_ROOM_BYTES) {
        free(f->body);
        f->body = NULL;
        f->room = 0;
    }
    f->head_len = 0;
    f->got = 0;
    f->want = 0;
}

void frame_reader_adopt(struct frame_reader *f, struct buf *body)
{
    free(f->body);
    f->body = body->data;
    f->room = (uint32_t)body->cap;
    f->want = f->got = (uint32_t)body->len;
    f->head_len = FRAME_HEAD_BYTES;
    *body = (struct buf){.limit = body->limit};
}

void frame_head_write(uint8_t head[FRAME_HEAD_BYTES], bool compressed, uint32_t len)
{
    head[0] = compressed ? 1 : 0;
    head[1] = (uint8_t)(len >> 24);
    head[2] = (uint8_t)(len >> 16);
    head[3] = (uint8_t)(len >> 8);
    head[4] = (uint8_t)len;
}
