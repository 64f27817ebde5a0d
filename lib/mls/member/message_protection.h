/* The keys of PrivateMessages put to use (RFC 9420 6.3): sender data and content, as bytes. What
 * the bytes mean is lib/mls/codec/message.h; where message keys come from is secret_tree.h. Errors:
 * ERR_CRYPTO_TAG when something does not open, ERR_NO_MEMORY, ERR_TOO_LARGE.
 */
#ifndef MLS_MEMBER_MESSAGE_PROTECTION_H
#define MLS_MEMBER_MESSAGE_PROTECTION_H

#include "mls/codec/message.h"
#include "mls/member/secret_tree.h"

/* Key and nonce of the sender data (6.3.2), from the first Nh bytes of the message's ciphertext, or
 * all of it when it is shorter. ret_key->generation is 0. */
CHECKED struct err message_sender_data_key(const struct suite *suite,
                                           const struct secret *sender_data_secret,
                                           struct bytes ciphertext, struct message_key *ret_key);

#endif
