/* Members who prove themselves that their keys are in the log (transparency.md 10), so that no
 * homeserver is asked about the people whom somebody is in a group with.
 *
 * Saying: when we join a group, when somebody joins one of ours, and after our own keys changed, we
 * send a proof of our KeySet as it stands at the newest distinguished entry of our homeserver's
 * log. A version that is newer than that entry goes with a whole search (provisional), and again in
 * the next window.
 *
 *     CONTENT_LOG_PROOF    struct { opaque label<V>; uint8 form; opaque proof<V>; }
 *         form 1    KtProof (tlog/heads.h)
 *         form 2    SearchResponse from the configuration on (tlog/search.h)
 *
 * Hearing: whoever sends it, what it proves is of the label that it names; at the newest
 * distinguished entry that we hold or the one before, and of no older version than we know. What is
 * not (yet) of use is kept for a while, and then forgotten; what is wrong is an alarm.
 *
 * A member whom nobody knows is waited for PROOF_PATIENCE_MS (TASK_LOG_MEET). Those who sent none
 * until then are looked up, all in one search (TASK_LOG_MANY).
 */
#ifndef CLIENT_CORE_LOG_PROOF_H
#define CLIENT_CORE_LOG_PROOF_H

#include "client/core/chat.h"
#include "client/core/log.h"

enum {
    PROOF_PATIENCE_MS = 4000,
    PROOF_MAX_BYTES = 32768,
    PROOF_USERS_MAX = 32, /* in larger groups nobody speaks up for each who comes */
};
enum proof_form { PROOF_AT_DIST = 1, PROOF_BY_SEARCH = 2 };

/* Ours is to be said in this chat; in all, since our keys changed. Groups alone: whom a direct chat
 * is with was looked up when the contact was made. */
CHECKED struct err log_proof_due(struct core *c, struct db_txn *t, const struct open_chat *chat);
CHECKED struct err log_proof_due_all(struct core *c, struct db_txn *t);
/* Somebody says so. Nonsense is no error. */
CHECKED struct err log_proof_hear(struct core *c, struct db_txn *t, struct bytes body);
/* A member's label is to be proven; looked up when he does not. */
CHECKED struct err log_proof_await(struct core *c, struct db_txn *t, const char *domain,
                                   struct bytes label);

/* ---- log_proof.c for log_meet.c: tries again what was kept of members of this homeserver */
CHECKED struct err log_proof_retry(struct core *c, struct db_txn *t, const char *domain);
/* ---- log_many.c: one search of these labels (opaque label<V> each), or one each */
CHECKED struct err log_search_many(struct core *c, struct db_txn *t, const char *domain,
                                   struct bytes labels);

#endif
