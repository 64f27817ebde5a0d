#include "crypto/ristretto.h"

#include <sodium.h>

#include "crypto/count.h"

_Static_assert(crypto_core_ristretto255_BYTES == RISTRETTO_BYTES, "element");
_Static_assert(crypto_core_ristretto255_SCALARBYTES == RISTRETTO_BYTES, "scalar");

enum { WIDE_BYTES = 64 };
_Static_assert(crypto_core_ristretto255_HASHBYTES == WIDE_BYTES, "map to group");
_Static_assert(crypto_core_ristretto255_NONREDUCEDSCALARBYTES == WIDE_BYTES, "wide scalar");

static const char context[] = "OPRFV1-\x01-ristretto255-SHA512";

struct bytes ristretto_context(void)
{
    return bytes_of(context, sizeof context - 1);
}

/* expand_message_xmd with SHA-512 to 64 bytes, which is one block of output (RFC 9380 5.3.1). The
 * tag is tag || context. */
static void expand(struct bytes tag, struct bytes_list input, uint8_t ret_wide[WIDE_BYTES])
{
    static const uint8_t pad[HASH_MAX_BLOCK_BYTES];
    static const uint8_t length[] = {0, WIDE_BYTES, 0}; /* l_i_b_str || I2OSP(0, 1) */
    const uint8_t one = 1;
    const uint8_t tag_bytes = (uint8_t)(tag.len + ristretto_context().len);
    struct hash h;
    struct digest block;
    hash_init(&h, &hash_sha512);
    hash_update(&h, bytes_of(pad, sizeof pad));
    for (size_t i = 0; i < input.count; i++)
        hash_update(&h, input.at[i]);
    hash_update(&h, bytes_of(length, sizeof length));
    hash_update(&h, tag);
    hash_update(&h, ristretto_context());
    hash_update(&h, bytes_of(&tag_bytes, 1));
    hash_final(&h, &block);
    hash_init(&h, &hash_sha512);
    hash_update(&h, digest_view(&block));
    hash_update(&h, bytes_of(&one, 1));
    hash_update(&h, tag);
    hash_update(&h, ristretto_context());
    hash_update(&h, bytes_of(&tag_bytes, 1));
    hash_final(&h, &block);
    memcpy(ret_wide, block.data, WIDE_BYTES);
    bytes_wipe(&block, sizeof block);
}

void ristretto_hash_to_group(struct bytes_list input, uint8_t ret_element[RISTRETTO_BYTES])
{
    crypto_count.group++;
    uint8_t wide[WIDE_BYTES];
    expand(bytes_str("HashToGroup-"), input, wide);
    (void)crypto_core_ristretto255_from_hash(ret_element, wide); /* has no failure */
    bytes_wipe(wide, sizeof wide);
}

void ristretto_hash_to_scalar_tagged(struct bytes tag, struct bytes_list input,
                                     uint8_t ret_scalar[RISTRETTO_BYTES])
{
    uint8_t wide[WIDE_BYTES];
    expand(tag, input, wide);
    crypto_core_ristretto255_scalar_reduce(ret_scalar, wide);
    bytes_wipe(wide, sizeof wide);
}

void ristretto_hash_to_scalar(struct bytes_list input, uint8_t ret_scalar[RISTRETTO_BYTES])
{
    ristretto_hash_to_scalar_tagged(bytes_str("HashToScalar-"), input, ret_scalar);
}

struct err ristretto_mul(const uint8_t scalar[RISTRETTO_BYTES],
                         const uint8_t element[RISTRETTO_BYTES],
                         uint8_t ret_product[RISTRETTO_BYTES])
{
    crypto_count.group++;
    uint8_t product[RISTRETTO_BYTES];
    if (crypto_scalarmult_ristretto255(product, scalar, element) != 0) {
        if (crypto_core_ristretto255_is_valid_point(element) == 0)
            return ERR(CRYPTO_ELEMENT);
        memset(product, 0, sizeof product); /* the identity */
    }
    memcpy(ret_product, product, sizeof product);
    bytes_wipe(product, sizeof product);
    return ERR_OK;
}

void ristretto_mul_base(const uint8_t scalar[RISTRETTO_BYTES], uint8_t ret_product[RISTRETTO_BYTES])
{
    crypto_count.group++;
    if (crypto_scalarmult_ristretto255_base(ret_product, scalar) != 0)
        memset(ret_product, 0, RISTRETTO_BYTES); /* zero times the generator */
}

struct err ristretto_add_to(uint8_t sum[RISTRETTO_BYTES], const uint8_t element[RISTRETTO_BYTES])
{
    uint8_t result[RISTRETTO_BYTES];
    if (crypto_core_ristretto255_add(result, sum, element) != 0)
        return ERR(CRYPTO_ELEMENT);
    memcpy(sum, result, sizeof result);
    return ERR_OK;
}

bool ristretto_is_scalar(const uint8_t scalar[RISTRETTO_BYTES])
{
    uint8_t wide[WIDE_BYTES] = {0}, reduced[RISTRETTO_BYTES];
    memcpy(wide, scalar, RISTRETTO_BYTES);
    crypto_core_ristretto255_scalar_reduce(reduced, wide);
    bool same = sodium_memcmp(reduced, scalar, RISTRETTO_BYTES) == 0;
    bytes_wipe(wide, sizeof wide);
    bytes_wipe(reduced, sizeof reduced);
    return same;
}

bool ristretto_is_zero(const uint8_t value[RISTRETTO_BYTES])
{
    return sodium_is_zero(value, RISTRETTO_BYTES) != 0;
}
