/* SHA-2 and HMAC (FIPS 180-4, RFC 2104). Nothing here can fail or allocates.
 *
 * States are plain values: copying one by assignment forks the computation, which is how a prefix
 * is hashed once for many messages. A state is 224 bytes.
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/bytes.h"

enum {
    HASH_MAX_BYTES = 64,        /* output of SHA-512 */
    HASH_MAX_BLOCK_BYTES = 128, /* input block of SHA-384 and SHA-512 */
    HASH_STATE_BYTES = 216,
};

/* The working memory of whichever algorithm; only hash.c looks inside. */
union hash_state {
    uint64_t align;
    uint8_t bytes[HASH_STATE_BYTES];
};

struct hash_alg {
    const char *name;
    size_t bytes;       /* output */
    size_t block_bytes; /* input block */
    void (*init)(union hash_state *state);
    void (*update)(union hash_state *state, const uint8_t *data, size_t len);
    void (*final)(union hash_state *state, uint8_t *out);
};

extern const struct hash_alg hash_sha256;
extern const struct hash_alg hash_sha384;
extern const struct hash_alg hash_sha512;

/* An output by value. Outputs that are secret are struct secret instead. 72 bytes. */
struct digest {
    uint8_t data[HASH_MAX_BYTES];
    size_t len; /* bytes in use */
};

static inline struct bytes digest_view(const struct digest *d)
{
    return bytes_of(d->data, d->len);
}

/* Pieces taken as one string, so that callers need not join them in memory:
 * `hash_list(alg, BYTES_LIST(a, b), &digest)`. The list borrows. */
struct bytes_list {
    const struct bytes *at;
    size_t count;
};
#define BYTES_LIST(...)                                       \
    ((struct bytes_list){(const struct bytes[]){__VA_ARGS__}, \
                         sizeof((const struct bytes[]){__VA_ARGS__}) / sizeof(struct bytes)})

struct hash {
    const struct hash_alg *alg;
    union hash_state state;
};

void hash_init(struct hash *h, const struct hash_alg *alg);
void hash_update(struct hash *h, struct bytes data);
/* Ends the computation and wipes the state; hash_init before the next use. */
void hash_final(struct hash *h, struct digest *ret_digest);

void hash_once(const struct hash_alg *alg, struct bytes data, struct digest *ret_digest);
void hash_list(const struct hash_alg *alg, struct bytes_list data, struct digest *ret_digest);

/* HMAC. A state after hmac_init is a prepared key: copies of it save two compressions per message.
 */
struct hmac {
    struct hash inner;
    struct hash outer;
};

/* Any key length; a key longer than a block is hashed first. */
void hmac_init(struct hmac *m, const struct hash_alg *alg, struct bytes key);
void hmac_update(struct hmac *m, struct bytes data);
/* Writes alg->bytes bytes and wipes the state. */
void hmac_final(struct hmac *m, uint8_t *ret_mac);
void hmac_clear(struct hmac *m);

void hmac_once(const struct hash_alg *alg, struct bytes key, struct bytes_list data,
               struct digest *ret_mac);
/* Full length, constant time. ERR_CRYPTO_TAG when mac is not the HMAC of data. */
CHECKED struct err hmac_verify(const struct hash_alg *alg, struct bytes key, struct bytes_list data,
                               struct bytes mac);

#endif
