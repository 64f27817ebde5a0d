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

struct err at_rest_begin(struct buf *b, const struct rng *rng, struct at_rest_mark *ret_mark)
{
    struct at_rest_mark mark = {.begun = b->len};
    struct err err;
    uint8_t *salt = buf_extend(b, SALT_BYTES);
    TRY(buf_check(b));
    TRY_OR(rng_fill(rng, salt, SALT_BYTES), err, undo);
    TRY_OR(envelope_begin(b, rng, &mark.inner), err, undo);
    *ret_mark = mark;
    return ERR_OK;
undo:
    envelope_undo(b, mark.begun);
    return err;
}

struct err at_rest_end(struct buf *b, struct at_rest_mark mark,
                       const uint8_t key[AT_REST_KEY_BYTES], struct bytes aad)
{
    struct digest sealing;
    row_key(key, b->data + mark.begun, &sealing);
    struct err err = envelope_end(b, mark.inner, sealing.data, aad);
    bytes_wipe(&sealing, sizeof sealing);
    if (!err_is_ok(err))
        envelope_undo(b, mark.begun);
    return err;
}

struct err at_rest_seal(struct buf *b, const uint8_t key[AT_REST_KEY_BYTES], const struct rng *rng,
                        struct bytes aad, struct bytes plaintext)
{
    struct at_rest_mark mark;
    if (plaintext.len > SIZE_MAX - AT_REST_OVERHEAD_BYTES)
        return ERR(TOO_LARGE);
    buf_reserve(b, plaintext.len + AT_REST_OVERHEAD_BYTES);
    TRY(at_rest_begin(b, rng, &mark));
    buf_append_bytes(b, plaintext);
    return at_rest_end(b, mark, key, aad);
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
