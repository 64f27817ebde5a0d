/* What joiners need beside a Welcome, and external joiners beside a GroupInfo. */
#ifndef SERVER_WELCOME_INFO_H
#define SERVER_WELCOME_INFO_H

#include "base/arena.h"
#include "mls/public/public_group.h"
#include "server/delivery/delivery_inside.h"
#include "server/delivery/group_state.h"

/* Records of all leaves in order, without their references. Memory in the arena. */
CHECKED struct err leaf_records(const struct group_state *state, struct arena *arena,
                                Hearth__V1__PublicLeafRecord ***ret_records);
/* Appends a packed GetWelcomeInfoResponse. */
CHECKED struct err welcome_info_write(const struct public_group *group,
                                      const struct group_state *state, struct buf *b);

#endif
