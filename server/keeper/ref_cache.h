/* Sealed references that were opened lately, by SHA-256 of their bytes: opening costs a DH
 * (30 us), finding one here a hash. Bounded; the least recently used goes. Only good ones are kept;
 * who makes many good ones (the key is public) can make it as slow as it would be without a table.
 * Internal to server/keeper; not thread-safe.
 */
#ifndef SERVER_REF_CACHE_H
#define SERVER_REF_CACHE_H

#include "seal/sealed_ref.h"

enum { REF_CACHE_ENTRIES = 16384, REF_CACHE_KEY_BYTES = 32 };

struct ref_cache;

/* 16,384 entries, about 5 MiB, are held from the start. */
CHECKED struct err ref_cache_new(struct ref_cache **ret_cache);
void ref_cache_free(struct ref_cache *cache); /* wipes; NULL is fine */
void ref_cache_empty(struct ref_cache *cache);

void ref_cache_key(struct bytes sealed, uint8_t ret_key[REF_CACHE_KEY_BYTES]);
/* NULL when it is not in; valid until the next call. Becomes the most recently used. */
const struct queue_ref *ref_cache_find(struct ref_cache *cache,
                                       const uint8_t key[REF_CACHE_KEY_BYTES]);
/* key is not in. */
void ref_cache_put(struct ref_cache *cache, const uint8_t key[REF_CACHE_KEY_BYTES],
                   const struct queue_ref *ref);
size_t ref_cache_count(const struct ref_cache *cache);

#endif
