/* What the logs of hearthd_malicious hold (malice.h). */
#ifndef MALICIOUS_TREE_H
#define MALICIOUS_TREE_H

#include "malicious/malice.h"
#include "server/transparency/kt_log.h"

/* Puts a KeySet of ours in as this version, whatever is missing before it. */
void malice_skip(struct store *store, const struct kt_log *log, struct bytes label,
                 uint32_t version);

/* Another value of a label of the homeserver's own, in the other log; returns when it is there. */
void malice_publish_other(struct bytes label, struct bytes value);

#endif
