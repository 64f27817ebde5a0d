#include "seal/contact_token.h"

#include "crypto/hash.h"

#define LABEL bytes_str("Hearth 1 ContactToken")

enum { MAC_BYTES = CONTACT_TOKEN_BYTES - CONTACT_ID_BYTES };

void contact_token_make(const uint8_t key[CONTACT_KEY_BYTES],
                        const uint8_t contact_id[CONTACT_ID_BYTES],
                        uint8_t ret_token[CONTACT_TOKEN_BYTES])
{
    struct digest mac;
    hmac_once(&hash_sha256, bytes_of(key, CONTACT_KEY_BYTES),
              BYTES_LIST(LABEL, bytes_of(contact_id, CONTACT_ID_BYTES)), &mac);
    memmove(ret_token, contact_id, CONTACT_ID_BYTES); /* the id may lie in the token */
    memcpy(ret_token + CONTACT_ID_BYTES, mac.data, MAC_BYTES);
    bytes_wipe(&mac, sizeof mac);
}

struct err contact_token_verify(const uint8_t key[CONTACT_KEY_BYTES],
                                const uint8_t token[CONTACT_TOKEN_BYTES])
{
    return hmac_verify(&hash_sha256, bytes_of(key, CONTACT_KEY_BYTES),
                       BYTES_LIST(LABEL, bytes_of(token, CONTACT_ID_BYTES)),
                       bytes_of(token + CONTACT_ID_BYTES, MAC_BYTES));
}
