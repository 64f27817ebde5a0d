/* Verifying the log tree's proofs (RFC 9162 2.1.3.2, 2.1.4.2). Proving is in log_tree.h.
 */
#ifndef TLOG_LOG_VERIFY_H
#define TLOG_LOG_VERIFY_H

#include "tlog/hash_value.h"

/* leaf is the hash of the entry at index of the tree with `size` entries. ERR_TLOG_INCLUSION. */
CHECKED struct err log_verify_inclusion(uint64_t index, uint64_t size,
                                        const struct hash_value *leaf, const struct hash_run *proof,
                                        const struct hash_value *root);
/* The tree of `size` entries begins with that of `old`, which is at least 1: everything is
 * consistent with nothing, and a caller who has nothing must know it. ERR_TLOG_CONSISTENCY. */
CHECKED struct err log_verify_consistency(uint64_t old, uint64_t size,
                                          const struct hash_value *old_root,
                                          const struct hash_value *root,
                                          const struct hash_run *proof);

/* The root of the tree of `old` entries that a tree of more begins with. A power of two is a
 * subtree that its proof leaves out: then `proof` is the one from size 1 on, and first the root of
 * that. ERR_TLOG_CONSISTENCY. */
CHECKED struct err log_consistency_root(uint64_t old, uint64_t size, const struct hash_value *first,
                                        const struct hash_value *root, const struct hash_run *proof,
                                        struct hash_value *ret_root);

/* The root of the tree that ends with this leaf: what lies to the left in its inclusion proof,
 * which has been verified, is all that a smaller tree has. */
void log_root_up_to(uint64_t index, uint64_t size, const struct hash_value *leaf,
                    const struct hash_run *proof, struct hash_value *ret_root);

#endif
