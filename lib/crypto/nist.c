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
    EC_POINT *parsed = NULL;
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
    EC_POINT *theirs = NULL;
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

struct err nist_key(const struct nist_curve *curve, struct bytes scalar, struct bytes point,
                    EC_KEY **ret_key)
{
    const struct ossl *ossl;
    TRY(ossl_get(&ossl));
    const EC_GROUP *group = ossl->group[curve->index];
    EC_POINT *parsed = NULL;
    TRY(point_parse(curve, group, point, &parsed));
    BIGNUM *number = scalar.len > 0 ? scalar_number(scalar) : NULL;
    EC_KEY *key = EC_KEY_new();
    bool done = key != NULL && EC_KEY_set_group(key, group) == 1 &&
                EC_KEY_set_public_key(key, parsed) == 1 &&
                (scalar.len == 0 || (number != NULL && EC_KEY_set_private_key(key, number) == 1));
    BN_clear_free(number);
    EC_POINT_free(parsed);
    if (!done) {
        EC_KEY_free(key);
        return ossl_failure(ERR(CRYPTO_BACKEND));
    }
    *ret_key = key;
    return ERR_OK;
}
