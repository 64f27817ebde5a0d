/* ristretto255 (RFC 9496) as RFC 9497 uses it, over libsodium. Internal to lib/crypto.
 *
 * libsodium's multiplication answers with one failure for two things: bytes that are no element,
 * and a product that is the identity. Here the identity is a value like any other (32 zero bytes),
 * so that a zero scalar of a hostile proof is computed with, not misread. Arguments called
 * `element` must be elements, the identity included; callers of ristretto_mul learn when they are
 * not.
 */
#ifndef CRYPTO_RISTRETTO_H
#define CRYPTO_RISTRETTO_H

#include "crypto/hash.h"

enum { RISTRETTO_BYTES = 32 };

/* The suite's hashes (RFC 9497 4.1), on pieces taken as one string. */
void ristretto_hash_to_group(struct bytes_list input, uint8_t ret_element[RISTRETTO_BYTES]);
void ristretto_hash_to_scalar(struct bytes_list input, uint8_t ret_scalar[RISTRETTO_BYTES]);
/* HashToScalar with another domain separation tag (DeriveKeyPair), which ends in the context. */
void ristretto_hash_to_scalar_tagged(struct bytes tag, struct bytes_list input,
                                     uint8_t ret_scalar[RISTRETTO_BYTES]);
/* contextString of mode 1 (RFC 9497 3.1). */
struct bytes ristretto_context(void);

/* scalar * element, constant time; ERR_CRYPTO_ELEMENT when element is none. scalar is canonical.
 * ret_product may be where an argument lies. */
CHECKED struct err ristretto_mul(const uint8_t scalar[RISTRETTO_BYTES],
                                 const uint8_t element[RISTRETTO_BYTES],
                                 uint8_t ret_product[RISTRETTO_BYTES]);
/* scalar * generator, constant time. */
void ristretto_mul_base(const uint8_t scalar[RISTRETTO_BYTES],
                        uint8_t ret_product[RISTRETTO_BYTES]);
/* sum += element */
CHECKED struct err ristretto_add_to(uint8_t sum[RISTRETTO_BYTES],
                                    const uint8_t element[RISTRETTO_BYTES]);
/* Below the group order? Constant time but for the answer. */
bool ristretto_is_scalar(const uint8_t scalar[RISTRETTO_BYTES]);
/* Constant time but for the answer. */
bool ristretto_is_zero(const uint8_t value[RISTRETTO_BYTES]);

#endif
