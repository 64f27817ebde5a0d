#include "crypto/voprf_proof.h"

#include <sodium.h>

#include "crypto/ristretto.h"

enum { N = RISTRETTO_BYTES };
_Static_assert((int)N == (int)VOPRF_ELEMENT_BYTES && (int)N == (int)VOPRF_SCALAR_BYTES, "sizes");

static const uint8_t element_length[] = {0, N}; /* I2OSP(Noe, 2) */

static struct bytes element_view(const uint8_t *element)
{
    return bytes_of(element, N);
}

/* The bindings of a batch: seed, then one scalar for each pair (RFC 9497 2.2.1). */
static void composite_seed(const uint8_t *public_key, struct digest *ret_seed)
{
    static const char tag[] = "Seed-";
    const struct bytes context = ristretto_context();
    const uint8_t length[] = {0, (uint8_t)(sizeof tag - 1 + context.len)};
    hash_list(&hash_sha512,
              BYTES_LIST(bytes_of(element_length, 2), element_view(public_key), bytes_of(length, 2),
                         bytes_str(tag), context),
              ret_seed);
}

static void composite_scalar(const struct digest *seed, size_t i, const uint8_t *c,
                             const uint8_t *d, uint8_t ret_scalar[N])
{
    const uint8_t seed_length[] = {0, HASH_MAX_BYTES};
    const uint8_t index[] = {(uint8_t)(i >> 8), (uint8_t)i};
    ristretto_hash_to_scalar(BYTES_LIST(bytes_of(seed_length, 2), digest_view(seed),
                                        bytes_of(index, 2), bytes_of(element_length, 2),
                                        element_view(c), bytes_of(element_length, 2),
                                        element_view(d), bytes_str("Composite")),
                             ret_scalar);
}

/* M = sum of d_i C_i; with ret_z also Z = sum of d_i D_i, else the caller has the key and makes
 * Z = k M at a fraction of the cost. */
static struct err composites(const uint8_t *public_key, const uint8_t *c, const uint8_t *d,
                             size_t count, uint8_t ret_m[N], uint8_t *ret_z)
{
    struct digest seed;
    uint8_t scalar[N], product[N];
    composite_seed(public_key, &seed);
    memset(ret_m, 0, N);
    if (ret_z != NULL)
        memset(ret_z, 0, N);
    for (size_t i = 0; i < count; i++) {
        composite_scalar(&seed, i, c + N * i, d + N * i, scalar);
        TRY(ristretto_mul(scalar, c + N * i, product));
        TRY(ristretto_add_to(ret_m, product));
        if (ret_z == NULL)
            continue;
        TRY(ristretto_mul(scalar, d + N * i, product));
        TRY(ristretto_add_to(ret_z, product));
    }
    return ERR_OK;
}

static void challenge(const uint8_t *public_key, const uint8_t *m, const uint8_t *z,
                      const uint8_t *t2, const uint8_t *t3, uint8_t ret_c[N])
{
    const struct bytes length = bytes_of(element_length, 2);
    ristretto_hash_to_scalar(BYTES_LIST(length, element_view(public_key), length, element_view(m),
                                        length, element_view(z), length, element_view(t2), length,
                                        element_view(t3), bytes_str("Challenge")),
                             ret_c);
}

struct err voprf_random_scalar(const struct rng *rng, uint8_t ret_scalar[VOPRF_SCALAR_BYTES])
{
    uint8_t wide[2 * N], scalar[N];
    TRY(rng_fill(rng, wide, sizeof wide));
    crypto_core_ristretto255_scalar_reduce(scalar, wide);
    bytes_wipe(wide, sizeof wide);
    if (ristretto_is_zero(scalar)) /* once in 2^252 draws of a sound source */
        return ERR(IO);
    memcpy(ret_scalar, scalar, N);
    bytes_wipe(scalar, sizeof scalar);
    return ERR_OK;
}

struct err voprf_prove(const struct voprf_key *key, const struct rng *rng, const uint8_t *blinded,
                       const uint8_t *evaluated, size_t count, uint8_t ret_proof[VOPRF_PROOF_BYTES])
{
    uint8_t m[N], z[N], nonce[N], t2[N], t3[N], c[N], s[N];
    TRY(composites(key->public_key, blinded, evaluated, count, m, NULL));
    TRY(ristretto_mul(key->private_key, m, z));
    TRY(voprf_random_scalar(rng, nonce));
    ristretto_mul_base(nonce, t2);
    struct err err = ristretto_mul(nonce, m, t3);
    if (err_is_ok(err)) {
        challenge(key->public_key, m, z, t2, t3, c);
        crypto_core_ristretto255_scalar_mul(s, c, key->private_key);
        crypto_core_ristretto255_scalar_sub(s, nonce, s);
        memcpy(ret_proof, c, N);
        memcpy(ret_proof + N, s, N);
    }
    bytes_wipe(nonce, sizeof nonce);
    return err;
}

/* ret_t = s * a + c * b */
static struct err commitment(const uint8_t *s_times_a, const uint8_t *c, const uint8_t *b,
                             uint8_t ret_t[N])
{
    TRY(ristretto_mul(c, b, ret_t));
    return ristretto_add_to(ret_t, s_times_a);
}

struct err voprf_verify(const uint8_t public_key[VOPRF_ELEMENT_BYTES], const uint8_t *blinded,
                        const uint8_t *evaluated, size_t count,
                        const uint8_t proof[VOPRF_PROOF_BYTES])
{
    const uint8_t *c = proof, *s = proof + N;
    uint8_t m[N], z[N], product[N], t2[N], t3[N], expected[N];
    if (!ristretto_is_scalar(c) || !ristretto_is_scalar(s))
        return ERR(CRYPTO_PROOF);
    TRY(composites(public_key, blinded, evaluated, count, m, z));
    ristretto_mul_base(s, product);
    TRY(commitment(product, c, public_key, t2));
    TRY(ristretto_mul(s, m, product));
    TRY(commitment(product, c, z, t3));
    challenge(public_key, m, z, t2, t3, expected);
    return sodium_memcmp(expected, c, N) == 0 ? ERR_OK : ERR(CRYPTO_PROOF);
}
