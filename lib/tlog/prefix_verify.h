/* Verifying the prefix tree's proofs (transparency.md 5, 12). Proving is in prefix_tree.h.
 *
 * A PrefixProof is evaluated to the root that it belongs to; the caller compares that with the root
 * in a log entry that it trusts. What each result says, present or absent, is the caller's to judge
 * before.
 */
#ifndef TLOG_PREFIX_VERIFY_H
#define TLOG_PREFIX_VERIFY_H

#include "tlog/prefix_proof.h"

struct prefix_lookup {
    const uint8_t *index;
    /* NULL when none is known: a result that says the index is present then fails. */
    const struct hash_value *commitment;
};

/* The root that `proof` shows for `count` lookups in its order; ERR_TLOG_PREFIX_PROOF when their
 * number differs, where lookups that meet disagree, when a leaf shown does not lie on its path, is
 * the one said to be absent, or has no known commitment, or when elements lack or are left over. */
CHECKED struct err prefix_evaluate(const struct prefix_proof *proof,
                                   const struct prefix_lookup *lookups, size_t count,
                                   struct hash_value *ret_root);

/* The same for leaves that are all absent, and the root after adding them: what an auditor checks.
 * leaves must be sorted by index without repetition (ERR_TLOG_PREFIX_TWICE). */
CHECKED struct err prefix_evaluate_added(const struct prefix_proof *proof,
                                         const struct prefix_leaf *leaves, size_t count,
                                         struct hash_value *ret_before,
                                         struct hash_value *ret_after);

#endif
