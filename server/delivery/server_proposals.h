/* What the server does for a group while a member's request has it open: Removes as an external
 * sender (RFC 9420 12.1.8.1) of members who are silent or whose queue is gone, and loss notices.
 *
 * Runs after the request's own answer, with a copy of the state key that is wiped at its end; when
 * the group changes meanwhile it is left to the next request. Signed under whichever of our keys
 * the group names: it is of its suite's signature scheme, and may be one of before a rotation.
 */
#ifndef SERVER_SERVER_PROPOSALS_H
#define SERVER_SERVER_PROPOSALS_H

#include "mls/public/public_group.h"
#include "server/delivery/delivery_inside.h"

void upkeep_start(struct delivery *d, struct inbox *inbox, uint64_t principal,
                  struct bytes group_id, const uint8_t state_key[STATE_KEY_BYTES]);

/* Makes and stores a Remove of a leaf, signed by the keeper; appends the MLSMessage.
 * ERR_NOT_FOUND: we are no external sender of this group. */
CHECKED struct err server_proposal_remove(const struct delivery *d, struct public_group *group,
                                          uint32_t leaf, const struct mls_policy *policy,
                                          struct buf *message);
/* Our first place among the external senders of a group of that suite, and the key there.
 * ERR_NOT_FOUND: none; those of the keeper. */
CHECKED struct err server_sender_find(const struct delivery *d, const struct suite *suite,
                                      const struct extensions *extensions, uint32_t *ret_index,
                                      struct public_key *ret_key);

#endif
