/* HKDF (RFC 5869) over our own HMAC: OpenSSL 3.0's EVP_KDF costs several times the hashing it does.
 */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include "crypto/hash.h"
#include "crypto/secret.h"

struct kdf_alg {
    const char *name;
    uint16_t hpke_id;            /* RFC 9180 7.2 */
    const struct hash_alg *hash; /* hash->bytes is Nh */
};

extern const struct kdf_alg kdf_hkdf_sha256;
extern const struct kdf_alg kdf_hkdf_sha384;
extern const struct kdf_alg kdf_hkdf_sha512;

/* KDF.Extract. An empty salt is a string of zeros (RFC 5869 2.2). The result has Nh bytes. */
void kdf_extract(const struct kdf_alg *alg, struct bytes salt, struct bytes_list ikm,
                 struct secret *ret_prk);
/* KDF.Expand to len bytes, at most 255 * Nh (ERR_CRYPTO_LENGTH). ret_out must not overlap the
 * inputs. */
CHECKED struct err kdf_expand_into(const struct kdf_alg *alg, struct bytes prk,
                                   struct bytes_list info, size_t len, uint8_t *ret_out);
/* The same for len up to SECRET_MAX_BYTES (ERR_CRYPTO_LENGTH). ret_out may be where prk lies. */
CHECKED struct err kdf_expand(const struct kdf_alg *alg, struct bytes prk, struct bytes_list info,
                              size_t len, struct secret *ret_out);

#endif
