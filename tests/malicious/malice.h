/* hearthd_malicious: a homeserver whose operator cheats, for the tests of what clients notice
 * (transparency.md 17). It is hearthd with some functions of its modules wrapped by the linker
 * (--wrap), so hearthd itself holds nothing of it. Never installed.
 *
 * The file that $HEARTH_MALICE names says what it does now: words, read anew each time, so that a
 * test can change its mind between two calls. A server that is to reach it must not be confined
 * ([server] confine = no). Without file or words it is honest.
 */
/* clang-format off: a table
 *     replace-item  what comes for a queue is replaced by an empty item (DoS15)
 *     swap-handle   Connect gives a package and KeySet of a key of ours (MitM1); said when the handle
 *                   is made, too: the other log has that KeySet
 *     extra-client  after each KeySet of a user one more version, with a client of ours, as a reset
 *     unsigned      with extra-client: not as a reset, so nobody before has signed it
 *     drop          a user's later KeySets never enter the log: removed clients stay (receipts are
 *                   empty)
 *     receipt       with drop: they enter the other log, and receipts are of that
 *     skip          a user's next KeySet is put in one version too far, and the one before is not
 *                   there
 *     replace       the next epoch has another commitment in the place of the last KeySet's
 *     token-key     GetKeys gives one a token key of his own; with other, that log has it, too
 *     voucher-keys  and keys for vouchers, of all classes and weeks
 *     sealing-key   and a sealing key
 *     federation-key  and a federation key, which other homeservers are to believe
 *     only-us       after each KeySet of a user one more version without any of his clients, with one
 *                   of ours (DoS12), as a reset or, with unsigned, not
 *     refuse-user, refuse-tokens, refuse-member    AddClient, IssueTokens, SendMessage are
 *                   forbidden (DoS11, DoS13, DoS14)
 *     refuse-owners  Monitor says of an owner's question that trees of so long ago are gone
 *     other         a second log with the same keys and its own epochs is shown
 *     vrf           when the server starts: that second log has another VRF key
 */
/* clang-format on */
#ifndef MALICIOUS_MALICE_H
#define MALICIOUS_MALICE_H

#include <stdbool.h>

#include "crypto/sig.h"
#include "seal/key_set.h"

bool malice_on(const char *word);
/* hearth_malicious has words of its own (client.c). */
/* A key of the operator's own. */
const struct sig_key *malice_key(void);
/* The KeySet with all clients of `before` and one with our key; version: its number. Appends. */
CHECKED struct err malice_key_set(struct buf *b, const struct key_set *before, uint32_t version,
                                  bool reset);
/* A KeySet of any label with our key alone; a reset where it is not the first. Appends. */
CHECKED struct err malice_only_us(struct buf *b, struct bytes label, uint32_t version);

#endif
