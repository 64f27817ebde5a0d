#include "crypto/blake2b.h"

#include <sodium.h>

_Static_assert(BLAKE2B_TAG_BYTES >= crypto_generichash_blake2b_BYTES_MIN, "tag");
_Static_assert(BLAKE2B_KEY_BYTES <= crypto_generichash_blake2b_KEYBYTES_MAX, "key");

void blake2b_tag(const uint8_t key[BLAKE2B_KEY_BYTES], struct bytes data,
                 uint8_t ret_tag[BLAKE2B_TAG_BYTES])
{
    /* fails for sizes out of range only */
    (void)crypto_generichash_blake2b(ret_tag, BLAKE2B_TAG_BYTES, data.data, data.len, key,
                                     BLAKE2B_KEY_BYTES);
}
