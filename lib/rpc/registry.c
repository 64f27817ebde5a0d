#include "rpc/registry.h"

#include <stdlib.h>

/* FNV-1a; the paths are ours, so nobody can choose collisions that matter */
static size_t hash(struct bytes path)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < path.len; i++)
        h = (h ^ path.data[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

static struct bound_endpoint *slot_of(const struct registry *r, struct bytes path)
{
    size_t i = hash(path) & (r->slot_count - 1);
    while (r->slots[i].row != NULL && !bytes_equal(bytes_str(r->slots[i].row->path), path))
        i = (i + 1) & (r->slot_count - 1);
    return &r->slots[i];
}

const struct bound_endpoint *registry_find(const struct registry *r, struct bytes path)
{
    if (r->slot_count == 0)
        return NULL;
    const struct bound_endpoint *slot = slot_of(r, path);
    return slot->row != NULL ? slot : NULL;
}

static struct err make_room(struct registry *r, size_t endpoints)
{
    size_t need = (r->endpoint_count + endpoints) * 2;
    size_t count = r->slot_count == 0 ? 16 : r->slot_count;
    while (count < need)
        count *= 2;
    if (count == r->slot_count)
        return ERR_OK;
    struct bound_endpoint *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return ERR(NO_MEMORY);
    struct registry old = *r;
    r->slots = slots;
    r->slot_count = count;
    for (size_t i = 0; i < old.slot_count; i++) {
        if (old.slots[i].row != NULL)
            *slot_of(r, bytes_str(old.slots[i].row->path)) = old.slots[i];
    }
    free(old.slots);
    return ERR_OK;
}

struct err registry_add(struct registry *r, const struct hearth_service *service, const void *impl,
                        void *self)
{
    for (size_t i = 0; i < service->endpoint_count; i++) {
        if (registry_find(r, bytes_str(service->endpoints[i].path)) != NULL)
            return ERR(WRONG_STATE);
    }
    TRY(make_room(r, service->endpoint_count));
    const struct hearth_service **services =
        realloc(r->services, (r->service_count + 1) * sizeof(const struct hearth_service *));
    if (services == NULL)
        return ERR(NO_MEMORY);
    r->services = services;
    r->services[r->service_count++] = service;
    for (size_t i = 0; i < service->endpoint_count; i++) {
        const struct hearth_endpoint *row = &service->endpoints[i];
        *slot_of(r, bytes_str(row->path)) = (struct bound_endpoint){row, impl, self};
        r->endpoint_count++;
    }
    return ERR_OK;
}

void registry_clear(struct registry *r)
{
    free(r->services);
    free(r->slots);
    *r = (struct registry){0};
}
