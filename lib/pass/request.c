#include "pass/request.h"

#include "wire/writer.h"

enum { NONCE = PASS_NONCE_BYTES, SCALAR = VOPRF_SCALAR_BYTES, ELEMENT = VOPRF_ELEMENT_BYTES };

struct err pass_order_init(const struct pass_public_key *key, size_t count, const struct rng *rng,
                           struct pass_order *ret_order)
{
    if (count == 0 || count > PASS_BATCH_MAX)
        return ERR(PASS_BATCH);
    struct pass_order *order = ret_order;
    struct err err;
    order->key = *key;
    order->count = count;
    TRY_OR(rng_fill(rng, order->nonces, count * NONCE), err, fail);
    for (size_t i = 0; i < count; i++) {
        uint8_t input[PASS_INPUT_BYTES];
        pass_token_input(key, order->nonces + NONCE * i, input);
        err = voprf_blind(bytes_of(input, sizeof input), rng, order->blinds + SCALAR * i,
                          order->blinded + ELEMENT * i);
        bytes_wipe(input, sizeof input);
        if (!err_is_ok(err))
            goto fail;
    }
    return ERR_OK;
fail:
    pass_order_clear(order);
    return err;
}

void pass_order_write(const struct pass_order *order, struct buf *b)
{
    wire_write_u16(b, PASS_TYPE_TOKEN);
    wire_write_u8(b, order->key.key_id[PASS_KEY_ID_BYTES - 1]);
    wire_write_vector(b, bytes_of(order->blinded, order->count * ELEMENT));
}

void pass_order_clear(struct pass_order *order)
{
    bytes_wipe(order, sizeof *order);
}

void pass_coin_write_token(struct buf *b, const struct pass_public_key *key,
                           const struct pass_coin *coin)
{
    uint8_t input[PASS_INPUT_BYTES];
    pass_token_input(key, coin->nonce, input);
    wire_write_fixed(b, bytes_of(input, sizeof input));
    wire_write_fixed(b, bytes_of(coin->authenticator, sizeof coin->authenticator));
}

void pass_coin_write_short(struct buf *b, const struct pass_public_key *key,
                           const struct pass_coin *coin)
{
    const struct pass_short token = {key->class, key->period, coin->nonce, coin->authenticator};
    pass_short_write(b, &token);
}
