/* On libsodium's public functions. They multiply only points of prime order, which is why
 * vrf_verify refuses others; crypto_core_ed25519_add takes any point on the curve. */
#include <sodium.h>

#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "crypto/vrf.h"

enum { SUITE = 0x03, POINT = 32, SCALAR = 32, CHALLENGE = 16, CANDIDATES = 256 };

/* Domain separators of RFC 9381 5.4 */
enum { FRONT_CURVE = 0x01, FRONT_CHALLENGE = 0x02, FRONT_HASH = 0x03, BACK = 0x00 };

/* a < b, little-endian, of public numbers. */
static bool below(const uint8_t a[32], const uint8_t b[32])
{
    for (size_t i = 32; i-- > 0;) {
        if (a[i] != b[i])
            return a[i] < b[i];
    }
    return false;
}

/* RFC 8032 5.1.3 step 1: y is below p. (libsodium's addition would reduce it.) */
static bool canonical(const uint8_t point[POINT])
{
    static const uint8_t p[32] = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    uint8_t y[POINT];
    memcpy(y, point, POINT);
    y[POINT - 1] &= 0x7f;
    return below(y, p);
}

static bool scalar_canonical(const uint8_t scalar[SCALAR])
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                      0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                      0,    0,    0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0x10};
    return below(scalar, order);
}

/* 8 * point, from any point on the curve; false when there is no such point or the result is the
 * identity. */
static bool clear_cofactor(const uint8_t point[POINT], uint8_t ret[POINT])
{
    static const uint8_t identity[POINT] = {1};
    uint8_t twice[POINT], four[POINT];
    return canonical(point) && crypto_core_ed25519_add(twice, point, point) == 0 &&
           crypto_core_ed25519_add(four, twice, twice) == 0 &&
           crypto_core_ed25519_add(ret, four, four) == 0 && memcmp(ret, identity, POINT) != 0;
}

/* RFC 9381 5.4.1.1, with the public key as salt. */
static struct err encode_to_curve(const uint8_t public_key[POINT], struct bytes alpha,
                                  uint8_t ret_point[POINT])
{
    static const uint8_t head[2] = {SUITE, FRONT_CURVE};
    struct hash common;
    hash_init(&common, &hash_sha512);
    hash_update(&common, bytes_of(head, sizeof head));
    hash_update(&common, bytes_of(public_key, POINT));
    hash_update(&common, alpha);
    for (unsigned i = 0; i < CANDIDATES; i++) {
        const uint8_t tail[2] = {(uint8_t)i, BACK};
        struct hash h = common;
        struct digest digest;
        hash_update(&h, bytes_of(tail, sizeof tail));
        hash_final(&h, &digest);
        if (clear_cofactor(digest.data, ret_point))
            return ERR_OK;
    }
    return ERR(CRYPTO_BACKEND);
}

/* RFC 9381 5.4.3. points: Y, H, Gamma, U, V. */
static void challenge(const uint8_t *const points[5], uint8_t ret_c[CHALLENGE])
{
    static const uint8_t head[2] = {SUITE, FRONT_CHALLENGE}, back = BACK;
    struct hash h;
    struct digest digest;
    hash_init(&h, &hash_sha512);
    hash_update(&h, bytes_of(head, sizeof head));
    for (size_t i = 0; i < 5; i++)
        hash_update(&h, bytes_of(points[i], POINT));
    hash_update(&h, bytes_of(&back, 1));
    hash_final(&h, &digest);
    memcpy(ret_c, digest.data, CHALLENGE);
}

/* RFC 9381 5.2; false when gamma is no point, or of small order. */
static bool gamma_to_hash(const uint8_t gamma[POINT], uint8_t ret_output[VRF_OUTPUT_BYTES])
{
    static const uint8_t head[2] = {SUITE, FRONT_HASH}, back = BACK;
    uint8_t cleared[POINT];
    struct digest digest;
    if (!clear_cofactor(gamma, cleared))
        return false;
    hash_list(&hash_sha512,
              BYTES_LIST(bytes_of(head, sizeof head), bytes_of(cleared, POINT), bytes_of(&back, 1)),
              &digest);
    memcpy(ret_output, digest.data, VRF_OUTPUT_BYTES);
    return true;
}

/* Scalars are taken with 64 bytes by the one function that reduces. */
static void reduce(const uint8_t *wide, size_t len, uint8_t ret_scalar[SCALAR])
{
    uint8_t padded[64] = {0};
    memcpy(padded, wide, len);
    crypto_core_ed25519_scalar_reduce(ret_scalar, padded);
    bytes_wipe(padded, sizeof padded);
}

struct err vrf_key_init(struct bytes secret, struct vrf_key *ret_key)
{
    if (secret.len != VRF_SECRET_BYTES)
        return ERR(CRYPTO_KEY_LENGTH);
    TRY(crypto_init());
    struct digest digest;
    struct vrf_key key;
    hash_once(&hash_sha512, secret, &digest);
    digest.data[0] &= 0xf8;
    digest.data[31] &= 0x7f;
    digest.data[31] |= 0x40;
    reduce(digest.data, SCALAR, key.scalar);
    memcpy(key.prefix, digest.data + SCALAR, sizeof key.prefix);
    bytes_wipe(&digest, sizeof digest);
    struct err err = ERR_OK;
    /* the clamped scalar is 8 times something below the order: never 0 */
    if (crypto_scalarmult_ed25519_base_noclamp(key.public_key, key.scalar) != 0)
        err = ERR(CRYPTO_BACKEND);
    else
        *ret_key = key;
    bytes_wipe(&key, sizeof key);
    return err;
}

void vrf_key_clear(struct vrf_key *key)
{
    bytes_wipe(key, sizeof *key);
}

/* RFC 9381 5.4.2.2: the nonce of RFC 8032. */
static void nonce(const struct vrf_key *key, const uint8_t h[POINT], uint8_t ret_k[SCALAR])
{
    struct digest digest;
    hash_list(&hash_sha512,
              BYTES_LIST(bytes_of(key->prefix, sizeof key->prefix), bytes_of(h, POINT)), &digest);
    reduce(digest.data, 64, ret_k);
    bytes_wipe(&digest, sizeof digest);
}

/* RFC 9381 5.1 */
struct err vrf_prove(const struct vrf_key *key, struct bytes alpha,
                     uint8_t ret_proof[VRF_PROOF_BYTES], uint8_t ret_output[VRF_OUTPUT_BYTES])
{
    uint8_t h[POINT], gamma[POINT], u[POINT], v[POINT], k[SCALAR], c[CHALLENGE], wide_c[SCALAR],
        s[SCALAR], output[VRF_OUTPUT_BYTES];
    TRY(encode_to_curve(key->public_key, alpha, h));
    nonce(key, h, k);
    bool well = crypto_scalarmult_ed25519_noclamp(gamma, key->scalar, h) == 0 &&
                crypto_scalarmult_ed25519_base_noclamp(u, k) == 0 &&
                crypto_scalarmult_ed25519_noclamp(v, k, h) == 0 && gamma_to_hash(gamma, output);
    if (well) {
        challenge((const uint8_t *const[]){key->public_key, h, gamma, u, v}, c);
        reduce(c, CHALLENGE, wide_c);
        crypto_core_ed25519_scalar_mul(s, wide_c, key->scalar);
        crypto_core_ed25519_scalar_add(s, s, k);
        memcpy(ret_proof, gamma, POINT);
        memcpy(ret_proof + POINT, c, CHALLENGE);
        memcpy(ret_proof + POINT + CHALLENGE, s, SCALAR);
        memcpy(ret_output, output, VRF_OUTPUT_BYTES);
    }
    bytes_wipe(k, sizeof k);
    return well ? ERR_OK : ERR(CRYPTO_BACKEND);
}

struct err vrf_check_public(struct bytes public_key)
{
    if (public_key.len != VRF_PUBLIC_BYTES)
        return ERR(CRYPTO_KEY_LENGTH);
    TRY(crypto_init());
    return crypto_core_ed25519_is_valid_point(public_key.data) == 1 ? ERR_OK : ERR(CRYPTO_KEY);
}

/* U = s*B - c*Y and V = s*H - c*Gamma (RFC 9381 5.3). libsodium looks at each point's order as it
 * multiplies; c = 0 is refused with it. */
static bool commitments(const uint8_t *public_key, const uint8_t h[POINT], const uint8_t *proof,
                        uint8_t u[POINT], uint8_t v[POINT])
{
    const uint8_t *gamma = proof, *s = proof + POINT + CHALLENGE;
    uint8_t c[SCALAR] = {0}, left[POINT], right[POINT];
    memcpy(c, proof + POINT, CHALLENGE);
    return crypto_scalarmult_ed25519_base_noclamp(left, s) == 0 &&
           crypto_scalarmult_ed25519_noclamp(right, c, public_key) == 0 &&
           crypto_core_ed25519_sub(u, left, right) == 0 &&
           crypto_scalarmult_ed25519_noclamp(left, s, h) == 0 &&
           crypto_scalarmult_ed25519_noclamp(right, c, gamma) == 0 &&
           crypto_core_ed25519_sub(v, left, right) == 0;
}

struct err vrf_verify(struct bytes public_key, struct bytes alpha, struct bytes proof,
                      uint8_t ret_output[VRF_OUTPUT_BYTES])
{
    TRY(vrf_check_public(public_key));
    if (proof.len != VRF_PROOF_BYTES || !scalar_canonical(proof.data + POINT + CHALLENGE))
        return ERR(CRYPTO_VRF);
    uint8_t h[POINT], u[POINT], v[POINT], c[CHALLENGE], output[VRF_OUTPUT_BYTES];
    TRY(encode_to_curve(public_key.data, alpha, h));
    if (!gamma_to_hash(proof.data, output) || !commitments(public_key.data, h, proof.data, u, v))
        return ERR(CRYPTO_VRF);
    challenge((const uint8_t *const[]){public_key.data, h, proof.data, u, v}, c);
    if (memcmp(c, proof.data + POINT, CHALLENGE) != 0)
        return ERR(CRYPTO_VRF);
    memcpy(ret_output, output, VRF_OUTPUT_BYTES);
    return ERR_OK;
}
