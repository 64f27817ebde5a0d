/* Borrowed byte strings and growable buffers.
 *
 * struct bytes is a view: it owns nothing and lives as long as what it points into.
 * struct buf owns its memory, grows up to a limit chosen at init, and fails stickily: after the
 * first failed append every later one is a no-op, so a sequence of appends needs one check at its
 * end.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct bytes {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;          /* bytes */
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){(const uint8_t *)data, len};
}

static inline struct bytes bytes_str(const char *text)
{
    return bytes_of(text, strlen(text));
}

/* Not for secrets: returns at the first difference (see bytes_equal_ct). */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Lexicographic by unsigned byte, shorter first; below 0, 0 or above 0. */
int bytes_compare(struct bytes a, struct bytes b);

/* Constant time in the contents; the lengths are public. */
bool bytes_equal_ct(struct bytes a, struct bytes b);

/* Overwrites memory in a way the compiler keeps. */
void bytes_wipe(void *data, size_t len);

struct buf {
    uint8_t *data;
    size_t len;   /* bytes written */
    size_t cap;   /* bytes allocated */
    size_t limit; /* most bytes it may hold; 0 means BUF_DEFAULT_LIMIT */
    bool failed;  /* sticky: out of memory or over the limit */
};

enum { BUF_DEFAULT_LIMIT = 64 * 1024 * 1024 };

/* The zero state is a valid empty buffer with the default limit. */
#define BUF_INIT ((struct buf){0})

void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_byte(struct buf *b, uint8_t byte);
void buf_append_bytes(struct buf *b, struct bytes view);
/* Makes room for len more bytes, no more than that, so that what is appended up to there neither
 * moves what is written nor leaves pages unused that are wiped in the end: for large contents whose
 * size is known. */
void buf_reserve(struct buf *b, size_t len);
/* Room for len more bytes, returned for the caller to fill; NULL on failure. len is added to
 * b->len. */
uint8_t *buf_extend(struct buf *b, size_t len);
/* Keeps the memory for reuse. Clears `failed`. Does not wipe. */
void buf_reset_unwiped(struct buf *b);
/* Drops the first len bytes. */
void buf_drop_front(struct buf *b, size_t len);
/* Wipes and frees; back to the zero state, keeping the limit. */
void buf_clear(struct buf *b);
/* ERR_NO_MEMORY or ERR_TOO_LARGE if an append failed. */
CHECKED struct err buf_check(const struct buf *b);
/* b becomes what was gathered in `with`, which may hold views into the old b until now; if the
 * gathering failed, b stays as it is and that error comes back. `with` is empty afterwards. */
CHECKED struct err buf_replace(struct buf *b, struct buf *with);

static inline struct bytes buf_view(const struct buf *b)
{
    return bytes_of(b->data, b->len);
}

#endif
