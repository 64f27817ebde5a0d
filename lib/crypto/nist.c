#include "crypto/nist.h"

const struct nist_curve nist_p256 = {OSSL_P256, "P-256", 32, 65, 0xff};
const struct nist_curve nist_p384 = {OSSL_P384, "P-384", 48, 97, 0xff};
const struct nist_curve nist_p521 = {OSSL_P521, "P-521", 66, 133, 0x01};

enum { POINT_UNCOMPRESSED = 4 };

struct err nist_check_scalar(const struct nist_curve *curve, struct bytes scalar)
{
    if (scalar.len != curve->scalar_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    const struct ossl *ossl;
    TRY(ossl_get(&ossl));
    const uint8_t *order = ossl->order[curve->index];
    /* scalar - order borrows exactly if it is smaller; no branch looks at a byte of it */
    unsigned borrow = 0;
    unsigned any = 0;
    for (size_t i = curve->scalar_bytes; i > 0; i--) {
        unsigned difference = (unsigned)scalar.data[i - 1] - order[i - 1] - borrow;
        borrow = difference >> 8 & 1;
        any |= scalar.data[i - 1];
    }
    unsigned not_zero = (any + 0xff) >> 8;
    return (borrow & not_zero) != 0 ? ERR_OK : ERR(CRYPTO_KEY);
}

/* The coordinates' range and the curve equation are checked by EC_POINT_oct2point. */
static struct err point_parse(const struct nist_curve *curve, const EC_GROUP *group,
                              struct bytes point, EC_POINT **ret_point)
{
    if (point.len != curve->point_bytes)
        return ERR(CRYPTO_KEY_LENGTH);
    if (point.data[0] != POINT_UNCOMPRESSED) /* the hybrid form 6 or 7 has the same length */
        return ERR(CRYPTO_KEY);
    EC_POINT *parsed = EC_POINT_new(group);
    if (parsed == NULL)
        return ossl_failure(ERR(NO_MEMORY));
    if (EC_POINT_oct2point(group, parsed, point.data, point.len, NULL) != 1) {
        EC_POINT_free(parsed);
        return ossl_failure(ERR(CRYPTO_KEY));
    }
    *ret_point = parsed;
    return ERR_OK;
}

struct err nist_check_point(const struct nist_curve *curve, struct bytes point)
{
    const struct ossl *ossl;
    TRY(ossl_get(&ossl));
    EC_POINT *parsed;
    TRY(point_parse(curve, ossl->group[curve->index], point, &parsed));
    EC_POINT_free(parsed);
    return ERR_OK;
}

static BIGNUM *scalar_number(struct bytes scalar)
{
    BIGNUM *number = BN_secure_new();
    if (number == NULL)
        return NULL;
    if (BN_bin2bn(scalar.data, (int)scalar.len, number) == NULL) {
        BN_clear_free(number);
        return NULL;
    }
    BN_set_flags(number, BN_FLG_CONSTTIME);
    return number;
}

struct err nist_public_of(const struct nist_curve *curve, struct bytes scalar, uint8_t *ret_point)
{
    TRY(nist_check_scalar(curve, scalar));
    const struct ossl *ossl;
    TRY(ossl_get(&ossl));
    const EC_GROUP *group = ossl->group[curve->index];
    BIGNUM *number = scalar_number(scalar);
    EC_POINT *point = EC_POINT_new(group);
    bool done = number != NULL && point != NULL &&
                EC_POINT_mul(group, point, number, NULL, NULL, NULL) == 1 &&
                EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, ret_point,
                                   curve->point_bytes, NULL) == curve->point_bytes;
    EC_POINT_free(point);
    BN_clear_free(number);
    return done ? ERR_OK : ossl_failure(ERR(CRYPTO_BACKEND));
}

struct err nist_dh(const struct nist_curve *curve, struct bytes scalar, struct bytes point,
                   uint8_t *ret_x)
{
    TRY(nist_check_scalar(curve, scalar));
    const struct ossl *ossl;
    TRY(ossl_get(&ossl));
    const EC_GROUP *group = ossl->group[curve->index];
    EC_POINT *theirs;
    TRY(point_parse(curve, group, point, &theirs));
    BIGNUM *number = scalar_number(scalar);
    EC_POINT *product = EC_POINT_new(group);
    BIGNUM *x = BN_secure_new();
    int len = (int)curve->scalar_bytes;
    /* the cofactor is 1, so a valid point times a scalar in range is never infinity */
    bool done = number != NULL && product != NULL && x != NULL &&
                EC_POINT_mul(group, product, NULL, theirs, number, NULL) == 1 &&
                EC_POINT_get_affine_coordinates(group, product, x, NULL, NULL) == 1 &&
                BN_bn2binpad(x, ret_x, len) == len;
    BN_clear_free(x);
    EC_POINT_clear_free(product);
    BN_clear_free(number);
    EC_POINT_free(theirs);
    return done ? ERR_OK : ossl_failure(ERR(CRYPTO_BACKEND));
}

static OSSL_PARAM *pkey_params(const struct nist_curve *curve, const BIGNUM *scalar,
                               struct bytes point)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->group_name, 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len) ==
            1 &&
        (scalar == NULL || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1))
        params = OSSL_PARAM_BLD_to_param(build);
    OSSL_PARAM_BLD_free(build);
    return params;
}

struct err nist_pkey(const struct nist_curve *curve, struct bytes scalar, struct bytes point,
                     EVP_PKEY **ret_pkey)
{
    struct err err = ERR_OK;
    BIGNUM *number = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    bool secret = scalar.len > 0;
    if (ctx == NULL || (secret && (number = scalar_number(scalar)) == NULL) ||
        (params = pkey_params(curve, number, point)) == NULL) {
        err = ossl_failure(ERR(NO_MEMORY));
        goto out;
    }
    if (EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
        err = ossl_failure(ERR(CRYPTO_BACKEND)); /* the key was checked before */
    else
        *ret_pkey = pkey;
out:
    OSSL_PARAM_free(params); /* wipes what came from a secure BIGNUM */
    BN_clear_free(number);
    EVP_PKEY_CTX_free(ctx);
    return err;
}
