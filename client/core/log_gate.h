/* What the log's word allows (log.h). */
#ifndef CLIENT_CORE_LOG_GATE_H
#define CLIENT_CORE_LOG_GATE_H

#include "client/core/chat.h"
#include "client/core/log.h"

/* Is every member's homeserver, and every contact among them, one that the log does not speak
 * against, and whose keys were not replaced? ERR_CLIENT_LOG. */
CHECKED struct err log_may_send(struct core *c, struct db_txn *t, const struct open_chat *chat);
/* A member who is no contact of ours: the log's set of his clients has this one with this key.
 * ERR_NOT_FOUND: it is being asked; everybody is told of the answer (homeserver_news). ERR_KEY_SET:
 * no. OK where his homeserver has no log. proves_himself: he may show it (log_proof.h), and is
 * looked up only where he does not. */
CHECKED struct err log_check_member(struct core *c, struct db_txn *t, struct bytes user_id,
                                    struct bytes uuid, struct bytes key, bool proves_himself);
/* A device that the set which we hold of its user, ours or a contact's, does not have. What the log
 * shows is held against that set when it comes, and taken where it follows. ERR_NOT_FOUND: being
 * asked, as above. ERR_KEY_SET: not in the log's set either, or there is no log.
 * ERR_CLIENT_MEMBER_LATER: it is, but that set does not follow on ours yet. */
CHECKED struct err log_check_device(struct core *c, struct db_txn *t, struct bytes user_id,
                                    struct bytes uuid, struct bytes key, enum log_role role);

#endif
