/* What members of a group share beside MLS, for those who join (protocol.md 7): an extension of the
 * GroupInfo inside a Welcome, which the server can't open, and not of the GroupInfo that the server
 * holds (group.h: commit_options.welcome_extensions, welcome_news.extensions).
 *
 *     extension type WELCOME_KEYS_EXTENSION_TYPE (RFC 9420 17.3, private use):
 *         struct {
 *             uint8 version = 1;
 *             opaque state_key[32];       before this commit. GetWelcomeInfo goes by it; where
 *                                         the commit removes somebody, too, the new one follows,
 *                                         sealed to the joiner's leaf (fan_out.h)
 *             opaque identity_key[32];    the group identity key
 *         }
 */
#ifndef SEAL_WELCOME_KEYS_H
#define SEAL_WELCOME_KEYS_H

#include "seal/fan_out.h"
#include "seal/leaf_credential.h"

enum {
    WELCOME_KEYS_EXTENSION_TYPE = 0xF1E3,
    WELCOME_KEYS_BYTES = 1 + STATE_KEY_BYTES + IDENTITY_KEY_BYTES,
};

/* Secrets: wipe it. */
struct welcome_keys {
    uint8_t state_key[STATE_KEY_BYTES];
    uint8_t identity_key[IDENTITY_KEY_BYTES];
};

/* Appends the extension's data, WELCOME_KEYS_BYTES; fails the buffer when memory is short. */
void welcome_keys_write(struct buf *b, const struct welcome_keys *keys);
/* The extension's data. Wire errors; ERR_WIRE_VALUE for another version. */
CHECKED struct err welcome_keys_read(struct bytes data, struct welcome_keys *ret_keys);

#endif
