/* LabeledExtract and LabeledExpand, RFC 9180 4. Internal to lib/crypto. */
#ifndef CRYPTO_HPKE_KDF_H
#define CRYPTO_HPKE_KDF_H

#include "crypto/hpke.h"

enum { HPKE_SUITE_ID_MAX_BYTES = 10 };

/* Who derives: a KEM or a whole suite. */
struct hpke_kdf {
    const struct kdf_alg *kdf;
    uint8_t suite_id[HPKE_SUITE_ID_MAX_BYTES];
    size_t suite_id_bytes;
};

struct hpke_kdf hpke_kdf_of_kem(const struct kem_alg *kem);
struct hpke_kdf hpke_kdf_of_suite(const struct hpke_suite *suite);

void hpke_labeled_extract(const struct hpke_kdf *k, struct bytes salt, const char *label,
                          struct bytes_list ikm, struct secret *ret_prk);
CHECKED struct err hpke_labeled_expand(const struct hpke_kdf *k, const struct secret *prk,
                                       const char *label, struct bytes info, size_t len,
                                       struct secret *ret_out);

#endif
