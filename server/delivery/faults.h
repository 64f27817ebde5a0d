/* Reports about commits of the last epochs (DoS9): one per epoch and leaf. */
#ifndef SERVER_FAULTS_H
#define SERVER_FAULTS_H

#include "server/delivery/group_state.h"

/* ERR_DELIVERY_NO_COMMIT: not among the last GROUP_FACTS epochs, older than a day, or another. */
CHECKED struct err fault_find(struct group_state *state, uint64_t epoch, struct bytes commit_hash,
                              uint64_t now_s, struct epoch_fact **ret_fact);
/* Appends the reporters with this one to list; *ret_new false, and nothing appended, when it is
 * among them, or there are FACT_REPORTERS_MAX. */
CHECKED struct err fault_add_reporter(const struct epoch_fact *fact, struct bytes pseudonym,
                                      struct buf *list, bool *ret_new);
/* Did somebody report a commit of this leaf within a day? Then it commits once in ten minutes. */
bool fault_is_reported(const struct group_state *state, struct bytes pseudonym, uint64_t now_s);

#endif
