/* Friendship packages (protocol.md 5): what a user gives to each contact, so that the contact can
 * fetch KeyPackages, read who their leaves are, and see the profile.
 *
 *     struct {
 *         uint8 version = 1;
 *         opaque queue_user_id[16];       whose KeyPackages; at the homeserver of the user's domain
 *         opaque contact_token[48];       contact_token.h: this contact's own
 *         opaque friendship_key[32];      wraps the identity keys in KeyPackage bundles
 *         opaque profile_base_key[32];
 *     }
 *
 * Travels inside the connection offer, and later as application data of the connection group when
 * a contact was removed and the friendship key changed. Always FRIENDSHIP_BYTES long.
 */
#ifndef SEAL_FRIENDSHIP_H
#define SEAL_FRIENDSHIP_H

#include "seal/contact_token.h"
#include "seal/leaf_credential.h"
#include "seal/sealed_ref.h"
#include "wire/reader.h"

enum {
    FRIENDSHIP_KEY_BYTES = IDENTITY_KEY_BYTES,
    PROFILE_KEY_BYTES = 32,
    FRIENDSHIP_BYTES =
        1 + QUEUE_ID_BYTES + CONTACT_TOKEN_BYTES + FRIENDSHIP_KEY_BYTES + PROFILE_KEY_BYTES,
};

/* Secrets: wipe it. */
struct friendship {
    uint8_t queue_user_id[QUEUE_ID_BYTES];
    uint8_t contact_token[CONTACT_TOKEN_BYTES];
    uint8_t friendship_key[FRIENDSHIP_KEY_BYTES];
    uint8_t profile_base_key[PROFILE_KEY_BYTES];
};

/* Appends FRIENDSHIP_BYTES; fails the buffer when memory is short. */
void friendship_write(struct buf *b, const struct friendship *friendship);
/* Sticky in the reader: ERR_WIRE_VALUE for another version. Writes zeros then. */
void friendship_read(struct wire_reader *r, struct friendship *ret_friendship);
/* One by itself. Wire errors. */
CHECKED struct err friendship_parse(struct bytes in, struct friendship *ret_friendship);

#endif
