/* Ed25519 by libsodium, which signs and verifies in half the time of OpenSSL 3.0 and allocates
 * nothing. Its verification refuses S >= L, a key or R of small order, and a non-canonical key (RFC
 * 8032 5.1.7 and beyond). */
#include <sodium.h>

#include "crypto/sig_ops.h"

_Static_assert(crypto_sign_ed25519_BYTES <= SIGNATURE_MAX_BYTES, "signature");

static struct err ed25519_load_private(const struct sig_alg *alg, struct bytes private_key,
                                       uint8_t *ret_public, void **ret_parsed)
{
    (void)alg;
    (void)ret_parsed;
    uint8_t pair[crypto_sign_ed25519_SECRETKEYBYTES];
    crypto_sign_ed25519_seed_keypair(ret_public, pair, private_key.data);
    bytes_wipe(pair, sizeof pair);
    return ERR_OK;
}

static struct err ed25519_check_public(const struct sig_alg *alg, struct bytes public_key)
{
    (void)alg;
    (void)public_key;
    return ERR_OK;
}

static struct err ed25519_load_public(const struct sig_alg *alg, struct bytes public_key,
                                      void **ret_parsed)
{
    (void)alg;
    (void)public_key;
    (void)ret_parsed;
    return ERR_OK;
}

/* libsodium's secret key is seed || public key. The public half is the one worked out at load,
 * never one from outside: signing under a foreign public key would give the private key away. */
static struct err ed25519_sign(const struct sig_key *key, struct bytes message,
                               struct signature *ret_signature)
{
    uint8_t pair[crypto_sign_ed25519_SECRETKEYBYTES];
    memcpy(pair, key->private_key.data, crypto_sign_ed25519_SEEDBYTES);
    memcpy(pair + crypto_sign_ed25519_SEEDBYTES, key->public_key.data,
           crypto_sign_ed25519_PUBLICKEYBYTES);
    crypto_sign_ed25519_detached(ret_signature->data, NULL, message.data, message.len, pair);
    ret_signature->len = crypto_sign_ed25519_BYTES;
    bytes_wipe(pair, sizeof pair);
    return ERR_OK;
}

static struct err ed25519_verify(const struct sig_alg *alg, struct bytes public_key, void *parsed,
                                 struct bytes message, struct bytes signature)
{
    (void)alg;
    (void)parsed;
    if (signature.len != crypto_sign_ed25519_BYTES)
        return ERR(CRYPTO_SIGNATURE);
    if (crypto_sign_ed25519_verify_detached(signature.data, message.data, message.len,
                                            public_key.data) != 0)
        return ERR(CRYPTO_SIGNATURE);
    return ERR_OK;
}

static const struct sig_ops ed25519_ops = {
    .draw = sig_draw_seed,
    .load_private = ed25519_load_private,
    .check_public = ed25519_check_public,
    .load_public = ed25519_load_public,
    .sign = ed25519_sign,
    .verify = ed25519_verify,
};

const struct sig_alg sig_ed25519 = {
    .name = "Ed25519",
    .scheme = 0x0807,
    .private_bytes = crypto_sign_ed25519_SEEDBYTES,
    .public_bytes = crypto_sign_ed25519_PUBLICKEYBYTES,
    .signature_max_bytes = crypto_sign_ed25519_BYTES,
    .ops = &ed25519_ops,
};
