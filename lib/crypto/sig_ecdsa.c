/* ECDSA by OpenSSL, over digests of our own. `parsed` is an EC_KEY. */
#include "crypto/ossl.h"
#include "crypto/sig_ops.h"
#include "wire/reader.h"

/* FIPS 186-5 A.2.2, by rejection: a candidate fails with probability below 2^-32 on P-256, less on
 * the others, so 64 failures in a row mean a broken rng. */
static struct err ecdsa_draw(const struct sig_alg *alg, const struct rng *rng,
                             struct secret *ret_private)
{
    const struct nist_curve *curve = alg->ops->curve;
    struct secret drawn = {0};
    struct err err = ERR(INTERNAL);
    for (int attempt = 0; attempt < 64; attempt++) {
        err = secret_random(rng, curve->scalar_bytes, &drawn);
        if (!err_is_ok(err))
            break;
        drawn.data[0] &= curve->top_mask;
        err = nist_check_scalar(curve, secret_view(&drawn));
        if (err_is_ok(err)) {
            *ret_private = drawn;
            break;
        }
        err = ERR(INTERNAL);
    }
    secret_clear(&drawn);
    return err;
}

static struct err ecdsa_load_private(const struct sig_alg *alg, struct bytes private_key,
                                     uint8_t *ret_public, void **ret_parsed)
{
    const struct nist_curve *curve = alg->ops->curve;
    TRY(nist_public_of(curve, private_key, ret_public));
    EC_KEY *parsed;
    TRY(nist_key(curve, private_key, bytes_of(ret_public, curve->point_bytes), &parsed));
    *ret_parsed = parsed;
    return ERR_OK;
}

static struct err ecdsa_check_public(const struct sig_alg *alg, struct bytes public_key)
{
    return nist_check_point(alg->ops->curve, public_key);
}

static struct err ecdsa_load_public(const struct sig_alg *alg, struct bytes public_key,
                                    void **ret_parsed)
{
    EC_KEY *parsed;
    TRY(nist_key(alg->ops->curve, bytes_of(NULL, 0), public_key, &parsed));
    *ret_parsed = parsed;
    return ERR_OK;
}

static struct err ecdsa_sign(const struct sig_key *key, struct bytes message,
                             struct signature *ret_signature)
{
    struct digest digest;
    hash_once(key->alg->ops->hash, message, &digest);
    struct signature signature = {0};
    unsigned len = 0;
    if (ECDSA_size(key->parsed) > SIGNATURE_MAX_BYTES ||
        ECDSA_sign(0, digest.data, (int)digest.len, signature.data, &len, key->parsed) != 1)
        return ossl_failure(ERR(CRYPTO_BACKEND));
    signature.len = len;
    *ret_signature = signature;
    return ERR_OK;
}

/* INTEGER, positive, minimal, no longer than a scalar with a sign byte. */
static bool der_integer(struct wire_reader *r, size_t scalar_bytes)
{
    bool tagged = wire_read_u8(r) == 0x02;
    struct bytes n = wire_read_vector8(r);
    if (!tagged || n.len == 0 || n.data[0] >= 0x80)
        return false;
    bool sign_byte = n.data[0] == 0 && n.len > 1;
    return (!sign_byte || n.data[1] >= 0x80) && n.len - sign_byte <= scalar_bytes;
}

/* Ecdsa-Sig-Value in DER (RFC 9420 5.1.2). OpenSSL looks again, but calls a malformed signature and
 * a failed allocation by one name; with the form known to be good, its "error" is never the
 * signer's fault. */
static bool der_signature(struct bytes signature, size_t scalar_bytes)
{
    struct wire_reader r = wire_reader_of(signature);
    bool tagged = wire_read_u8(&r) == 0x30;
    uint8_t len = wire_read_u8(&r);
    bool minimal = true;
    if (len == 0x81) {
        len = wire_read_u8(&r);
        minimal = len >= 0x80;
    } else {
        minimal = len < 0x80;
    }
    if (!tagged || !minimal || wire_reader_left(&r) != len)
        return false;
    bool r_good = der_integer(&r, scalar_bytes);
    bool s_good = der_integer(&r, scalar_bytes);
    return r_good && s_good && err_is_ok(wire_reader_end(&r));
}

static struct err ecdsa_verify(const struct sig_alg *alg, struct bytes public_key, void *parsed,
                               struct bytes message, struct bytes signature)
{
    (void)public_key;
    if (!der_signature(signature, alg->ops->curve->scalar_bytes))
        return ERR(CRYPTO_SIGNATURE);
    struct digest digest;
    hash_once(alg->ops->hash, message, &digest);
    int genuine =
        ECDSA_verify(0, digest.data, (int)digest.len, signature.data, (int)signature.len, parsed);
    if (genuine == 1)
        return ERR_OK;
    return ossl_failure(genuine == 0 ? ERR(CRYPTO_SIGNATURE) : ERR(CRYPTO_BACKEND));
}

static void ecdsa_free(void *parsed)
{
    EC_KEY_free(parsed);
}

#define ECDSA_OPS(curve_, hash_)                                                                  \
    {                                                                                             \
        .draw = ecdsa_draw, .load_private = ecdsa_load_private,                                   \
        .check_public = ecdsa_check_public, .load_public = ecdsa_load_public, .sign = ecdsa_sign, \
        .verify = ecdsa_verify, .free_parsed = ecdsa_free, .curve = &(curve_), .hash = &(hash_)   \
    }

static const struct sig_ops p256_ops = ECDSA_OPS(nist_p256, hash_sha256);
static const struct sig_ops p384_ops = ECDSA_OPS(nist_p384, hash_sha384);
static const struct sig_ops p521_ops = ECDSA_OPS(nist_p521, hash_sha512);

const struct sig_alg sig_ecdsa_p256_sha256 = {
    "ECDSA P-256 SHA-256", 0x0403, 32, 65, 72, &p256_ops,
};
const struct sig_alg sig_ecdsa_p384_sha384 = {
    "ECDSA P-384 SHA-384", 0x0503, 48, 97, 104, &p384_ops,
};
const struct sig_alg sig_ecdsa_p521_sha512 = {
    "ECDSA P-521 SHA-512", 0x0603, 66, 133, 139, &p521_ops,
};
