/* Authenticated encryption: the AEADs of RFC 9180 7.3. The tag is the end of the ciphertext. */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "crypto/secret.h"

enum {
    AEAD_KEY_MAX_BYTES = 32,
    AEAD_NONCE_BYTES = 12, /* of every algorithm here (Nn) */
    AEAD_TAG_BYTES = 16,   /* of every algorithm here (Nt) */
};

struct aead_alg {
    const char *name;
    uint16_t hpke_id; /* RFC 9180 7.3 */
    size_t key_bytes; /* Nk */
    const struct aead_ops *ops;
};

extern const struct aead_alg aead_aes128_gcm;
extern const struct aead_alg aead_aes256_gcm;
extern const struct aead_alg aead_chacha20_poly1305;
/* HPKE's placeholder for contexts that only export: no key, and seal and open fail with
 * ERR_WRONG_STATE.
 */
extern const struct aead_alg aead_export_only;

/* Writes plaintext.len + AEAD_TAG_BYTES bytes. ret_ciphertext may be plaintext.data itself, but not
 * overlap it otherwise. The caller answers for never using a nonce twice with one key. Errors:
 * ERR_CRYPTO_KEY_LENGTH, ERR_TOO_LARGE (2 GiB), ERR_NO_MEMORY. */
CHECKED struct err aead_seal(const struct aead_alg *alg, const struct secret *key,
                             const uint8_t nonce[AEAD_NONCE_BYTES], struct bytes aad,
                             struct bytes plaintext, uint8_t *ret_ciphertext);
/* Writes ciphertext.len - AEAD_TAG_BYTES bytes; in place as above. When the tag is wrong, or the
 * input shorter than a tag: ERR_CRYPTO_TAG, and ret_plaintext then holds nothing of the plaintext
 * (its contents are lost: they may have been overwritten with zeros). */
CHECKED struct err aead_open(const struct aead_alg *alg, const struct secret *key,
                             const uint8_t nonce[AEAD_NONCE_BYTES], struct bytes aad,
                             struct bytes ciphertext, uint8_t *ret_plaintext);

#endif
