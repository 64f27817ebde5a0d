/* Token buckets by name, many, in bounded memory (limit.h). Knows rows by number only.
 *
 * Open addressing, 16 locks over 16 parts. A bucket may lie in any of BUCKET_WINDOW neighbouring
 * slots. What a bucket holds is what was spent, in 3.6e9ths of a credit: at per_hour credits an
 * hour per_hour of these come back each microsecond, so nothing is lost by rounding.
 */
#ifndef FRONT_BUCKET_TABLE_H
#define FRONT_BUCKET_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "crypto/hash.h"

enum {
    BUCKET_PARTS = 16,
    BUCKET_WINDOW = 32,
    BUCKET_TAG_BYTES = 14,
    BUCKET_BURST_MOST = INT32_MAX
};

#define BUCKET_CREDIT UINT64_C(3600000000) /* microseconds of an hour: what a credit is held as */

/* 32 bytes. */
struct bucket_slot {
    uint8_t tag[BUCKET_TAG_BYTES];
    uint16_t row_1;   /* row + 1; 0: never used */
    uint64_t last_us; /* when `spent` was last settled */
    uint64_t spent;   /* 3.6e9ths of a credit */
};

struct bucket_part {
    pthread_mutex_t lock;
    struct bucket_slot *slots;
};

struct bucket_key {
    struct hmac mac;  /* prepared */
    uint64_t from_us; /* monotonic */
    bool set;
};

/* What a row allows. May change under a reader, which may see one number new and the other old. */
struct bucket_rate {
    _Atomic uint32_t burst;    /* credits, at most BUCKET_BURST_MOST, or sums would overflow */
    _Atomic uint64_t per_hour; /* credits */
};

struct bucket_table {
    struct bucket_part parts[BUCKET_PARTS];
    size_t part_slots; /* power of two */
    pthread_rwlock_t key_lock;
    struct bucket_key now, before;
};

/* slots: power of two, at least BUCKET_PARTS * BUCKET_WINDOW. ERR_NO_MEMORY. */
CHECKED struct err bucket_table_init(struct bucket_table *table, size_t slots);
void bucket_table_clear(struct bucket_table *table);
/* From now on names are hashed under another key; the one before is kept until the next time, so
 * that buckets move over. key: 32 bytes. */
void bucket_table_rekey(struct bucket_table *table, const uint8_t *key, uint64_t now_us);
/* When the key was set last. */
uint64_t bucket_table_keyed_us(struct bucket_table *table);

/* rates: of all rows, for finding buckets that are full. ERR_LIMIT, ERR_FRONT_OVERLOAD; ret_wait_us
 * is written with ERR_LIMIT, UINT64_MAX when never. */
CHECKED struct err bucket_table_take(struct bucket_table *table, const struct bucket_rate *rates,
                                     uint16_t row, struct bytes name, uint32_t cost,
                                     uint64_t now_us, uint64_t *ret_wait_us);

/* What `from` has spent of the row counts as spent by `to`, too: the greater of the two. Neither
 * loses anything. false: there was no room for `to`. */
bool bucket_table_inherit(struct bucket_table *table, const struct bucket_rate *rates, uint16_t row,
                          struct bytes from, struct bytes to, uint64_t now_us);

/* Every bucket that is not full, as it is now; a lock is held meanwhile. */
void bucket_table_each(struct bucket_table *table, const struct bucket_rate *rates, uint64_t now_us,
                       void (*visit)(void *arg, const uint8_t tag[BUCKET_TAG_BYTES], uint16_t row,
                                     uint64_t spent),
                       void *arg);
/* Puts one there, whatever was there before. false: no room. */
bool bucket_table_put(struct bucket_table *table, const struct bucket_rate *rates,
                      const uint8_t tag[BUCKET_TAG_BYTES], uint16_t row, uint64_t spent,
                      uint64_t now_us);

#endif
