#include "mls/codec/list.h"

static struct bytes read_multiple(struct wire_reader *r, size_t element_bytes, size_t max_count)
{
    struct bytes raw = wire_read_vector(r);
    if (raw.len % element_bytes != 0)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    if (raw.len / element_bytes > max_count)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
    return r->failure == ERR_NONE ? raw : bytes_of(NULL, 0);
}

void u16_list_read(struct wire_reader *r, size_t max_count, struct u16_list *list)
{
    list->raw = read_multiple(r, 2, max_count);
}

void u16_list_write(struct buf *b, const struct u16_list *list)
{
    wire_write_vector(b, list->raw);
}

bool u16_list_has(const struct u16_list *list, uint16_t value)
{
    size_t count = u16_list_count(list);
    for (size_t i = 0; i < count; i++) {
        if (u16_list_at(list, i) == value)
            return true;
    }
    return false;
}

struct u16_list u16_list_of(struct arena *a, const uint16_t *values, size_t count)
{
    uint8_t *room = arena_alloc(a, 2 * count);
    if (room == NULL)
        return (struct u16_list){0};
    for (size_t i = 0; i < count; i++) {
        room[2 * i] = (uint8_t)(values[i] >> 8);
        room[2 * i + 1] = (uint8_t)values[i];
    }
    return (struct u16_list){bytes_of(room, 2 * count)};
}

void u32_list_read(struct wire_reader *r, size_t max_count, struct u32_list *list)
{
    list->raw = read_multiple(r, 4, max_count);
}

void u32_list_write(struct buf *b, const struct u32_list *list)
{
    wire_write_vector(b, list->raw);
}

bool u32_list_has_sorted(const struct u32_list *list, uint32_t value)
{
    size_t low = 0;
    size_t high = u32_list_count(list);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t at = u32_list_at(list, middle);
        if (at == value)
            return true;
        if (at < value)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void *codec_alloc(struct wire_reader *r, struct arena *a, size_t len)
{
    if (r->failure != ERR_NONE)
        return NULL;
    void *room = arena_alloc(a, len);
    if (room == NULL) {
        bool over_cap = len > a->cap_bytes || a->used_bytes > a->cap_bytes - len;
        wire_reader_fail(r, over_cap ? ERR_TOO_LARGE : ERR_NO_MEMORY);
    }
    return room;
}

void *codec_grow(struct wire_reader *r, struct arena *a, void *array, size_t count, size_t *cap,
                 size_t element_bytes, size_t max_count)
{
    if (count < *cap)
        return array;
    if (count >= max_count) {
        wire_reader_fail(r, ERR_WIRE_LIMIT);
        return array;
    }
    size_t wider = *cap == 0 ? 4 : *cap * 2;
    void *room = codec_alloc(r, a, wider * element_bytes);
    if (room == NULL)
        return array;
    if (count > 0)
        memcpy(room, array, count * element_bytes);
    *cap = wider;
    return room;
}
