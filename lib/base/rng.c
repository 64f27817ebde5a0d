#include "base/rng.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"

static struct err system_fill(void *self, uint8_t *out, size_t len)
{
    (void)self;
    while (len > 0) {
        ssize_t got = getrandom(out, len, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return ERR(IO);
        }
        out += got;
        len -= (size_t)got;
    }
    return ERR_OK;
}

const struct rng rng_system = {system_fill, NULL};

static struct err block_fill(void *self, uint8_t *out, size_t len)
{
    struct rng_block *b = self;
    if (len > sizeof b->bytes)
        return rng_fill(b->from, out, len);
    if (len > b->left) {
        TRY(rng_fill(b->from, b->bytes, sizeof b->bytes));
        b->left = sizeof b->bytes;
    }
    uint8_t *next = b->bytes + sizeof b->bytes - b->left;
    memcpy(out, next, len);
    bytes_wipe(next, len);
    b->left -= len;
    return ERR_OK;
}

struct rng rng_of_block(struct rng_block *b, const struct rng *from)
{
    b->from = from;
    b->left = 0;
    return (struct rng){block_fill, b};
}

void rng_block_wipe(struct rng_block *b)
{
    bytes_wipe(b, sizeof *b);
}

/* splitmix64 spreads the seed over the state, as the authors of xoshiro recommend. */
void rng_seeded_init(struct rng_seeded *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->state[i] = z ^ (z >> 31);
    }
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_seeded_next(struct rng_seeded *r)
{
    uint64_t *s = r->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

static struct err seeded_fill(void *self, uint8_t *out, size_t len)
{
    while (len > 0) {
        uint64_t word = rng_seeded_next(self);
        size_t n = len < sizeof word ? len : sizeof word;
        memcpy(out, &word, n);
        out += n;
        len -= n;
    }
    return ERR_OK;
}

struct rng rng_of_seeded(struct rng_seeded *r)
{
    return (struct rng){seeded_fill, r};
}
