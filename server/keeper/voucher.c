#include "server/keeper/voucher.h"

#include "crypto/labelled.h"
#include "seal/at_rest.h"

struct place {
    uint8_t bytes[5];
};

static struct bytes place_of(uint8_t class, uint32_t week, struct place *place)
{
    *place = (struct place){
        {class, (uint8_t)(week >> 24), (uint8_t)(week >> 16), (uint8_t)(week >> 8), (uint8_t)week}};
    return bytes_of(place->bytes, sizeof place->bytes);
}

static struct err wrapping_key(const uint8_t *master, struct bytes place, struct secret *ret_key)
{
    return labelled_expand(&kdf_hkdf_sha256, bytes_of(master, KEEPER_KEY_BYTES), LABEL_HEARTH,
                           bytes_str("voucher key"), place, AT_REST_KEY_BYTES, ret_key);
}

struct err voucher_wrap(const uint8_t master[KEEPER_KEY_BYTES], const struct rng *rng,
                        uint8_t class, uint32_t week, struct bytes pkcs8, struct buf *wrapped)
{
    struct blind_rsa_key key;
    struct secret wrapping;
    struct place room;
    struct bytes place = place_of(class, week, &room);
    TRY(blind_rsa_key_init(pkcs8, &key));
    blind_rsa_key_clear(&key);
    TRY(wrapping_key(master, place, &wrapping));
    struct err err = at_rest_seal(wrapped, wrapping.data, rng, place, pkcs8);
    secret_clear(&wrapping);
    return err;
}

struct err voucher_sign(const uint8_t master[KEEPER_KEY_BYTES], uint8_t class, uint32_t week,
                        struct bytes wrapped, const uint8_t blinded[BLIND_RSA_BYTES],
                        uint8_t ret_signature[BLIND_RSA_BYTES])
{
    struct blind_rsa_key key;
    struct secret wrapping;
    struct place room;
    struct bytes place = place_of(class, week, &room);
    struct buf pkcs8 = BUF_INIT;
    TRY(wrapping_key(master, place, &wrapping));
    struct err err = at_rest_open(&pkcs8, wrapping.data, place, wrapped);
    secret_clear(&wrapping);
    if (err_is_ok(err))
        err = blind_rsa_key_init(buf_view(&pkcs8), &key);
    buf_clear(&pkcs8);
    TRY(err);
    err = blind_rsa_sign(&key, blinded, ret_signature);
    blind_rsa_key_clear(&key);
    return err;
}
