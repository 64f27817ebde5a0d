/* What a signature algorithm provides; sig.c is the common part. Internal to lib/crypto. */
#ifndef CRYPTO_SIG_OPS_H
#define CRYPTO_SIG_OPS_H

#include "crypto/hash.h"
#include "crypto/nist.h"
#include "crypto/sig.h"

/* Lengths of keys are checked before any of these is called. `parsed` is what load_* made, or NULL.
 */
struct sig_ops {
    /* Draws a private key of the right length. */
    struct err (*draw)(const struct sig_alg *alg, const struct rng *rng,
                       struct secret *ret_private);
    /* From the private key: the public key and the parsed form. */
    struct err (*load_private)(const struct sig_alg *alg, struct bytes private_key,
                               uint8_t *ret_public, void **ret_parsed);
    struct err (*check_public)(const struct sig_alg *alg, struct bytes public_key);
    struct err (*load_public)(const struct sig_alg *alg, struct bytes public_key,
                              void **ret_parsed);
    struct err (*sign)(const struct sig_key *key, struct bytes message,
                       struct signature *ret_signature);
    struct err (*verify)(const struct sig_alg *alg, struct bytes public_key, void *parsed,
                         struct bytes message, struct bytes signature);
    void (*free_parsed)(void *parsed); /* NULL when there is none */
    const struct nist_curve *curve;    /* ECDSA only */
    const struct hash_alg *hash;       /* ECDSA only */
};

/* Private keys that are plain random strings: the EdDSA seeds. */
CHECKED struct err sig_draw_seed(const struct sig_alg *alg, const struct rng *rng,
                                 struct secret *ret_private);

#endif
