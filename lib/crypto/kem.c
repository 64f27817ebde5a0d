#include "crypto/kem.h"
#include "crypto/count.h"

#include "crypto/crypto.h"
#include "crypto/dh.h"
#include "crypto/hpke_kdf.h"

const struct kem_alg kem_p256 = {
    "DHKEM(P-256)", 0x0010, 32, 65, 32, &kdf_hkdf_sha256, &dh_p256,
};
const struct kem_alg kem_p384 = {
    "DHKEM(P-384)", 0x0011, 48, 97, 48, &kdf_hkdf_sha384, &dh_p384,
};
const struct kem_alg kem_p521 = {
    "DHKEM(P-521)", 0x0012, 66, 133, 64, &kdf_hkdf_sha512, &dh_p521,
};
const struct kem_alg kem_x25519 = {
    "DHKEM(X25519)", 0x0020, 32, 32, 32, &kdf_hkdf_sha256, &dh_x25519,
};
const struct kem_alg kem_x448 = {
    "DHKEM(X448)", 0x0021, 56, 56, 64, &kdf_hkdf_sha512, &dh_x448,
};

/* RFC 9180 7.1.3 for the NIST curves: candidates until one is in range. */
static struct err derive_scalar(const struct kem_alg *kem, const struct hpke_kdf *k,
                                const struct secret *prk, struct secret *ret_private)
{
    const struct nist_curve *curve = kem->ops->curve;
    for (unsigned counter = 0; counter < 256; counter++) {
        uint8_t number = (uint8_t)counter;
        TRY(hpke_labeled_expand(k, prk, "candidate", bytes_of(&number, 1), kem->private_bytes,
                                ret_private));
        ret_private->data[0] &= curve->top_mask;
        struct err err = nist_check_scalar(curve, secret_view(ret_private));
        if (err.code != ERR_CRYPTO_KEY)
            return err;
    }
    return ERR(INTERNAL);
}

static struct err derive_private(const struct kem_alg *kem, struct bytes ikm,
                                 struct secret *ret_private)
{
    struct hpke_kdf k = hpke_kdf_of_kem(kem);
    struct secret prk;
    hpke_labeled_extract(&k, bytes_of(NULL, 0), "dkp_prk", BYTES_LIST(ikm), &prk);
    struct err err = kem->ops->curve != NULL
                         ? derive_scalar(kem, &k, &prk, ret_private)
                         : hpke_labeled_expand(&k, &prk, "sk", bytes_of(NULL, 0),
                                               kem->private_bytes, ret_private);
    secret_clear(&prk);
    return err;
}

struct err kem_derive(const struct kem_alg *kem, struct bytes ikm, struct secret *ret_private,
                      struct public_key *ret_public)
{
    TRY(crypto_init());
    struct secret private = {0};
    struct public_key public = {.len = kem->public_bytes};
    struct err err = derive_private(kem, ikm, &private);
    if (err_is_ok(err))
        err = kem->ops->public_of(kem->ops, secret_view(&private), public.data);
    if (err_is_ok(err)) {
        *ret_private = private;
        *ret_public = public;
    }
    secret_clear(&private);
    return err;
}

struct err kem_generate(const struct kem_alg *kem, const struct rng *rng,
                        struct secret *ret_private, struct public_key *ret_public)
{
    struct secret ikm = {0};
    struct err err = secret_random(rng, kem->private_bytes, &ikm);
    if (err_is_ok(err))
        err = kem_derive(kem, secret_view(&ikm), ret_private, ret_public);
    secret_clear(&ikm);
    return err;
}

struct err kem_public_of(const struct kem_alg *kem, struct bytes private_key,
                         struct public_key *ret_public)
{
    if (private_key.len != kem->private_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    TRY(crypto_init());
    struct public_key public = {.len = kem->public_bytes};
    TRY(kem->ops->public_of(kem->ops, private_key, public.data));
    *ret_public = public;
    return ERR_OK;
}

struct err kem_check_public(const struct kem_alg *kem, struct bytes public_key)
{
    if (public_key.len != kem->public_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    return kem->ops->check_public(kem->ops, public_key);
}

/* DH and ExtractAndExpand (RFC 9180 4.1), the part that both sides share. */
static struct err shared_secret(const struct kem_alg *kem, struct bytes private_key,
                                struct bytes peer, struct bytes enc, struct bytes recipient,
                                struct secret *ret_shared)
{
    uint8_t dh[DH_MAX_BYTES] = {0};
    struct bytes dh_view = bytes_of(dh, kem->ops->dh_bytes);
    struct err err = kem->ops->dh(kem->ops, private_key, peer, dh);
    if (err_is_ok(err)) {
        struct hpke_kdf k = hpke_kdf_of_kem(kem);
        uint8_t context[2 * PUBLIC_KEY_MAX_BYTES]; /* kem_context = enc || pkRm */
        memcpy(context, enc.data, enc.len);
        memcpy(context + enc.len, recipient.data, recipient.len);
        struct secret prk;
        hpke_labeled_extract(&k, bytes_of(NULL, 0), "eae_prk", BYTES_LIST(dh_view), &prk);
        err = hpke_labeled_expand(&k, &prk, "shared_secret",
                                  bytes_of(context, enc.len + recipient.len), kem->secret_bytes,
                                  ret_shared);
        secret_clear(&prk);
    }
    bytes_wipe(dh, sizeof dh);
    return err;
}

struct err kem_encap(const struct kem_alg *kem, const struct rng *rng, struct bytes public_key,
                     struct secret *ret_shared, struct public_key *ret_enc)
{
    /* the point itself is checked by the DH */
    if (public_key.len != kem->public_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    crypto_count.exchanges++;
    struct secret ephemeral = {0};
    struct public_key enc;
    struct err err = kem_generate(kem, rng, &ephemeral, &enc);
    if (err_is_ok(err))
        err = shared_secret(kem, secret_view(&ephemeral), public_key, public_key_view(&enc),
                            public_key, ret_shared);
    if (err_is_ok(err))
        *ret_enc = enc;
    secret_clear(&ephemeral);
    return err;
}

struct err kem_decap(const struct kem_alg *kem, struct bytes private_key, struct bytes own_public,
                     struct bytes enc, struct secret *ret_shared)
{
    if (enc.len != kem->public_bytes || private_key.len != kem->private_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    TRY(crypto_init());
    struct public_key own;
    if (own_public.len == 0) {
        TRY(kem_public_of(kem, private_key, &own));
        own_public = public_key_view(&own);
    }
    if (own_public.len != kem->public_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    crypto_count.exchanges++;
    return shared_secret(kem, private_key, enc, enc, own_public, ret_shared);
}
