#include "seal/at_rest.h"

#include "seal/envelope.h"

enum { SALT_BYTES = 12 };
_Static_assert((int)AT_REST_OVERHEAD_BYTES == (int)SALT_BYTES + (int)ENVELOPE_OVERHEAD_BYTES, "");
_Static_assert((int)AT_REST_KEY_BYTES == (int)ENVELOPE_KEY_BYTES, "key'");

static void row_key(const uint8_t key[AT_REST_KEY_BYTES], const uint8_t *salt,
                    struct digest *ret_key)
{
    hmac_once(&hash_sha256, bytes_of(key, AT_REST_KEY_BYTES),
              BYTES_LIST(bytes_str("Hearth 1 at rest"), bytes_of(salt, SALT_BYTES)), ret_key);
}

struct err at_rest_seal(struct buf *b, const uint8_t key[AT_REST_KEY_BYTES], const struct rng *rng,
                        struct bytes aad, struct bytes plaintext)
{
    size_t mark = b->len;
    size_t inner;
    struct digest sealing = {0};
    struct err err;
    uint8_t *salt = buf_extend(b, SALT_BYTES);
    TRY(buf_check(b));
    TRY_OR(rng_fill(rng, salt, SALT_BYTES), err, undo);
    row_key(key, salt, &sealing);
    TRY_OR(envelope_begin(b, rng, &inner), err, undo);
    buf_append_bytes(b, plaintext);
    TRY_OR(envelope_end(b, inner, sealing.data, aad), err, undo);
    bytes_wipe(&sealing, sizeof sealing);
    return ERR_OK;
undo:
    bytes_wipe(&sealing, sizeof sealing);
    envelope_undo(b, mark);
    return err;
}

struct err at_rest_open(struct buf *b, const uint8_t key[AT_REST_KEY_BYTES], struct bytes aad,
                        struct bytes sealed)
{
    if (sealed.len < AT_REST_OVERHEAD_BYTES)
        return ERR(CRYPTO_TAG);
    struct digest opening;
    row_key(key, sealed.data, &opening);
    struct err err = envelope_open(b, opening.data, aad,
                                   bytes_of(sealed.data + SALT_BYTES, sealed.len - SALT_BYTES));
    bytes_wipe(&opening, sizeof opening);
    return err;
}

void at_rest_prf(const uint8_t key[AT_REST_KEY_BYTES], struct bytes_list pieces,
                 uint8_t ret_id[AT_REST_ID_BYTES])
{
    struct hmac mac;
    uint8_t whole[HASH_MAX_BYTES];
    hmac_init(&mac, &hash_sha256, bytes_of(key, AT_REST_KEY_BYTES));
    for (size_t i = 0; i < pieces.count; i++) {
        uint8_t head[8];
        for (size_t k = 0; k < sizeof head; k++)
            head[k] = (uint8_t)((uint64_t)pieces.at[i].len >> (56 - 8 * k));
        hmac_update(&mac, bytes_of(head, sizeof head));
        hmac_update(&mac, pieces.at[i]);
    }
    hmac_final(&mac, whole);
    memcpy(ret_id, whole, AT_REST_ID_BYTES);
    bytes_wipe(whole, sizeof whole);
}
