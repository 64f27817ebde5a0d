#include "crypto/hpke_kdf.h"

static void put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

struct hpke_kdf hpke_kdf_of_kem(const struct kem_alg *kem)
{
    struct hpke_kdf k = {.kdf = kem->kdf, .suite_id = "KEM", .suite_id_bytes = 5};
    put_u16(k.suite_id + 3, kem->hpke_id);
    return k;
}

struct hpke_kdf hpke_kdf_of_suite(const struct hpke_suite *suite)
{
    struct hpke_kdf k = {.kdf = suite->kdf, .suite_id = "HPKE", .suite_id_bytes = 10};
    put_u16(k.suite_id + 4, suite->kem->hpke_id);
    put_u16(k.suite_id + 6, suite->kdf->hpke_id);
    put_u16(k.suite_id + 8, suite->aead->hpke_id);
    return k;
}

/* labeled_ikm = "HPKE-v1" || suite_id || label || ikm */
void hpke_labeled_extract(const struct hpke_kdf *k, struct bytes salt, const char *label,
                          struct bytes_list ikm, struct secret *ret_prk)
{
    struct hmac m;
    hmac_init(&m, k->kdf->hash, salt);
    hmac_update(&m, bytes_str("HPKE-v1"));
    hmac_update(&m, bytes_of(k->suite_id, k->suite_id_bytes));
    hmac_update(&m, bytes_str(label));
    for (size_t i = 0; i < ikm.count; i++)
        hmac_update(&m, ikm.at[i]);
    ret_prk->len = k->kdf->hash->bytes;
    hmac_final(&m, ret_prk->data);
}

/* labeled_info = I2OSP(L, 2) || "HPKE-v1" || suite_id || label || info */
struct err hpke_labeled_expand(const struct hpke_kdf *k, const struct secret *prk,
                               const char *label, struct bytes info, size_t len,
                               struct secret *ret_out)
{
    if (len > SECRET_MAX_BYTES)
        return ERR(CRYPTO_LENGTH);
    uint8_t length[2];
    put_u16(length, (uint16_t)len);
    return kdf_expand(k->kdf, secret_view(prk),
                      BYTES_LIST(bytes_of(length, sizeof length), bytes_str("HPKE-v1"),
                                 bytes_of(k->suite_id, k->suite_id_bytes), bytes_str(label), info),
                      len, ret_out);
}
