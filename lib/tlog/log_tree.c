#include "tlog/log_tree.h"

void log_leaf_hash(struct bytes entry, struct hash_value *ret_hash)
{
    static const uint8_t tag = 0;
    struct digest digest;
    hash_list(&hash_sha256, BYTES_LIST(bytes_of(&tag, 1), entry), &digest);
    memcpy(ret_hash->data, digest.data, HASH_VALUE_BYTES);
}

void log_parent_hash(const struct hash_value *left, const struct hash_value *right,
                     struct hash_value *ret_hash)
{
    hash_value_pair(1, left->data, right->data, ret_hash);
}

static bool size_fits(uint64_t size)
{
    return size >> LOG_SIZE_LIMIT_BITS == 0;
}

struct err log_append(const struct log_store *store, uint64_t size, const struct hash_value *leaf)
{
    if (!size_fits(size + 1))
        return ERR(ARGUMENT);
    struct hash_value hash = *leaf;
    TRY(store->put(store->self, 0, size, &hash));
    unsigned level = 0;
    for (uint64_t n = size; n & 1; n >>= 1) {
        struct hash_value left;
        TRY(store->get(store->self, level, n - 1, &left));
        log_parent_hash(&left, &hash, &hash);
        level++;
        TRY(store->put(store->self, level, n >> 1, &hash));
    }
    return ERR_OK;
}

static unsigned top_bit(uint64_t n)
{
    unsigned bit = 0;
    while (n >>= 1)
        bit++;
    return bit;
}

/* The root of entries lo to hi - 1, where a tree of some size has such a subtree: lo is a multiple
 * of the largest power of two up to hi - lo. Complete subtrees shrink to the right, so they are
 * collected left to right and joined from the end. */
static struct err range_root(const struct log_store *store, uint64_t lo, uint64_t hi,
                             struct hash_value *ret_root)
{
    struct hash_value roots[LOG_PATH_MAX];
    size_t count = 0;
    if (lo >= hi)
        return ERR(ARGUMENT);
    while (lo < hi) {
        unsigned level = top_bit(hi - lo);
        TRY(store->get(store->self, level, lo >> level, &roots[count]));
        count++;
        lo += (uint64_t)1 << level;
    }
    struct hash_value hash = roots[count - 1];
    for (size_t i = count - 1; i > 0; i--)
        log_parent_hash(&roots[i - 1], &hash, &hash);
    *ret_root = hash;
    return ERR_OK;
}

struct err log_root(const struct log_store *store, uint64_t size, struct hash_value *ret_root)
{
    if (!size_fits(size))
        return ERR(ARGUMENT);
    if (size > 0)
        return range_root(store, 0, size, ret_root);
    struct digest digest;
    hash_once(&hash_sha256, bytes_of(NULL, 0), &digest);
    memcpy(ret_root->data, digest.data, HASH_VALUE_BYTES);
    return ERR_OK;
}

/* Subtrees met on the way down, in the order root to leaf; proofs list them the other way. */
struct descent {
    struct {
        uint64_t lo, hi;
    } at[LOG_PATH_MAX];
    size_t count;
};

static void descent_note(struct descent *d, uint64_t lo, uint64_t hi)
{
    d->at[d->count].lo = lo;
    d->at[d->count].hi = hi;
    d->count++;
}

static struct err descent_prove(const struct log_store *store, const struct descent *d,
                                struct log_proof *ret_proof)
{
    struct log_proof proof = {.count = d->count};
    for (size_t i = 0; i < d->count; i++) {
        size_t from = d->count - 1 - i;
        TRY(range_root(store, d->at[from].lo, d->at[from].hi, &proof.at[i]));
    }
    *ret_proof = proof;
    return ERR_OK;
}

/* The largest power of two below n, n > 1. */
static uint64_t split(uint64_t n)
{
    return (uint64_t)1 << top_bit(n - 1);
}

struct err log_prove_inclusion(const struct log_store *store, uint64_t index, uint64_t size,
                               struct log_proof *ret_proof)
{
    if (index >= size || !size_fits(size))
        return ERR(ARGUMENT);
    struct descent d = {.count = 0};
    uint64_t lo = 0, hi = size;
    while (hi - lo > 1) {
        uint64_t middle = lo + split(hi - lo);
        if (index < middle) {
            descent_note(&d, middle, hi);
            hi = middle;
        } else {
            descent_note(&d, lo, middle);
            lo = middle;
        }
    }
    return descent_prove(store, &d, ret_proof);
}

struct err log_prove_consistency(const struct log_store *store, uint64_t old, uint64_t size,
                                 struct log_proof *ret_proof)
{
    if (old > size || !size_fits(size))
        return ERR(ARGUMENT);
    struct descent d = {.count = 0};
    if (old == 0 || old == size)
        return descent_prove(store, &d, ret_proof);
    uint64_t lo = 0, hi = size;
    while (hi != old) {
        uint64_t middle = lo + split(hi - lo);
        if (old <= middle) {
            descent_note(&d, middle, hi);
            hi = middle;
        } else {
            descent_note(&d, lo, middle);
            lo = middle;
        }
    }
    /* the verifier has the root of the old tree already when it is a subtree of the new */
    if (lo != 0)
        descent_note(&d, lo, hi);
    return descent_prove(store, &d, ret_proof);
}
