/* A token bucket: `burst` credits at most, `per_s` new ones a second. The zero state is a full
 * bucket.
 */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t last_us; /* when `spent` was last settled */
    uint64_t spent_u; /* millionths of a credit in use */
};

/* Takes cost credits, or takes nothing and returns false. now_us is monotonic. */
bool bucket_take(struct bucket *b, uint64_t now_us, uint32_t burst, uint32_t per_s, uint32_t cost);
/* Milliseconds until `cost` credits will be there, rounded up; UINT32_MAX when never. */
uint32_t bucket_wait_ms(const struct bucket *b, uint64_t now_us, uint32_t burst, uint32_t per_s,
                        uint32_t cost);

#endif
