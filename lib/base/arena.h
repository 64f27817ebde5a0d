/* An arena: many small allocations that die together.
 *
 * Each call owns one. It is capped; going over the cap is sticky (`overflow`), so a decoder tests
 * once at its end. Memory is zeroed when handed out and wiped when the arena is cleared. Not
 * thread-safe. In sanitizer builds every allocation is a malloc of its own, so that overruns show.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes;          /* handed out, padding included */
    size_t cap_bytes;           /* most that may be handed out */
    bool overflow;              /* sticky: an allocation failed */
};

/* The zero state with a cap set is valid and empty. */
void arena_init(struct arena *a, size_t cap_bytes);
/* Zeroed, aligned for any type; NULL when over the cap or out of memory. len 0 gives a valid
 * pointer. */
void *arena_alloc(struct arena *a, size_t len);
void *arena_copy(struct arena *a, const void *data, size_t len);
/* Zero-terminated copy. */
char *arena_strndup(struct arena *a, const char *text, size_t len);
/* Wipes everything and keeps the first small block for reuse. */
void arena_reset(struct arena *a);
/* Wipes and frees everything; the arena can be used again with the same cap. */
void arena_clear(struct arena *a);

#endif
