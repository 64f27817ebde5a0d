#include "seal/envelope.h"

struct err envelope_aead(struct buf *b, size_t mark, size_t from, const struct aead_alg *alg,
                         const struct secret *key, const uint8_t nonce[AEAD_NONCE_BYTES],
                         struct bytes aad)
{
    size_t plain_bytes = b->len - from;
    struct err err;
    (void)buf_extend(b, AEAD_TAG_BYTES);
    TRY_OR(buf_check(b), err, undo);
    uint8_t *text = b->data + from;
    TRY_OR(aead_seal(alg, key, nonce, aad, bytes_of(text, plain_bytes), text), err, undo);
    return ERR_OK;
undo:
    envelope_undo(b, mark);
    return err;
}

struct err envelope_aead_open(struct buf *b, const struct aead_alg *alg, const struct secret *key,
                              const uint8_t nonce[AEAD_NONCE_BYTES], struct bytes aad,
                              struct bytes ciphertext)
{
    if (ciphertext.len < AEAD_TAG_BYTES)
        return ERR(CRYPTO_TAG);
    size_t mark = b->len;
    /* room for the tag too, so that there is always some */
    uint8_t *room = buf_extend(b, ciphertext.len);
    TRY(buf_check(b));
    b->len -= AEAD_TAG_BYTES;
    struct err err = aead_open(alg, key, nonce, aad, ciphertext, room);
    if (!err_is_ok(err))
        envelope_undo(b, mark);
    return err;
}

struct err envelope_begin(struct buf *b, const struct rng *rng, size_t *ret_mark)
{
    size_t mark = b->len;
    uint8_t *nonce = buf_extend(b, AEAD_NONCE_BYTES);
    TRY(buf_check(b));
    struct err err = rng_fill(rng, nonce, AEAD_NONCE_BYTES);
    if (!err_is_ok(err)) {
        envelope_undo(b, mark);
        return err;
    }
    *ret_mark = mark;
    return ERR_OK;
}

static void key_of(const uint8_t key[ENVELOPE_KEY_BYTES], struct secret *ret_key)
{
    ret_key->len = ENVELOPE_KEY_BYTES;
    memcpy(ret_key->data, key, ENVELOPE_KEY_BYTES);
}

struct err envelope_end(struct buf *b, size_t mark, const uint8_t key[ENVELOPE_KEY_BYTES],
                        struct bytes aad)
{
    uint8_t nonce[AEAD_NONCE_BYTES];
    struct secret secret;
    struct err err = buf_check(b); /* of the caller's appends */
    if (!err_is_ok(err)) {
        envelope_undo(b, mark);
        return err;
    }
    memcpy(nonce, b->data + mark, sizeof nonce);
    key_of(key, &secret);
    err = envelope_aead(b, mark, mark + AEAD_NONCE_BYTES, &aead_aes256_gcm, &secret, nonce, aad);
    secret_clear(&secret);
    return err;
}

struct err envelope_open(struct buf *b, const uint8_t key[ENVELOPE_KEY_BYTES], struct bytes aad,
                         struct bytes sealed)
{
    if (sealed.len < ENVELOPE_OVERHEAD_BYTES)
        return ERR(CRYPTO_TAG);
    struct secret secret;
    key_of(key, &secret);
    struct bytes ciphertext =
        bytes_of(sealed.data + AEAD_NONCE_BYTES, sealed.len - AEAD_NONCE_BYTES);
    struct err err = envelope_aead_open(b, &aead_aes256_gcm, &secret, sealed.data, aad, ciphertext);
    secret_clear(&secret);
    return err;
}
