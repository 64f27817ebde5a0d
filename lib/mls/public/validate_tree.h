/* Validation of a whole tree, as a joiner or a server does it (RFC 9420 12.4.3.1). Linear in the
 * number of members and unmerged leaves; one signature verification for each member. */
#ifndef MLS_PUBLIC_VALIDATE_TREE_H
#define MLS_PUBLIC_VALIDATE_TREE_H

#include "mls/public/tree_diff.h"
#include "mls/public/validate_leaf.h"

/* RFC 9420 7.1, 12.4.3.1: unmerged leaves sorted, in range, not blank, descendants, present in each
 * non-blank node between. ERR_MLS_UNMERGED_ORDER, _RANGE, _BLANK, _GAP; ERR_MLS_PARENT_KEY for a
 * malformed parent key. */
CHECKED struct err validate_parents(const struct tree_diff *d, const struct suite *suite);

/* Everything: leaves with signatures, parents, parent hashes. The caller compares the root hash. */
CHECKED struct err validate_tree(const struct tree_diff *d, const struct suite *suite,
                                 struct bytes group_id, const struct group_rules *rules,
                                 const struct mls_policy *policy);

#endif
