/* What we know of an own label: each version that we made, or found, with its ladder. */
#include "client/core/log_inside.h"

static struct kt_lookup *own_find(struct log_label *l, uint32_t version)
{
    for (size_t i = 0; i < l->own_count; i++)
        if (l->own[i].version == version)
            return &l->own[i];
    return NULL;
}

/* Room for a new version's ladder: what neither the newest nor one that is not yet watched needs.
 */
static void own_forget(struct log_label *l)
{
    size_t kept = 0;
    if (l->own_count + l->known.count <= LOG_OWN_MAX)
        return;
    for (size_t i = 0; i < l->own_count; i++) {
        const struct kt_lookup *lookup = &l->own[i];
        bool late = lookup->present && lookup->epoch > l->watched.index;
        if (late || kt_known_find(&l->known, lookup->version) != NULL)
            l->own[kept++] = *lookup;
    }
    l->own_count = kept;
}

void log_own_learn(struct log_label *l)
{
    const struct kt_known *known = &l->known;
    own_forget(l);
    for (size_t i = 0; i < known->count; i++) {
        struct kt_lookup lookup = known->lookups[i];
        struct kt_lookup *held = own_find(l, lookup.version);
        /* where exactly it was added is not shown: at the latest here */
        lookup.epoch =
            known->pending && lookup.version == known->version ? known->epoch : known->dist_index;
        if (held == NULL && l->own_count < LOG_OWN_MAX)
            l->own[l->own_count++] = lookup;
        else if (held != NULL && !held->present && lookup.present)
            *held = lookup;
    }
}
