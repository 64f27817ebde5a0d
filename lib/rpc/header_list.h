/* A header block being put together, on the stack. What does not fit is left out and seen by its
 * owner as a full list.
 */
#ifndef RPC_HEADER_LIST_H
#define RPC_HEADER_LIST_H

#include "rpc/h2.h"
#include "rpc/metadata.h"

enum { HEADER_LIST_MOST = 48 };

/* Constants of a header: never copied. */
#define HEADER_VIEW(literal)                            \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }
#define HEADER(name, value)                         \
    {                                               \
        HEADER_VIEW(name), HEADER_VIEW(value), true \
    }

struct header_list {
    struct h2_header at[HEADER_LIST_MOST];
    size_t count;
};

static inline void header_list_put(struct header_list *list, struct h2_header header)
{
    if (list->count < HEADER_LIST_MOST)
        list->at[list->count++] = header;
}

/* borrowed: metadata and arena outlive the stream, so nothing needs to be copied. */
static inline void header_list_put_metadata(struct header_list *list, struct arena *arena,
                                            const struct metadata *metadata, bool borrowed)
{
    for (const struct metadata_entry *e = metadata->first; e != NULL; e = e->next) {
        struct bytes value = metadata_wire_value(e, arena);
        if (value.data != NULL)
            header_list_put(list, (struct h2_header){e->name, value, borrowed});
    }
}

#endif
