/* Parent hashes (RFC 9420 7.9). */
#ifndef MLS_PUBLIC_PARENT_HASH_H
#define MLS_PUBLIC_PARENT_HASH_H

#include "mls/public/tree_path.h"

/* Hash of ParentHashInput. */
void parent_hash_compute(const struct hash_alg *alg, struct bytes encryption_key,
                         struct bytes parent_hash, struct bytes original_sibling_tree_hash,
                         struct digest *ret_hash);

/* RFC 9420 7.5, merging an UpdatePath: sets the nodes of the filtered path to these keys
 * (path->count of them, from the leaf up), unmerged leaves empty, parent hashes from the root down,
 * and blanks the rest of the direct path. Gives the parent hash the committer's leaf must carry:
 * empty when the path is. The leaf itself is left alone. The diff must be rehashed. */
CHECKED struct err parent_hash_apply_path(struct tree_diff *d, uint32_t leaf_index,
                                          const struct filtered_path *path,
                                          const struct bytes *keys,
                                          struct digest *ret_leaf_parent_hash);

/* RFC 9420 7.9.2: exactly one descendant makes each non-blank parent node parent-hash valid.
 * ERR_MLS_PARENT_HASH, ERR_NO_MEMORY. Unmerged leaves must have been checked. The diff must be
 * rehashed. */
CHECKED struct err parent_hash_check_tree(const struct tree_diff *d);

#endif
