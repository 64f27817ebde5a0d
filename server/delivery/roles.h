/* What a group's context must say here, and who may do what (protocol.md 7).
 *
 * Roles are user pseudonyms in the group context. Admins add and remove others and change the
 * context; everybody may update their own leaf, leave, and add or remove further clients of their
 * own, which carry the same user pseudonym, countersigned (seal/leaf_credential.h).
 */
#ifndef SERVER_ROLES_H
#define SERVER_ROLES_H

#include "mls/public/staged_commit.h"
#include "server/delivery/delivery_inside.h"
#include "server/delivery/group_state.h"

/* Extensions of a group context in all; group data is sealed by the members and only bounded. */
enum { CONTEXT_EXTENSION_BYTES = 32768 };

/* Roles well-formed, a key of ours that fits the suite among the external senders, sizes.
 * ERR_DELIVERY_CONTEXT; those of the keeper. */
CHECKED struct err context_check(const struct delivery *d, const struct suite *suite,
                                 const struct extensions *extensions);
/* 1, 2, 3, 5, 7. ERR_DELIVERY_SUITE. */
CHECKED struct err suite_check(const struct suite *suite);
bool context_is_admin(const struct extensions *extensions, struct bytes user_pseudonym);

/* May these proposals stand in a regular commit, each by whom it comes from? state: before the
 * commit; added: the entries of the Adds in order. ERR_DELIVERY_ROLE, ERR_DELIVERY_PROPOSALS,
 * ERR_DELIVERY_CONTEXT. */
CHECKED struct err roles_allow(const struct delivery *d, const struct group_state *state,
                               const struct staged_commit *staged, const struct leaf_entry *added);

#endif
