/* The log tree: hashing, appending and proving (RFC 6962 2.1, RFC 9162 2.1). Verifying is in
 * log_verify.h.
 *
 *     leaf = SHA-256(0x00 || entry)       parent = SHA-256(0x01 || left || right)
 *
 * What is stored are the roots of complete subtrees: (level, n) covers the entries n * 2^level to
 * (n + 1) * 2^level - 1. They never change, so a tree of an earlier size needs no copy.
 */
#ifndef TLOG_LOG_TREE_H
#define TLOG_LOG_TREE_H

#include "tlog/hash_value.h"

/* Where hashes live. get: ERR_TLOG_STORE when there is none; errors of the store go through. */
struct log_store {
    CHECKED struct err (*get)(void *self, unsigned level, uint64_t n, struct hash_value *ret_hash);
    /* NULL where nothing is appended. */
    CHECKED struct err (*put)(void *self, unsigned level, uint64_t n,
                              const struct hash_value *hash);
    void *self;
};

enum { LOG_SIZE_LIMIT_BITS = 62 }; /* sizes are below 2^62; ERR_ARGUMENT */

void log_leaf_hash(struct bytes entry, struct hash_value *ret_hash);
void log_parent_hash(const struct hash_value *left, const struct hash_value *right,
                     struct hash_value *ret_hash);

/* Puts the leaf at index `size` and every subtree that it completes (less than two puts on
 * average). After an error the caller undoes the puts, or repeats the same append. */
CHECKED struct err log_append(const struct log_store *store, uint64_t size,
                              const struct hash_value *leaf);
/* The root of the first `size` entries; SHA-256 of nothing for 0. */
CHECKED struct err log_root(const struct log_store *store, uint64_t size,
                            struct hash_value *ret_root);

/* A proof by value: 2056 bytes. */
struct log_proof {
    struct hash_value at[LOG_PATH_MAX];
    size_t count;
};

static inline struct hash_run log_proof_run(const struct log_proof *proof)
{
    return (struct hash_run){proof->at[0].data, proof->count};
}

/* RFC 9162 2.1.3.1; index < size, else ERR_ARGUMENT. */
CHECKED struct err log_prove_inclusion(const struct log_store *store, uint64_t index, uint64_t size,
                                       struct log_proof *ret_proof);
/* RFC 9162 2.1.4.1; old <= size. Empty for old == 0 and old == size. */
CHECKED struct err log_prove_consistency(const struct log_store *store, uint64_t old, uint64_t size,
                                         struct log_proof *ret_proof);

#endif
