/* Two rows for one person: who asked us while we asked him. */
#ifndef CLIENT_CORE_MUTUAL_H
#define CLIENT_CORE_MUTUAL_H

#include "client/core/chat.h"
#include "client/core/contact.h"

/* Is he still in the direct chat with us? Then a request of his crossed with ours. */
CHECKED struct err mutual_is_there(struct core *c, struct db_txn *t, const struct contact *contact,
                                   bool *ret_there);
/* Before `contact` is written as a friend: another row of the same user that goes with it, by
 * mutual_settle. A friend of before who is not that is over: REMOVED. */
CHECKED struct err mutual_find(struct core *c, struct db_txn *t, const struct contact *contact,
                               struct hearth_id *ret_other, bool *ret_mutual);
/* After it was: a request that waits is accepted; of two friends one stays, and `contact` is that
 * one afterwards. */
CHECKED struct err mutual_settle(struct core *c, struct db_txn *t, struct contact *contact,
                                 const struct hearth_id *other);

#endif
