#include "mls/public/proposal_store.h"

#include <stdlib.h>

#include "crypto/labelled.h"

static void free_entry(struct stored_proposal *entry)
{
    arena_clear(&entry->arena);
    free(entry);
}

void proposal_store_clear(struct proposal_store *store)
{
    for (uint32_t i = 0; i < store->count; i++)
        free_entry(store->entries[i]);
    free(store->entries);
    free(store->by_ref);
    *store = (struct proposal_store){0};
}

struct err proposal_ref(const struct hash_alg *alg, const struct authenticated_content *content,
                        struct digest *ret_ref)
{
    struct buf b = BUF_INIT;
    authenticated_content_write(&b, content);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err =
            labelled_ref_hash(alg, bytes_str("MLS 1.0 Proposal Reference"), buf_view(&b), ret_ref);
    buf_clear(&b);
    return err;
}

/* The first place in by_ref whose ref is not below. */
static uint32_t place_of(const struct proposal_store *store, struct bytes ref)
{
    uint32_t low = 0;
    uint32_t high = store->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(digest_view(&store->entries[store->by_ref[middle]]->ref), ref) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct stored_proposal *proposal_store_find(const struct proposal_store *store,
                                                  struct bytes ref)
{
    uint32_t place = place_of(store, ref);
    if (place == store->count)
        return NULL;
    const struct stored_proposal *entry = store->entries[store->by_ref[place]];
    return bytes_equal(digest_view(&entry->ref), ref) ? entry : NULL;
}

static struct err make_room(struct proposal_store *store)
{
    if (store->count < store->cap)
        return ERR_OK;
    uint32_t cap = store->cap == 0 ? 8 : 2 * store->cap;
    struct stored_proposal **entries =
        realloc(store->entries, cap * sizeof(struct stored_proposal *));
    if (entries == NULL)
        return ERR(NO_MEMORY);
    store->entries = entries;
    uint32_t *by_ref = realloc(store->by_ref, cap * sizeof *by_ref);
    if (by_ref == NULL)
        return ERR(NO_MEMORY);
    store->by_ref = by_ref;
    store->cap = cap;
    return ERR_OK;
}

/* Copies the message into the entry and reads it there, so that all views stay good. */
static struct err fill(struct stored_proposal *entry, const struct authenticated_content *content)
{
    struct buf b = BUF_INIT;
    authenticated_content_write(&b, content);
    struct err err = buf_check(&b);
    /* twice the message, for the copy and the structures over it, and what a key package takes */
    arena_init(&entry->arena, 2 * b.len + 4096);
    const void *copy = err_is_ok(err) ? arena_copy(&entry->arena, b.data, b.len) : NULL;
    if (err_is_ok(err) && copy == NULL)
        err = ERR(NO_MEMORY);
    if (err_is_ok(err)) {
        struct authenticated_content own;
        entry->bytes = bytes_of(copy, b.len);
        err = authenticated_content_parse(entry->bytes, &entry->arena, &own);
        if (err_is_ok(err)) {
            entry->sender = own.content.sender;
            entry->proposal = own.content.proposal;
        }
    }
    buf_clear(&b);
    return err;
}

struct err proposal_store_add(struct proposal_store *store, const struct hash_alg *alg,
                              const struct authenticated_content *content)
{
    struct digest ref;
    TRY(proposal_ref(alg, content, &ref));
    if (proposal_store_find(store, digest_view(&ref)) != NULL)
        return ERR_OK;
    if (store->count == PROPOSAL_STORE_MAX_COUNT || store->bytes >= PROPOSAL_STORE_MAX_BYTES)
        return ERR(MLS_TOO_MANY_PROPOSALS);
    TRY(make_room(store));
    struct stored_proposal *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return ERR(NO_MEMORY);
    struct err err = fill(entry, content);
    if (!err_is_ok(err)) {
        free_entry(entry);
        return err;
    }
    entry->ref = ref;
    entry->number = store->count;
    uint32_t place = place_of(store, digest_view(&ref));
    memmove(store->by_ref + place + 1, store->by_ref + place,
            (store->count - place) * sizeof *store->by_ref);
    store->by_ref[place] = store->count;
    store->entries[store->count++] = entry;
    store->bytes += entry->bytes.len;
    return ERR_OK;
}

void proposal_store_drop_last(struct proposal_store *store)
{
    struct stored_proposal *entry = store->entries[--store->count];
    uint32_t place = 0;
    while (store->by_ref[place] != store->count)
        place++;
    memmove(store->by_ref + place, store->by_ref + place + 1,
            (store->count - place) * sizeof *store->by_ref);
    store->bytes -= entry->bytes.len;
    free_entry(entry);
}
