/* LeafNode and KeyPackage validation (RFC 9420 7.2, 7.3, 10.1), in steps that callers combine so
 * that nothing is checked twice and signatures come after what is cheap.
 *
 * Not here: that keys are unique in the tree (tree_merge_prepare, tree_load), and whether a
 * credential speaks the truth, which is the application's.
 */
#ifndef MLS_PUBLIC_VALIDATE_LEAF_H
#define MLS_PUBLIC_VALIDATE_LEAF_H

#include "crypto/suite.h"
#include "mls/codec/key_package.h"
#include "mls/public/policy.h"
#include "mls/public/tree.h"

/* What a leaf says by itself: keys well formed, capabilities cover what it uses, lifetime. source
 * is what its place demands (LEAF_SOURCE_...), or 0 for a leaf in a tree, where any may stand.
 * Errors: ERR_MLS_LEAF_SOURCE, _LEAF_ENCRYPTION_KEY, _LEAF_SIGNATURE_KEY, _LEAF_VERSION,
 * _LEAF_SUITE, _LEAF_CREDENTIAL_UNLISTED, _EXTENSION_TWICE, _LEAF_EXTENSION_UNLISTED, _LIFETIME_...
 * (of a leaf in a tree _LIFETIME_RANGE and _TOO_LONG only, unless policy->strict_tree_lifetime). */
CHECKED struct err validate_leaf_alone(const struct leaf_node *leaf, const struct suite *suite,
                                       int source, const struct mls_policy *policy);
/* group_id and leaf_index are bound by sources update and commit. ERR_MLS_LEAF_SIGNATURE,
 * ERR_NO_MEMORY. */
CHECKED struct err validate_leaf_signature(const struct leaf_node *leaf, const struct suite *suite,
                                           struct bytes group_id, uint32_t leaf_index);

/* What a group asks of its leaves; read once from the GroupContext's extensions, which it borrows.
 */
struct group_rules {
    struct extensions extensions;
    struct required_capabilities required; /* empty lists when there is no such extension */
};
/* ERR_MLS_EXTENSION_TWICE, ERR_MLS_GROUP_EXTENSION (a known one is malformed). */
CHECKED struct err group_rules_read(const struct extensions *extensions,
                                    struct group_rules *ret_rules);
/* Errors: ERR_MLS_LEAF_REQUIRED_EXTENSION, _PROPOSAL, _CREDENTIAL, ERR_MLS_LEAF_GROUP_EXTENSION. */
CHECKED struct err validate_leaf_in_group(const struct leaf_node *leaf,
                                          const struct group_rules *rules);
/* The leaf supports all credential types in use by members: ERR_MLS_CREDENTIAL_MUTUAL. */
CHECKED struct err validate_leaf_credentials(const struct leaf_node *leaf,
                                             const struct credential_uses *uses);

/* All of 10.1 for a KeyPackage on its own, both signatures included. suite: the group's, or NULL
 * for the package's own. Errors also: ERR_MLS_VERSION, ERR_MLS_SUITE_UNKNOWN,
 * ERR_MLS_KEY_PACKAGE_SUITE, ERR_MLS_INIT_KEY, ERR_MLS_INIT_KEY_REUSED,
 * ERR_MLS_KEY_PACKAGE_SIGNATURE. */
CHECKED struct err validate_key_package(const struct key_package *kp, const struct suite *suite,
                                        const struct mls_policy *policy);

/* err, or code in its place when err is the sender's fault rather than ours (out of memory). */
CHECKED struct err validate_blame(struct err err, enum err_code code);

#endif
