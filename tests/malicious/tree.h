/* What the prefix tree of hearthd_malicious holds (malice.h: skip, replace). */
#ifndef MALICIOUS_TREE_H
#define MALICIOUS_TREE_H

#include "malicious/malice.h"
#include "server/transparency/kt_log.h"

/* Puts a KeySet of ours in as this version, whatever is missing before it. */
void malice_skip(struct store *store, const struct kt_log *log, struct bytes label,
                 uint32_t version);

#endif
