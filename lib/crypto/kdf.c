#include "crypto/kdf.h"

const struct kdf_alg kdf_hkdf_sha256 = {"HKDF-SHA256", 0x0001, &hash_sha256};
const struct kdf_alg kdf_hkdf_sha384 = {"HKDF-SHA384", 0x0002, &hash_sha384};
const struct kdf_alg kdf_hkdf_sha512 = {"HKDF-SHA512", 0x0003, &hash_sha512};

void kdf_extract(const struct kdf_alg *alg, struct bytes salt, struct bytes_list ikm,
                 struct secret *ret_prk)
{
    struct hmac m;
    hmac_init(&m, alg->hash, salt); /* an empty key and Nh zeros pad to the same block */
    for (size_t i = 0; i < ikm.count; i++)
        hmac_update(&m, ikm.at[i]);
    ret_prk->len = alg->hash->bytes;
    hmac_final(&m, ret_prk->data);
}

/* RFC 5869 2.3: T(i) = HMAC(PRK, T(i-1) | info | i) */
struct err kdf_expand_into(const struct kdf_alg *alg, struct bytes prk, struct bytes_list info,
                           size_t len, uint8_t *ret_out)
{
    size_t step = alg->hash->bytes;
    if (len > 255 * step)
        return ERR(CRYPTO_LENGTH);
    struct hmac key;
    hmac_init(&key, alg->hash, prk);
    uint8_t block[HASH_MAX_BYTES];
    uint8_t counter = 0;
    for (size_t done = 0; done < len; done += step) {
        struct hmac m = key;
        if (counter > 0)
            hmac_update(&m, bytes_of(block, step));
        for (size_t i = 0; i < info.count; i++)
            hmac_update(&m, info.at[i]);
        counter++;
        hmac_update(&m, bytes_of(&counter, 1));
        hmac_final(&m, block);
        memcpy(ret_out + done, block, len - done < step ? len - done : step);
    }
    bytes_wipe(block, sizeof block);
    hmac_clear(&key);
    return ERR_OK;
}

struct err kdf_expand(const struct kdf_alg *alg, struct bytes prk, struct bytes_list info,
                      size_t len, struct secret *ret_out)
{
    if (len > SECRET_MAX_BYTES)
        return ERR(CRYPTO_LENGTH);
    struct secret out = {.len = len};
    struct err err = kdf_expand_into(alg, prk, info, len, out.data);
    if (err_is_ok(err))
        *ret_out = out;
    secret_clear(&out);
    return err;
}
