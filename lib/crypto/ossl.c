#include "crypto/ossl.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

#include "crypto/crypto.h"

static struct ossl shared;
static atomic_bool ready;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct {
    int nid;
    int scalar_bytes;
} curves[OSSL_CURVE_COUNT] = {
    [OSSL_P256] = {NID_X9_62_prime256v1, 32},
    [OSSL_P384] = {NID_secp384r1, 48},
    [OSSL_P521] = {NID_secp521r1, 66},
};

/* Fetches what is missing, so that a second attempt goes on where a failed one stopped. */
static struct err fetch(void)
{
    if (sodium_init() < 0)
        return ERR(CRYPTO_BACKEND);
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return ossl_failure(ERR(CRYPTO_BACKEND));
    if (shared.aes128_gcm == NULL)
        shared.aes128_gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    if (shared.aes256_gcm == NULL)
        shared.aes256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (shared.aes128_gcm == NULL || shared.aes256_gcm == NULL)
        return ossl_failure(ERR(CRYPTO_BACKEND));
    for (int i = 0; i < OSSL_CURVE_COUNT; i++) {
        if (shared.group[i] == NULL)
            shared.group[i] = EC_GROUP_new_by_curve_name(curves[i].nid);
        if (shared.group[i] == NULL)
            return ossl_failure(ERR(CRYPTO_BACKEND));
        const BIGNUM *order = EC_GROUP_get0_order(shared.group[i]);
        if (BN_bn2binpad(order, shared.order[i], curves[i].scalar_bytes) != curves[i].scalar_bytes)
            return ossl_failure(ERR(CRYPTO_BACKEND));
    }
    return ERR_OK;
}

struct err crypto_init(void)
{
    if (atomic_load_explicit(&ready, memory_order_acquire))
        return ERR_OK;
    pthread_mutex_lock(&lock);
    struct err err = ERR_OK;
    if (!atomic_load_explicit(&ready, memory_order_relaxed)) {
        err = fetch();
        if (err_is_ok(err))
            atomic_store_explicit(&ready, true, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return err;
}

struct err ossl_get(const struct ossl **ret_ossl)
{
    TRY(crypto_init());
    *ret_ossl = &shared;
    return ERR_OK;
}

struct err ossl_failure(struct err otherwise)
{
    bool no_memory = false;
    unsigned long code;
    while ((code = ERR_get_error()) != 0)
        no_memory = no_memory || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    return no_memory ? ERR(NO_MEMORY) : otherwise;
}
