#include "server/keeper/ref_cache.h"

#include <stdlib.h>

#include "crypto/hash.h"

/* Entries lie in one array; lists are indices into it: a chain per bucket, and one list of all by
 * use. */
enum { BUCKETS = REF_CACHE_ENTRIES };
#define NONE UINT32_MAX

struct entry {
    uint8_t key[REF_CACHE_KEY_BYTES];
    struct queue_ref ref;
    uint32_t chain;        /* next in the bucket */
    uint32_t newer, older; /* by use */
};

struct ref_cache {
    uint32_t buckets[BUCKETS];
    uint32_t newest, oldest;
    uint32_t count;
    struct entry entries[REF_CACHE_ENTRIES];
};

void ref_cache_empty(struct ref_cache *cache)
{
    bytes_wipe(cache->entries, cache->count * sizeof *cache->entries);
    for (size_t i = 0; i < BUCKETS; i++)
        cache->buckets[i] = NONE;
    cache->newest = cache->oldest = NONE;
    cache->count = 0;
}

struct err ref_cache_new(struct ref_cache **ret_cache)
{
    struct ref_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return ERR(NO_MEMORY);
    ref_cache_empty(cache);
    *ret_cache = cache;
    return ERR_OK;
}

void ref_cache_free(struct ref_cache *cache)
{
    if (cache == NULL)
        return;
    ref_cache_empty(cache);
    free(cache);
}

void ref_cache_key(struct bytes sealed, uint8_t ret_key[REF_CACHE_KEY_BYTES])
{
    struct digest digest;
    hash_once(&hash_sha256, sealed, &digest);
    memcpy(ret_key, digest.data, REF_CACHE_KEY_BYTES);
}

/* Whoever can choose references can make digests collide in 14 bits: 16,384 entries in one chain
 * take 2^28 hashes to find, for a walk of some 100 us. */
static uint32_t *bucket_of(struct ref_cache *cache, const uint8_t *key)
{
    uint32_t n;
    memcpy(&n, key, sizeof n);
    return &cache->buckets[n % BUCKETS];
}

static void unlink_use(struct ref_cache *cache, const struct entry *e)
{
    *(e->newer == NONE ? &cache->newest : &cache->entries[e->newer].older) = e->older;
    *(e->older == NONE ? &cache->oldest : &cache->entries[e->older].newer) = e->newer;
}

static void link_newest(struct ref_cache *cache, uint32_t at)
{
    struct entry *e = &cache->entries[at];
    e->newer = NONE;
    e->older = cache->newest;
    *(cache->newest == NONE ? &cache->oldest : &cache->entries[cache->newest].newer) = at;
    cache->newest = at;
}

const struct queue_ref *ref_cache_find(struct ref_cache *cache,
                                       const uint8_t key[REF_CACHE_KEY_BYTES])
{
    for (uint32_t at = *bucket_of(cache, key); at != NONE; at = cache->entries[at].chain) {
        struct entry *e = &cache->entries[at];
        if (memcmp(e->key, key, sizeof e->key) == 0) {
            unlink_use(cache, e);
            link_newest(cache, at);
            return &e->ref;
        }
    }
    return NULL;
}

/* A place for a new entry: a free one, or the least recently used one's. */
static uint32_t place(struct ref_cache *cache)
{
    if (cache->count < REF_CACHE_ENTRIES)
        return cache->count++;
    uint32_t at = cache->oldest;
    struct entry *e = &cache->entries[at];
    uint32_t *link = bucket_of(cache, e->key);
    while (*link != at)
        link = &cache->entries[*link].chain;
    *link = e->chain;
    unlink_use(cache, e);
    return at;
}

void ref_cache_put(struct ref_cache *cache, const uint8_t key[REF_CACHE_KEY_BYTES],
                   const struct queue_ref *ref)
{
    uint32_t at = place(cache);
    struct entry *e = &cache->entries[at];
    uint32_t *bucket = bucket_of(cache, key);
    memcpy(e->key, key, sizeof e->key);
    e->ref = *ref;
    e->chain = *bucket;
    *bucket = at;
    link_newest(cache, at);
}

size_t ref_cache_count(const struct ref_cache *cache)
{
    return cache->count;
}
