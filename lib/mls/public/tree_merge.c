/* Merging a diff into its base: everything that can fail first, then moves only. */
#include <stdlib.h>

#include "mls/public/key_index.h"
#include "mls/public/tree_diff.h"

struct order {
    key_index_key *key_of;
};

static int by_key(const void *a, const void *b, void *context)
{
    const struct order *order = context;
    const struct tree_diff_entry *x = *(const struct tree_diff_entry *const *)a;
    const struct tree_diff_entry *y = *(const struct tree_diff_entry *const *)b;
    return bytes_compare(order->key_of(x->node), order->key_of(y->node));
}

/* Does the node bring a key that stood not at this place before? */
static bool is_new_key(const struct tree_diff *d, const struct tree_diff_entry *entry,
                       key_index_key *key_of)
{
    if (entry->node == NULL || entry->index >= tree_math_node_count(d->width))
        return false;
    const struct tree_node *old = tree_at(d->base, entry->index);
    return old == NULL || (old != entry->node && !bytes_equal(key_of(old), key_of(entry->node)));
}

/* Is the key that the base has at this place still there? */
static bool keeps_key(const struct tree_diff *d, uint32_t index, key_index_key *key_of)
{
    const struct tree_node *old = tree_at(d->base, index);
    const struct tree_node *now = tree_diff_at(d, index);
    return now != NULL && (now == old || bytes_equal(key_of(old), key_of(now)));
}

bool tree_diff_has_encryption_key(const struct tree_diff *d, struct bytes key)
{
    uint32_t index;
    if (tree_find_encryption_key(d->base, key, &index) &&
        keeps_key(d, index, tree_node_encryption_key))
        return true;
    for (uint32_t i = 0; i < d->count; i++) {
        const struct tree_diff_entry *entry = &d->entries[i];
        if (is_new_key(d, entry, tree_node_encryption_key) &&
            bytes_equal(tree_node_encryption_key(entry->node), key))
            return true;
    }
    return false;
}

/* The first place in a sorted index whose key is not below. Keys are those of the base. */
static uint32_t place_of(const struct tree_diff *d, const struct key_index *index,
                         key_index_key *key_of, struct bytes key)
{
    uint32_t low = 0;
    uint32_t high = index->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(key_of(tree_at(d->base, index->sorted[middle])), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What stays of old[from..to) goes to the end of out. */
static void keep_range(const struct tree_diff *d, const struct key_index *old,
                       key_index_key *key_of, uint32_t from, uint32_t to, struct key_index *out)
{
    for (uint32_t i = from; i < to; i++) {
        if (keeps_key(d, old->sorted[i], key_of))
            out->sorted[out->count++] = old->sorted[i];
    }
}

/* Merges two sorted lists: what stays of the base's index, and the new entries. False when a key is
 * in both. Old keys are looked at only where a new one is to be put: reading all would cost more
 * than the rest of a commit. */
static bool merge_sorted(const struct tree_diff *d, const struct key_index *old,
                         key_index_key *key_of, struct tree_diff_entry *const *added,
                         uint32_t added_count, struct key_index *out)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < added_count; i++) {
        struct bytes key = key_of(added[i]->node);
        uint32_t place = place_of(d, old, key_of, key);
        keep_range(d, old, key_of, done, place, out);
        done = place;
        if (place < old->count && keeps_key(d, old->sorted[place], key_of) &&
            bytes_equal(key_of(tree_at(d->base, old->sorted[place])), key))
            return false;
        out->sorted[out->count++] = added[i]->index;
    }
    keep_range(d, old, key_of, done, old->count, out);
    return true;
}

/* step: 1 looks at all nodes, 2 at leaves. */
static struct err prepare_index(const struct tree_diff *d, const struct key_index *old,
                                uint32_t step, key_index_key *key_of, enum err_code twice,
                                struct key_index *ret_index)
{
    struct tree_diff_entry **added = malloc((d->count + 1) * sizeof(struct tree_diff_entry *));
    struct key_index index = {malloc((old->count + d->count + 1) * sizeof *index.sorted), 0};
    struct err err = ERR(NO_MEMORY);
    if (added == NULL || index.sorted == NULL)
        goto out;
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->entries[i].index % step == 0 && is_new_key(d, &d->entries[i], key_of))
            added[count++] = &d->entries[i];
    }
    qsort_r(added, count, sizeof *added, by_key, &(struct order){key_of});
    err = (struct err){twice};
    for (uint32_t i = 1; i < count; i++) {
        if (bytes_equal(key_of(added[i - 1]->node), key_of(added[i]->node)))
            goto out;
    }
    if (!merge_sorted(d, old, key_of, added, count, &index))
        goto out;
    *ret_index = index;
    index.sorted = NULL;
    err = ERR_OK;
out:
    free(added);
    free(index.sorted);
    return err;
}

void tree_merge_clear(struct tree_merge *m)
{
    free(m->nodes);
    free(m->hashes);
    key_index_clear(&m->encryption_keys);
    key_index_clear(&m->signature_keys);
    *m = (struct tree_merge){0};
}

static struct err prepare(const struct tree_diff *d, struct tree_merge *m)
{
    /* RFC 9420 7.3: encryption_key and signature_key are unique among the members; 12.4.3.1: a
     * parent's key occurs in no other node. One list of all nodes' encryption keys holds both. */
    TRY(prepare_index(d, &d->base->encryption_keys, 1, tree_node_encryption_key,
                      ERR_MLS_ENCRYPTION_KEY_TWICE, &m->encryption_keys));
    TRY(prepare_index(d, &d->base->signature_keys, 2, tree_node_signature_key,
                      ERR_MLS_SIGNATURE_KEY_TWICE, &m->signature_keys));
    if (d->width == d->base->width)
        return ERR_OK;
    size_t count = tree_math_node_count(d->width);
    m->nodes = calloc(count, sizeof *m->nodes);
    m->hashes = malloc(count * d->base->hash->bytes);
    return m->nodes == NULL || m->hashes == NULL ? ERR(NO_MEMORY) : ERR_OK;
}

struct err tree_merge_prepare(const struct tree_diff *d, struct tree_merge *ret_merge)
{
    struct tree_merge m = {0};
    struct err err = prepare(d, &m);
    if (!err_is_ok(err)) {
        tree_merge_clear(&m);
        return err;
    }
    *ret_merge = m;
    return ERR_OK;
}

/* Moves what both widths have in common to the new arrays; what lies beyond is dropped. */
static void change_width(struct tree *base, uint32_t width, struct tree_merge *m)
{
    uint32_t old_count = tree_math_node_count(base->width);
    uint32_t new_count = tree_math_node_count(width);
    uint32_t common = old_count < new_count ? old_count : new_count;
    for (uint32_t i = 0; i < common; i++)
        m->nodes[i] = base->nodes[i];
    for (uint32_t i = common; i < old_count; i++)
        tree_node_unref(base->nodes[i]);
    memcpy(m->hashes, base->hashes, common * base->hash->bytes);
    free(base->nodes);
    free(base->hashes);
    base->nodes = m->nodes;
    base->hashes = m->hashes;
    base->width = width;
    m->nodes = NULL;
    m->hashes = NULL;
}

void tree_merge(struct tree *base, struct tree_diff *d, struct tree_merge *m)
{
    if (d->width != base->width)
        change_width(base, d->width, m);
    size_t len = base->hash->bytes;
    for (uint32_t i = 0; i < d->count; i++) {
        struct tree_diff_entry *entry = &d->entries[i];
        if (entry->index >= tree_math_node_count(d->width))
            continue;
        tree_node_unref(base->nodes[entry->index]);
        base->nodes[entry->index] = entry->node;
        entry->node = NULL;
        memcpy(base->hashes + len * entry->index, entry->hash, len);
    }
    key_index_clear(&base->encryption_keys);
    key_index_clear(&base->signature_keys);
    base->encryption_keys = m->encryption_keys;
    base->signature_keys = m->signature_keys;
    m->encryption_keys = (struct key_index){0};
    m->signature_keys = (struct key_index){0};
    base->credentials = d->credentials;
    base->member_count = d->member_count;
    tree_merge_clear(m);
    tree_diff_clear(d);
}
