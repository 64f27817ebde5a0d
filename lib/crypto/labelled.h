/* The labelled functions of RFC 9420: 5.1.2 (sign), 5.1.3 (encrypt), 5.2 (RefHash), 8 (expand,
 * derive), 9.
 *
 * Each takes the label without its prefix and the prefix apart: LABEL_MLS for MLS itself,
 * LABEL_HEARTH for our own objects, which thereby can never be confused with MLS's. The exception
 * is RefHash, whose label is whole (RFC 9420 5.2). Labels are public and at most
 * LABELLED_LABEL_MAX_BYTES with the prefix (ERR_ARGUMENT); content and context are unbounded and
 * not copied, but for signing, which needs them in one piece.
 */
#ifndef CRYPTO_LABELLED_H
#define CRYPTO_LABELLED_H

#include "crypto/hpke.h"
#include "crypto/sig.h"

#define LABEL_MLS    bytes_str("MLS 1.0 ")
#define LABEL_HEARTH bytes_str("Hearth 1 ")

enum { LABELLED_LABEL_MAX_BYTES = 255 };

/* RefHash(label, value): label such as "MLS 1.0 KeyPackage Reference". */
CHECKED struct err labelled_ref_hash(const struct hash_alg *alg, struct bytes label,
                                     struct bytes value, struct digest *ret_hash);

/* SignWithLabel. ERR_NO_MEMORY, ERR_TOO_LARGE over WIRE_VECTOR_MAX. */
CHECKED struct err labelled_sign(const struct sig_key *key, struct bytes prefix, struct bytes label,
                                 struct bytes content, struct signature *ret_signature);
/* VerifyWithLabel. Errors: those of sig_verify. */
CHECKED struct err labelled_verify(const struct sig_alg *alg, struct bytes public_key,
                                   struct bytes prefix, struct bytes label, struct bytes content,
                                   struct bytes signature);
/* The same with a key kept parsed. */
CHECKED struct err labelled_verify_with(const struct sig_verifier *verifier, struct bytes prefix,
                                        struct bytes label, struct bytes content,
                                        struct bytes signature);

/* EncryptWithLabel: ret_ciphertext takes plaintext.len + AEAD_TAG_BYTES bytes, ret_enc is the
 * kem_output. */
CHECKED struct err labelled_encrypt(const struct hpke_suite *suite, const struct rng *rng,
                                    struct bytes public_key, struct bytes prefix,
                                    struct bytes label, struct bytes context,
                                    struct bytes plaintext, struct public_key *ret_enc,
                                    uint8_t *ret_ciphertext);
/* EncryptWithLabel of many plaintexts under one label and context, which is hashed here, once; then
 * hpke_seal_with(info, rng, public_key, no aad, plaintext, ...) for each. */
CHECKED struct err labelled_encrypt_info(const struct hpke_suite *suite, struct bytes prefix,
                                         struct bytes label, struct bytes context,
                                         struct hpke_info *ret_info);
/* DecryptWithLabel: ret_plaintext takes ciphertext.len - AEAD_TAG_BYTES bytes. own_public as in
 * kem_decap. */
CHECKED struct err labelled_decrypt(const struct hpke_suite *suite, struct bytes private_key,
                                    struct bytes own_public, struct bytes prefix,
                                    struct bytes label, struct bytes context, struct bytes enc,
                                    struct bytes ciphertext, uint8_t *ret_plaintext);

/* ExpandWithLabel to len bytes, at most SECRET_MAX_BYTES. ret_out may be where secret lies. */
CHECKED struct err labelled_expand(const struct kdf_alg *alg, struct bytes secret,
                                   struct bytes prefix, struct bytes label, struct bytes context,
                                   size_t len, struct secret *ret_out);
/* The same to any len up to 255 * Nh (ERR_CRYPTO_LENGTH), for the exporter. */
CHECKED struct err labelled_expand_into(const struct kdf_alg *alg, struct bytes secret,
                                        struct bytes prefix, struct bytes label,
                                        struct bytes context, size_t len, uint8_t *ret_out);
/* DeriveSecret: ExpandWithLabel with an empty context to Nh bytes. */
CHECKED struct err labelled_derive_secret(const struct kdf_alg *alg, struct bytes secret,
                                          struct bytes prefix, struct bytes label,
                                          struct secret *ret_out);
/* DeriveTreeSecret, RFC 9420 9: ExpandWithLabel with the generation as context. */
CHECKED struct err labelled_derive_tree_secret(const struct kdf_alg *alg, struct bytes secret,
                                               struct bytes prefix, struct bytes label,
                                               uint32_t generation, size_t len,
                                               struct secret *ret_out);

#endif
