/* Messages between members, sealed and opened with an epoch's secrets (RFC 9420 6.2, 6.3). What the
 * bytes mean is lib/mls/codec/message.h, where message keys come from secret_tree.h; signatures are
 * made before and checked after by whoever knows the members' keys.
 *
 * Sending:    sign, message_seal().
 * Receiving:  message_open_sender() says who sent it; the caller checks that this leaf exists in
 * the tree of the message's epoch and is not blank (6.3.2); message_open_content() decrypts and
 * changes nothing; the caller verifies the signature with the leaf's key; message_done() uses the
 * key up. A message that fails on the way consumes nothing (15.3).
 */
#ifndef MLS_MEMBER_MESSAGE_PROTECTION_H
#define MLS_MEMBER_MESSAGE_PROTECTION_H

#include "mls/codec/message.h"
#include "mls/member/secret_tree.h"

/* The secrets of the message's epoch, borrowed. */
struct message_keys {
    const struct suite *suite;
    const struct secret *sender_data;
    struct secret_tree *tree;
};

/* Appends a PrivateMessage (6.3) of signed content: content->wire_format is
 * WIRE_FORMAT_PRIVATE_MESSAGE, the sender a member, namely oneself. padding_bytes zeros hide the
 * length. Uses up one generation of one's own ratchet. Errors: ERR_ARGUMENT for other content,
 * secret_tree_next's, ERR_NO_MEMORY, ERR_IO (rng); *b then holds what it held
 * before. */
CHECKED struct err message_seal(const struct message_keys *keys, const struct rng *rng,
                                const struct authenticated_content *content, size_t padding_bytes,
                                struct buf *b);

/* ERR_CRYPTO_TAG, ERR_WIRE_... */
CHECKED struct err message_open_sender(const struct message_keys *keys,
                                       const struct private_message *message,
                                       struct sender_data *ret_sender);
/* The content borrows from the arena and from message. Errors: secret_tree_peek's, ERR_CRYPTO_TAG,
 * ERR_WIRE_..., ERR_MLS_PADDING, ERR_NO_MEMORY. */
CHECKED struct err message_open_content(const struct message_keys *keys,
                                        const struct private_message *message,
                                        const struct sender_data *sender, struct arena *a,
                                        struct authenticated_content *ret_content);
/* Errors: secret_tree_consume's. */
CHECKED struct err message_done(const struct message_keys *keys,
                                const struct private_message *message,
                                const struct sender_data *sender);

/* membership_tag of a PublicMessage (6.2). context is the encoded GroupContext. ERR_NO_MEMORY. */
CHECKED struct err message_membership_tag(const struct suite *suite,
                                          const struct secret *membership_key,
                                          const struct authenticated_content *content,
                                          struct bytes context, struct digest *ret_tag);
/* Constant time, full length: ERR_MLS_MEMBERSHIP_TAG, ERR_NO_MEMORY. */
CHECKED struct err message_check_membership(const struct suite *suite,
                                            const struct secret *membership_key,
                                            const struct authenticated_content *content,
                                            struct bytes context, struct bytes tag);

/* Key and nonce of the sender data (6.3.2), from the first Nh bytes of the message's ciphertext, or
 * all of it when it is shorter. ret_key->generation is 0. */
CHECKED struct err message_sender_data_key(const struct suite *suite,
                                           const struct secret *sender_data_secret,
                                           struct bytes ciphertext, struct message_key *ret_key);

#endif
