/* The nonces that were seen (protocol.md 4): a request that was verified once is refused the second
 * time. Bounded: when `most` are remembered none is forgotten for a new one; the new one is refused
 * for a moment (ERR_FRONT_OVERLOAD), until the oldest has had its time.
 *
 * Kept as the first 16 bytes of HMAC(random key, kind || id || nonce), so one caller can't use up
 * another's nonces and the table tells nothing. 24 bytes each and 4 to 8 for its chain, touched as
 * they are used. Entries lie in a ring in the order of their coming, all for the same time on the
 * monotonic clock, and in chains by hash. Thread-safe: one lock, held for some hundred nanoseconds.
 */
#ifndef FRONT_NONCE_TABLE_H
#define FRONT_NONCE_TABLE_H

#include <pthread.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "crypto/hash.h"

enum { NONCE_TAG_BYTES = 16 };

struct nonce_entry {
    uint8_t tag[NONCE_TAG_BYTES];
    uint32_t until_s; /* monotonic */
    uint32_t next_1;  /* of the chain: index + 1 */
};

struct nonce_table {
    pthread_mutex_t lock;
    struct nonce_entry *ring; /* most */
    uint32_t *heads;          /* index + 1 of each chain's newest */
    uint32_t most, mask;
    uint32_t first, count; /* of the ring */
    struct hmac mac;       /* prepared */
    bool open;
};

/* Errors: ERR_NO_MEMORY, or the rng's. */
CHECKED struct err nonce_table_init(struct nonce_table *table, const struct rng *rng);
void nonce_table_clear(struct nonce_table *table); /* safe on the zero state */

/* Remembers it for keep_s. most: how many may be remembered, at least 1, at most 2^30; the table is
 * made at the first call, and keeps that size. ERR_FRONT_UNAUTHENTICATED: seen before.
 * ERR_FRONT_OVERLOAD: full. keep_s should not change much: one that is remembered for less waits
 * behind those before it. ERR_NO_MEMORY. */
CHECKED struct err nonce_table_take(struct nonce_table *table, struct bytes_list name,
                                    uint32_t most, uint64_t now_us, uint32_t keep_s);
uint32_t nonce_table_count(struct nonce_table *table);

#endif
