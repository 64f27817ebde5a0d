/* Contact tokens: contact id[16] || HMAC-SHA256(contact key, "Hearth 1 ContactToken" || contact
 * id). The contact key is shared by the owner and its queue record (protocol.md 5), so the queue
 * service checks, limits and revokes per contact without knowing who a contact is.
 */
#ifndef SEAL_CONTACT_TOKEN_H
#define SEAL_CONTACT_TOKEN_H

#include "base/bytes.h"

enum { CONTACT_ID_BYTES = 16, CONTACT_KEY_BYTES = 32, CONTACT_TOKEN_BYTES = 48 };

void contact_token_make(const uint8_t key[CONTACT_KEY_BYTES],
                        const uint8_t contact_id[CONTACT_ID_BYTES],
                        uint8_t ret_token[CONTACT_TOKEN_BYTES]);
/* Constant time. ERR_CRYPTO_TAG. The contact id is the token's first 16 bytes. */
CHECKED struct err contact_token_verify(const uint8_t key[CONTACT_KEY_BYTES],
                                        const uint8_t token[CONTACT_TOKEN_BYTES]);

#endif
