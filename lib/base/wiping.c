#include "base/wiping.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

void wiping_free(void *data)
{
    if (data != NULL)
        bytes_wipe(data, malloc_usable_size(data));
    free(data);
}

void *wiping_realloc(void *old, size_t len)
{
    if (old == NULL)
        return malloc(len);
    size_t had = malloc_usable_size(old);
    if (len > 0 && len <= had)
        return old;
    void *room = len > 0 ? malloc(len) : NULL;
    if (len > 0 && room == NULL)
        return NULL; /* the old one is as it was */
    if (room != NULL)
        memcpy(room, old, had < len ? had : len);
    wiping_free(old);
    return room;
}
