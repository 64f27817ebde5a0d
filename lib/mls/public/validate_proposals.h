/* Proposals one by one (RFC 9420 12.1) and as the list of a commit (12.2). */
#ifndef MLS_PUBLIC_VALIDATE_PROPOSALS_H
#define MLS_PUBLIC_VALIDATE_PROPOSALS_H

#include "mls/codec/framing.h"
#include "mls/public/validate_leaf.h"

/* What proposals are judged against: the epoch they were sent in. All borrowed. */
struct proposal_scope {
    const struct suite *suite;
    const struct tree *tree;
    struct bytes group_id;
    const struct mls_policy *policy;
    /* RFC 9420 11.2, 11.3: the resumption PSK usage allowed besides application while a group is
     * reinitialised or branched off; 0 otherwise */
    int psk_usage;
};

/* One proposal and who sent it. `verified`: validate_proposal accepted it when it was received. */
struct listed_proposal {
    const struct proposal *proposal; /* as read, so that raw is set */
    struct sender sender;            /* of the proposal: for one by value, the committer */
    bool by_reference;
    bool verified;
};

/* Is this proposal valid by itself, signatures inside it included? Errors: those of
 * validate_key_package and validate_leaf_...; ERR_MLS_EXTERNAL_PROPOSAL_TYPE,
 * ERR_MLS_NEW_MEMBER_PROPOSAL_TYPE, ERR_MLS_UPDATE_SENDER, ERR_MLS_LEAF_KEY_REUSED,
 * ERR_MLS_REMOVE_BLANK, ERR_MLS_PSK_USAGE, ERR_MLS_PSK_NONCE, ERR_MLS_REINIT_VERSION,
 * ERR_MLS_KEM_OUTPUT, ERR_MLS_EXTENSION_TWICE, ERR_MLS_GROUP_EXTENSION. */
CHECKED struct err validate_proposal(const struct proposal_scope *scope, const struct proposal *p,
                                     struct sender sender);

/* The list of a regular commit by the member at a leaf. Does not call validate_proposal. n log n.
 * Errors: ERR_MLS_UPDATE_BY_COMMITTER, ERR_MLS_REMOVE_COMMITTER, ERR_MLS_LEAF_CHANGED_TWICE,
 * ERR_MLS_ADD_TWICE, ERR_MLS_ADD_EXISTING, ERR_MLS_PSK_TWICE, ERR_MLS_CONTEXT_EXTENSIONS_TWICE,
 * ERR_MLS_REINIT_NOT_ALONE, ERR_MLS_EXTERNAL_INIT, ERR_MLS_PROPOSAL_UNSUPPORTED, ERR_NO_MEMORY. */
CHECKED struct err validate_list(const struct proposal_scope *scope,
                                 const struct listed_proposal *list, size_t count,
                                 uint32_t committer);
/* The list of an external commit. ERR_MLS_EXTERNAL_COMMIT_REFERENCE, _INIT, _REMOVE, _PROPOSAL;
 * ERR_MLS_PSK_TWICE. */
CHECKED struct err validate_external_list(const struct listed_proposal *list, size_t count);

/* RFC 9420 12.4: must the commit have a path? */
bool validate_path_required(const struct listed_proposal *list, size_t count);

#endif
