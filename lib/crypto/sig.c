#include "crypto/sig.h"
#include "crypto/count.h"

#include "crypto/crypto.h"
#include "crypto/sig_ops.h"

struct err sig_draw_seed(const struct sig_alg *alg, const struct rng *rng,
                         struct secret *ret_private)
{
    return secret_random(rng, alg->private_bytes, ret_private);
}

struct err sig_key_init(const struct sig_alg *alg, struct bytes private_key,
                        struct sig_key *ret_key)
{
    if (private_key.len != alg->private_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    TRY(crypto_init());
    struct sig_key key = {.alg = alg, .public_key.len = alg->public_bytes};
    struct err err = alg->ops->load_private(alg, private_key, key.public_key.data, &key.parsed);
    if (err_is_ok(err)) {
        memcpy(key.private_key.data, private_key.data, private_key.len);
        key.private_key.len = private_key.len;
        *ret_key = key;
    }
    bytes_wipe(&key, sizeof key);
    return err;
}

struct err sig_key_generate(const struct sig_alg *alg, const struct rng *rng,
                            struct sig_key *ret_key)
{
    TRY(crypto_init());
    struct secret drawn = {0};
    struct err err = alg->ops->draw(alg, rng, &drawn);
    if (err_is_ok(err))
        err = sig_key_init(alg, secret_view(&drawn), ret_key);
    secret_clear(&drawn);
    return err;
}

void sig_key_clear(struct sig_key *key)
{
    if (key->parsed != NULL)
        key->alg->ops->free_parsed(key->parsed);
    bytes_wipe(key, sizeof *key);
}

struct err sig_sign(const struct sig_key *key, struct bytes message,
                    struct signature *ret_signature)
{
    crypto_count.signatures++;
    return key->alg->ops->sign(key, message, ret_signature);
}

struct err sig_check_public(const struct sig_alg *alg, struct bytes public_key)
{
    if (public_key.len != alg->public_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    return alg->ops->check_public(alg, public_key);
}

struct err sig_verifier_init(const struct sig_alg *alg, struct bytes public_key,
                             struct sig_verifier *ret_verifier)
{
    if (public_key.len != alg->public_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    TRY(crypto_init());
    struct sig_verifier v = {.alg = alg, .public_key.len = public_key.len};
    TRY(alg->ops->load_public(alg, public_key, &v.parsed));
    memcpy(v.public_key.data, public_key.data, public_key.len);
    *ret_verifier = v;
    return ERR_OK;
}

void sig_verifier_clear(struct sig_verifier *verifier)
{
    if (verifier->parsed != NULL)
        verifier->alg->ops->free_parsed(verifier->parsed);
    *verifier = (struct sig_verifier){0};
}

struct err sig_verifier_verify(const struct sig_verifier *verifier, struct bytes message,
                               struct bytes signature)
{
    crypto_count.verifications++;
    return verifier->alg->ops->verify(verifier->alg, public_key_view(&verifier->public_key),
                                      verifier->parsed, message, signature);
}

struct err sig_verify(const struct sig_alg *alg, struct bytes public_key, struct bytes message,
                      struct bytes signature)
{
    if (public_key.len != alg->public_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    TRY(crypto_init());
    void *parsed = NULL;
    TRY(alg->ops->load_public(alg, public_key, &parsed));
    crypto_count.verifications++;
    struct err err = alg->ops->verify(alg, public_key, parsed, message, signature);
    if (parsed != NULL)
        alg->ops->free_parsed(parsed);
    return err;
}
