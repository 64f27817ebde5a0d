#include "base/bytes.h"

#include <stdlib.h>

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool bytes_equal_ct(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference = (uint8_t)(difference | (a.data[i] ^ b.data[i]));
    return difference == 0;
}

void bytes_wipe(void *data, size_t len)
{
    if (len > 0)
        explicit_bzero(data, len);
}

static bool make_room(struct buf *b, size_t more, bool exactly)
{
    size_t limit = b->limit > 0 ? b->limit : BUF_DEFAULT_LIMIT;
    if (b->failed || more > limit || b->len > limit - more) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more;
    if (need <= b->cap)
        return true;
    size_t cap = exactly ? need : b->cap < 64 ? 64 : b->cap * 2;
    if (cap < need)
        cap = need;
    if (cap > limit)
        cap = limit;
    /* not realloc: what moves away may be secret and is wiped */
    uint8_t *data = malloc(cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    if (b->len > 0)
        memcpy(data, b->data, b->len);
    bytes_wipe(b->data, b->len);
    free(b->data);
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_reserve(struct buf *b, size_t len)
{
    (void)make_room(b, len, true);
}

uint8_t *buf_extend(struct buf *b, size_t len)
{
    if (!make_room(b, len, false))
        return NULL;
    uint8_t *room = b->data + b->len;
    b->len += len;
    return room;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    uint8_t *room = buf_extend(b, len);
    if (room != NULL)
        memcpy(room, data, len);
}

void buf_append_byte(struct buf *b, uint8_t byte)
{
    buf_append(b, &byte, 1);
}

void buf_append_bytes(struct buf *b, struct bytes view)
{
    buf_append(b, view.data, view.len);
}

void buf_reset_unwiped(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

void buf_drop_front(struct buf *b, size_t len)
{
    b->len -= len;
    if (b->len > 0)
        memmove(b->data, b->data + len, b->len);
}

void buf_clear(struct buf *b)
{
    bytes_wipe(b->data, b->cap);
    free(b->data);
    *b = (struct buf){.limit = b->limit};
}

struct err buf_check(const struct buf *b)
{
    if (!b->failed)
        return ERR_OK;
    size_t limit = b->limit > 0 ? b->limit : BUF_DEFAULT_LIMIT;
    return b->len >= limit / 2 ? ERR(TOO_LARGE) : ERR(NO_MEMORY);
}

struct err buf_replace(struct buf *b, struct buf *with)
{
    struct err err = buf_check(with);
    if (!err_is_ok(err)) {
        buf_clear(with);
        return err;
    }
    buf_clear(b);
    *b = *with;
    *with = BUF_INIT;
    return ERR_OK;
}
