/* Who may see a group at all (P5): whoever has its key, and for members and joiners a key that the
 * opened state has. Unknown group, wrong key, no such leaf and wrong signature answer alike and
 * cost about the same: a lock of fixed size is tried, and one signature is verified.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "server/delivery/request.h"

/* Has the leaf not been heard for so long that the server proposes to remove it? */
bool access_is_silent(const struct delivery *d, const struct leaf_entry *leaf, uint64_t now_s);
/* Loop: before and after the write. The heirs have spent what the caller's leaf has. */
void access_bequeath(struct request *r);
/* Takes the key that verifies the call. In a later attempt it must be the one of before:
 * ERR_FRONT_UNAUTHENTICATED. */
CHECKED struct err access_use_key(struct request *r, struct bytes key);

#endif
