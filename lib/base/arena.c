#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { ALIGN = _Alignof(max_align_t), FIRST_BLOCK_BYTES = 1024, LARGEST_BLOCK_BYTES = 16 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t used; /* bytes of data handed out */
    size_t cap;
    _Alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *a, size_t cap_bytes)
{
    *a = (struct arena){.cap_bytes = cap_bytes};
}

static struct arena_block *add_block(struct arena *a, size_t len)
{
    size_t cap = len;
#ifndef HEARTH_SANITIZED
    size_t usual =
        a->blocks == NULL ? FIRST_BLOCK_BYTES - sizeof(struct arena_block) : a->blocks->cap * 2;
    if (usual > LARGEST_BLOCK_BYTES)
        usual = LARGEST_BLOCK_BYTES;
    if (cap < usual)
        cap = usual;
#endif
    struct arena_block *block = malloc(sizeof *block + cap);
    if (block == NULL)
        return NULL;
    block->next = a->blocks;
    block->used = 0;
    block->cap = cap;
    a->blocks = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t len)
{
    if (len > SIZE_MAX - ALIGN || a->overflow) {
        a->overflow = true;
        return NULL;
    }
    size_t size = (len + ALIGN - 1) / ALIGN * ALIGN;
    if (size == 0)
        size = ALIGN;
    if (size > a->cap_bytes || a->used_bytes > a->cap_bytes - size) {
        a->overflow = true;
        return NULL;
    }
    struct arena_block *block = a->blocks;
    if (block == NULL || block->cap - block->used < size)
        block = add_block(a, size);
    if (block == NULL) {
        a->overflow = true;
        return NULL;
    }
    void *room = block->data + block->used;
    block->used += size;
    a->used_bytes += size;
    memset(room, 0, size);
    return room;
}

void *arena_copy(struct arena *a, const void *data, size_t len)
{
    void *room = arena_alloc(a, len);
    if (room != NULL && len > 0)
        memcpy(room, data, len);
    return room;
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
    if (len == SIZE_MAX) {
        a->overflow = true;
        return NULL;
    }
    char *room = arena_alloc(a, len + 1);
    if (room != NULL && len > 0)
        memcpy(room, text, len);
    return room;
}

static void free_blocks(struct arena_block *block, const struct arena_block *until)
{
    while (block != until) {
        struct arena_block *next = block->next;
        bytes_wipe(block->data, block->used);
        free(block);
        block = next;
    }
}

void arena_clear(struct arena *a)
{
    free_blocks(a->blocks, NULL);
    *a = (struct arena){.cap_bytes = a->cap_bytes};
}

void arena_reset(struct arena *a)
{
    struct arena_block *first = a->blocks;
    while (first != NULL && first->next != NULL)
        first = first->next;
#ifdef HEARTH_SANITIZED
    first = NULL;
#endif
    if (first != NULL && first->cap > FIRST_BLOCK_BYTES)
        first = NULL;
    free_blocks(a->blocks, first);
    if (first != NULL) {
        bytes_wipe(first->data, first->used);
        first->used = 0;
    }
    *a = (struct arena){.blocks = first, .cap_bytes = a->cap_bytes};
}
