#include "crypto/voprf.h"

#include <sodium.h>

#include "crypto/crypto.h"
#include "crypto/ristretto.h"
#include "crypto/voprf_proof.h"

enum { N = RISTRETTO_BYTES };

static void key_complete(struct voprf_key *key)
{
    ristretto_mul_base(key->private_key, key->public_key);
}

struct err voprf_key_derive(const uint8_t seed[VOPRF_SEED_BYTES], struct bytes info,
                            struct voprf_key *ret_key)
{
    if (info.len > UINT16_MAX)
        return ERR(ARGUMENT);
    TRY(crypto_init());
    const uint8_t length[] = {(uint8_t)(info.len >> 8), (uint8_t)info.len};
    struct voprf_key key;
    /* RFC 9497 3.2.1: the next counter when the scalar is zero */
    for (unsigned counter = 0; counter <= UINT8_MAX; counter++) {
        const uint8_t last = (uint8_t)counter;
        ristretto_hash_to_scalar_tagged(bytes_str("DeriveKeyPair"),
                                        BYTES_LIST(bytes_of(seed, VOPRF_SEED_BYTES),
                                                   bytes_of(length, 2), info, bytes_of(&last, 1)),
                                        key.private_key);
        if (ristretto_is_zero(key.private_key))
            continue;
        key_complete(&key);
        *ret_key = key;
        voprf_key_clear(&key);
        return ERR_OK;
    }
    return ERR(CRYPTO_KEY); /* DeriveKeyPairError */
}

struct err voprf_key_init(const uint8_t private_key[VOPRF_SCALAR_BYTES], struct voprf_key *ret_key)
{
    TRY(crypto_init());
    if (!ristretto_is_scalar(private_key) || ristretto_is_zero(private_key))
        return ERR(CRYPTO_KEY);
    memmove(ret_key->private_key, private_key, N);
    key_complete(ret_key);
    return ERR_OK;
}

void voprf_key_clear(struct voprf_key *key)
{
    bytes_wipe(key, sizeof *key);
}

struct err voprf_check_element(const uint8_t element[VOPRF_ELEMENT_BYTES])
{
    TRY(crypto_init());
    if (ristretto_is_zero(element) || crypto_core_ristretto255_is_valid_point(element) == 0)
        return ERR(CRYPTO_ELEMENT);
    return ERR_OK;
}

/* HashToGroup of a bounded input that is not the identity (RFC 9497 3.3: InvalidInputError). */
static struct err input_element(struct bytes input, uint8_t ret_element[N])
{
    if (input.len > VOPRF_INPUT_MAX_BYTES)
        return ERR(ARGUMENT);
    TRY(crypto_init());
    ristretto_hash_to_group(BYTES_LIST(input), ret_element);
    return ristretto_is_zero(ret_element) ? ERR(ARGUMENT) : ERR_OK;
}

struct err voprf_blind(struct bytes input, const struct rng *rng,
                       uint8_t ret_blind[VOPRF_SCALAR_BYTES],
                       uint8_t ret_blinded[VOPRF_ELEMENT_BYTES])
{
    uint8_t element[N], blind[N];
    TRY(input_element(input, element));
    TRY(voprf_random_scalar(rng, blind));
    struct err err = ristretto_mul(blind, element, ret_blinded);
    if (err_is_ok(err))
        memcpy(ret_blind, blind, N);
    bytes_wipe(element, sizeof element);
    bytes_wipe(blind, sizeof blind);
    return err;
}

/* Elements from outside: the identity is refused at once, other bytes that are no element by the
 * first multiplication they go through. */
static struct err refuse_identity(const uint8_t *elements, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ristretto_is_zero(elements + N * i))
            return ERR(CRYPTO_ELEMENT);
    return ERR_OK;
}

struct err voprf_evaluate(const struct voprf_key *key, const struct rng *rng,
                          const uint8_t *blinded, size_t count, uint8_t *ret_evaluated,
                          uint8_t ret_proof[VOPRF_PROOF_BYTES])
{
    FILLED_LATER uint8_t evaluated[VOPRF_BATCH_MAX * N];
    if (count == 0 || count > VOPRF_BATCH_MAX)
        return ERR(ARGUMENT);
    TRY(crypto_init());
    TRY(refuse_identity(blinded, count));
    for (size_t i = 0; i < count; i++)
        TRY(ristretto_mul(key->private_key, blinded + N * i, evaluated + N * i));
    TRY(voprf_prove(key, rng, blinded, evaluated, count, ret_proof));
    memcpy(ret_evaluated, evaluated, count * N);
    return ERR_OK;
}

/* Hash(len || input || len || element || "Finalize"), RFC 9497 3.3.1. */
static void final_hash(struct bytes input, const uint8_t element[N],
                       uint8_t ret_output[VOPRF_OUTPUT_BYTES])
{
    const uint8_t input_length[] = {(uint8_t)(input.len >> 8), (uint8_t)input.len};
    const uint8_t element_length[] = {0, N};
    struct digest digest;
    hash_list(&hash_sha512,
              BYTES_LIST(bytes_of(input_length, 2), input, bytes_of(element_length, 2),
                         bytes_of(element, N), bytes_str("Finalize")),
              &digest);
    memcpy(ret_output, digest.data, VOPRF_OUTPUT_BYTES);
    bytes_wipe(&digest, sizeof digest);
}

/* All inverses by one inversion (Montgomery): products[i] = blinds[0] * ... * blinds[i], then
 * backwards 1 / blinds[i] = products[i - 1] / products[i]. Blinds of zero have no inverse and are
 * ERR_ARGUMENT, as are those not below the group order. */
static struct err invert_blinds(const uint8_t *blinds, size_t count, uint8_t *ret_inverses)
{
    FILLED_LATER uint8_t products[VOPRF_BATCH_MAX * N];
    uint8_t rest[N];
    for (size_t i = 0; i < count; i++)
        if (!ristretto_is_scalar(blinds + N * i))
            return ERR(ARGUMENT);
    memcpy(products, blinds, N);
    for (size_t i = 1; i < count; i++)
        crypto_core_ristretto255_scalar_mul(products + N * i, products + N * (i - 1),
                                            blinds + N * i);
    if (crypto_core_ristretto255_scalar_invert(rest, products + N * (count - 1)) != 0)
        return ERR(ARGUMENT);
    for (size_t i = count - 1; i > 0; i--) {
        crypto_core_ristretto255_scalar_mul(ret_inverses + N * i, rest, products + N * (i - 1));
        crypto_core_ristretto255_scalar_mul(rest, rest, blinds + N * i);
    }
    memcpy(ret_inverses, rest, N);
    bytes_wipe(products, count * N);
    bytes_wipe(rest, sizeof rest);
    return ERR_OK;
}

struct err voprf_finalize(const struct voprf_batch *batch,
                          const uint8_t public_key[VOPRF_ELEMENT_BYTES], const uint8_t *evaluated,
                          const uint8_t proof[VOPRF_PROOF_BYTES], uint8_t *ret_outputs)
{
    FILLED_LATER uint8_t inverses[VOPRF_BATCH_MAX * N];
    uint8_t element[N];
    size_t count = batch->count;
    if (count == 0 || count > VOPRF_BATCH_MAX)
        return ERR(ARGUMENT);
    for (size_t i = 0; i < count; i++)
        if (batch->inputs[i].len > VOPRF_INPUT_MAX_BYTES)
            return ERR(ARGUMENT);
    TRY(voprf_check_element(public_key));
    TRY(refuse_identity(evaluated, count));
    TRY(voprf_verify(public_key, batch->blinded, evaluated, count, proof));
    TRY(invert_blinds(batch->blinds, count, inverses));
    struct err err = ERR_OK; /* the proof holds, so these are elements: it can't fail half-way */
    for (size_t i = 0; i < count && err_is_ok(err); i++) {
        err = ristretto_mul(inverses + N * i, evaluated + N * i, element);
        final_hash(batch->inputs[i], element, ret_outputs + VOPRF_OUTPUT_BYTES * i);
    }
    bytes_wipe(inverses, count * N);
    bytes_wipe(element, sizeof element);
    return err;
}

struct err voprf_output(const struct voprf_key *key, struct bytes input,
                        uint8_t ret_output[VOPRF_OUTPUT_BYTES])
{
    uint8_t element[N];
    TRY(input_element(input, element));
    TRY(ristretto_mul(key->private_key, element, element));
    final_hash(input, element, ret_output);
    bytes_wipe(element, sizeof element);
    return ERR_OK;
}

struct err voprf_check_output(const struct voprf_key *key, struct bytes input,
                              const uint8_t output[VOPRF_OUTPUT_BYTES])
{
    uint8_t expected[VOPRF_OUTPUT_BYTES];
    TRY(voprf_output(key, input, expected));
    bool equal = sodium_memcmp(expected, output, sizeof expected) == 0;
    bytes_wipe(expected, sizeof expected);
    return equal ? ERR_OK : ERR(CRYPTO_TAG);
}
